"""A file that holds room on the disk for the moment when there is none: what makes room must be able to write that it did."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

SIZE = 1 << 20
SHORT = 1 << 20
"""Free bytes below which the ballast is given up."""
PLENTY = 8 << 20
"""Free bytes from which on there is room for it."""


class Ballast:
    """A file of a megabyte in the home folder. Nobody reads it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self) -> None:
        """Make it, where there is room for it and it is not there."""
        if self._path.exists() or self._free() < PLENTY:
            return
        try:
            with self._path.open("xb") as file:
                file.write(os.urandom(SIZE))  # not zeros: a disk that compresses would hold no room for them
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            log.warning("no room is held back for a full disk: %s", error.strerror)
            self._path.unlink(missing_ok=True)

    def give_up(self) -> None:
        """Delete it where the disk is full: what makes room, or ends something, may write then."""
        if self._free() < SHORT:
            self._path.unlink(missing_ok=True)

    @contextmanager
    def room(self) -> Iterator[None]:
        """Do what makes room: on a full disk the ballast goes first, and comes back once there is room for it again."""
        self.give_up()
        try:
            yield
        finally:
            self.keep()

    def _free(self) -> int:
        return shutil.disk_usage(self._path.parent).free
