"""Which files are linked from where: what a folder loses is not what the disk gets back while another link stands."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cvflow_tui.backend.packages.storage.ledger import BLOCK

Inode = tuple[int, int]


@dataclass(slots=True)
class _File:
    seen: int
    linked: int
    bytes: int


@dataclass(slots=True)
class Links:
    """The files below some paths: how many links to each lie there, and how many there are in all."""

    files: dict[Inode, _File] = field(default_factory=dict)
    folders: dict[Inode, int] = field(default_factory=dict)
    """What the folders themselves take."""

    @classmethod
    def below(cls, paths: Iterable[Path]) -> Links:
        """Walk the paths. Follows no link; what vanishes meanwhile is not there."""
        found = cls()
        for path in paths:
            if path.is_dir() and not path.is_symlink():
                for folder, _, names in os.walk(path):
                    found._add(Path(folder), is_folder=True)
                    for name in names:
                        found._add(Path(folder, name))
            else:
                found._add(path)
        return found

    def _add(self, path: Path, *, is_folder: bool = False) -> None:
        try:
            told = path.lstat()
        except FileNotFoundError:
            return
        inode = told.st_dev, told.st_ino
        if is_folder:
            self.folders[inode] = told.st_blocks * BLOCK
        else:
            self.files.setdefault(inode, _File(0, told.st_nlink, told.st_blocks * BLOCK)).seen += 1

    def seen(self, inode: Inode) -> int:
        """How many links to a file lie here."""
        return self.files[inode].seen if inode in self.files else 0

    @property
    def outside(self) -> frozenset[Inode]:
        """Files that something else is linked to as well."""
        return frozenset(inode for inode, file in self.files.items() if file.seen < file.linked)

    @property
    def bytes(self) -> int:
        """What all of it takes."""
        return sum(file.bytes for file in self.files.values()) + sum(self.folders.values())


def still_linked(gone: Links, home: Links, cache: Links | None = None) -> int:
    """Bytes that the home folder loses with what goes, and the disk does not get back: something else has them too.

    `cache` goes along, where it does.
    """
    return sum(
        file.bytes
        for inode, file in gone.files.items()
        if file.seen == home.seen(inode) and file.seen + (cache.seen(inode) if cache else 0) < file.linked
    )


def only_in(cache: Links, gone: Links) -> int:
    """Bytes that the disk gets back with a cache, beside what it gets back with what goes along."""
    files = (file.bytes for inode, file in cache.files.items() if not gone.seen(inode) and file.seen >= file.linked)
    return sum(files) + sum(cache.folders.values())
