"""A full disk, in words a user can act on."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path

from cvflow_tui.model.errors import RefusedError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_SQLITE_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
"""The second: WAL's shared memory is a file too, and could not grow."""


LEAST_FREE = 256 * 1024
"""Bytes without which nothing is sure to start, nor to say why it does not: its log has no room either."""


def is_short(place: Path) -> bool:
    """Whether a disk has so little room that what is started on it may not get far."""
    return shutil.disk_usage(place).free < LEAST_FREE


def is_full(error: BaseException) -> bool:
    """Whether a write failed because there is no room left, or none that we may take."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) in _SQLITE_FULL
    return isinstance(error, OSError) and error.errno in _FULL


def full_disk(error: BaseException) -> RefusedError | None:
    """What to tell of a write that found no room and that nobody nearer has explained; None for any other error."""
    return no_space(getattr(error, "filename", None) or "the home folder's disk") if is_full(error) else None


def no_space(place: Path | str) -> RefusedError:
    """What to tell."""
    return RefusedError(f"no disk space: {place} is full; make room or move CVFLOW_HOME")
