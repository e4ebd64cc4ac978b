"""What deleting frees, in words: less than what goes, where something outside the home folder has it too."""

from __future__ import annotations

from collections import Counter

from cvflow_tui.model.storage import Pruning, told_of_shared
from cvflow_tui.widgets.figures import bytes_of

NAMES = {"package": "its own files", "kept version": "kept versions", "environment": "its environment", "weight": "weights"}


def freed_by_removal(goes: Pruning) -> str:
    """What a removal frees, by what goes, and what of it the disk does not get back."""
    kinds: Counter[str] = Counter()
    for entry in goes.entries:
        kinds[entry.kind] += entry.bytes
    text = f"Frees {bytes_of(goes.freed)}."
    if kinds:
        text += f"\nWhat goes: {', '.join(f'{NAMES.get(kind, kind)} {bytes_of(size)}' for kind, size in kinds.items())}."
    if goes.shared:
        text += f"\n{told_of_shared(bytes_of(goes.shared), 'that')}."
    return text


def still_linked(shared: int) -> str:
    """What the disk did not get back, and why: the end of a line that says how much it did."""
    return f" · {bytes_of(shared)} stays linked from uv's cache (cvflow prune --cache)" if shared else ""
