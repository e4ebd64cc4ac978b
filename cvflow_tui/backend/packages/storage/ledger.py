"""Counting bytes as the disk does: blocks, folders included, and a file that is linked several times once."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

BLOCK = 512
"""Bytes of `st_blocks`' unit, whatever the disk's own blocks are."""


class Ledger:
    """What was counted already. The first walk that meets a file has its bytes."""

    def __init__(self, outside: Collection[tuple[int, int]] = ()) -> None:
        """`outside` are files that something else is linked to as well: `shared` are their bytes among what was counted."""
        self._seen: set[tuple[int, int]] = set()
        self._outside = outside
        self.shared = 0

    def count(self, path: Path, *, without: Collection[Path] = ()) -> int:
        """Bytes of a file, or of a folder with all below it, that were not counted yet. Follows no link; what vanishes counts nothing."""
        if path in without:
            return 0
        total = self._own(path)
        if not path.is_symlink() and path.is_dir():
            try:
                below = list(os.scandir(path))
            except (FileNotFoundError, PermissionError):
                return total
            for entry in below:
                if entry.is_dir(follow_symlinks=False):
                    total += self.count(Path(entry.path), without=without)
                elif Path(entry.path) not in without:
                    total += self._own(Path(entry.path))
        return total

    def _own(self, path: Path) -> int:
        try:
            found = path.lstat()
        except FileNotFoundError:
            return 0
        if (found.st_dev, found.st_ino) in self._seen:
            return 0
        self._seen.add((found.st_dev, found.st_ino))
        if (found.st_dev, found.st_ino) in self._outside:
            self.shared += found.st_blocks * BLOCK
        return found.st_blocks * BLOCK
