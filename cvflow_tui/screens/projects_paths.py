"""Completing paths while they are typed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.suggester import Suggester

LOOKED_AT = 5000
"""Entries of a folder that are looked at: a completion must not wait for a million names."""


class PathSuggester(Suggester):
    """Suggests the first entry of a folder that begins like the last path typed; `separator` divides several paths."""

    def __init__(self, separator: str | None = None) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._separator = separator

    async def get_suggestion(self, value: str) -> str | None:
        """The whole line with its last path completed, or None."""
        head, last = "", value
        if self._separator is not None and self._separator in value:
            head, _, last = value.rpartition(self._separator)
            blank = last[: len(last) - len(last.lstrip())]
            head, last = f"{head}{self._separator}{blank}", last.lstrip()
        found = await asyncio.to_thread(completed, last)
        return None if found is None else head + found


def completed(text: str) -> str | None:
    """The path with its last part completed; folders end with a slash. None where nothing begins so."""
    if not text:
        return None
    folder_text, slash, start = text.rpartition("/")
    folder = Path(f"{folder_text}{slash}" or ".").expanduser()
    found: list[str] = []
    try:
        for count, entry in enumerate(folder.iterdir()):
            if count >= LOOKED_AT:
                break
            if entry.name.startswith(start) and (start or not entry.name.startswith(".")):
                found.append(entry.name + ("/" if entry.is_dir() else ""))
    except OSError:
        # A folder that is not there, or not ours to read, completes to nothing.
        return None
    name = min((each for each in found if each != start), default=None)
    return None if name is None else f"{folder_text}{slash}{name}"
