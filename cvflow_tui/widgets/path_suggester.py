"""Completes paths as they are typed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from textual.suggester import Suggester


class PathSuggester(Suggester):
    """Suggests the first file or folder that begins with what is typed; `suffixes` limits the files, `folders_only` leaves them out.

    Folders that cannot be read suggest nothing.
    """

    def __init__(self, suffixes: frozenset[str] | None = None, *, folders_only: bool = False) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._suffixes = suffixes
        self._folders_only = folders_only

    async def get_suggestion(self, value: str) -> str | None:
        """The whole path that is suggested, spelled as the typed part is (`~` stays `~`)."""
        if not value or "/" not in value:
            return None
        return await asyncio.to_thread(self._complete, value)

    def _complete(self, value: str) -> str | None:
        head, _, beginning = value.rpartition("/")
        folder = Path(f"{head}/").expanduser()
        try:
            with os.scandir(folder) as entries:
                names = sorted(name for entry in entries if (name := self._name(entry)) and name.startswith(beginning))
        except OSError:
            return None
        for name in names:
            if beginning or not name.startswith("."):
                return f"{head}/{name}" if name != beginning else None
        return None

    def _name(self, entry: os.DirEntry[str]) -> str:
        """How the entry is suggested; empty where it is not."""
        if entry.is_dir():
            return f"{entry.name}/"
        if self._folders_only or (self._suffixes is not None and Path(entry.name).suffix.lower() not in self._suffixes):
            return ""
        return entry.name
