"""What deleting frees, in words: less than what goes, where something outside the home folder has it too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cvflow_tui.model.storage import told_of_shared
from cvflow_tui.widgets.figures import bytes_of

if TYPE_CHECKING:
    from cvflow_tui.model.storage import DiskEntry


def freed_by_removal(going: Sequence[DiskEntry]) -> str:
    """What a removal frees, by what goes, and what of it the disk does not get back."""
    kinds: dict[str, int] = {}
    for entry in going:
        kinds[entry.kind] = kinds.get(entry.kind, 0) + entry.bytes
    shared = sum(entry.shared for entry in going)
    text = f"Frees about {bytes_of(sum(kinds.values()) - shared)}."
    if kinds:
        named = {"package": "its own files", "kept version": "kept versions", "environment": "its environment", "weight": "weights"}
        text += f"\nWhat goes: {', '.join(f'{named.get(kind, kind)} {bytes_of(size)}' for kind, size in kinds.items())}."
    if shared:
        text += f"\n{told_of_shared(bytes_of(shared), 'that')}."
    return text


def still_linked(shared: int) -> str:
    """What the disk did not get back, and why: the end of a line that says how much it did."""
    return f" · {bytes_of(shared)} stays linked from uv's cache (cvflow prune --cache)" if shared else ""
