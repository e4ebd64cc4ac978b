"""Room on the disk: asked before anything large is written, and named when it runs out all the same."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.text import in_bytes

MARGIN = 16 << 20
"""Bytes that an install leaves free (a database and a log must still be able to grow), at most a twentieth of the disk."""


def free_bytes(path: Path) -> int:
    """What a user may still write on the disk that holds `path` (or would, once it exists), the margin kept back."""
    while not path.exists() and path != path.parent:
        path = path.parent
    usage = shutil.disk_usage(path)
    return max(0, usage.free - min(MARGIN, usage.total // 20))


def require_space(path: Path, needed: int, what: str) -> None:
    """Raise RefusedError, naming both figures, unless `needed` bytes fit on the disk that holds `path`."""
    free = free_bytes(path)
    if needed > free:
        raise no_space(path, needed, free, what)


def no_space(path: Path, needed: int | None, free: int, what: str) -> RefusedError:
    """The error of a disk that is too full."""
    need = f"needs {in_bytes(needed)}" if needed is not None else "needs more"
    return RefusedError(f"no disk space: {what} {need}, and {path} has {in_bytes(free)} free; make room or move CVFLOW_HOME")


@contextmanager
def writing(path: Path, needed: int | None = None, what: str = "this") -> Iterator[None]:
    """Turn "disk full" from the system, met while writing below `path`, into the same error."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space(path, needed, free_bytes(path), what) from error
        raise


def delete(paths: Iterable[Path]) -> None:
    """Delete files and folders."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(FileNotFoundError):
                path.unlink()


def link_or_copy(file: Path, target: Path) -> None:
    """Link a file into another place on the same disk; copy it where that cannot be."""
    try:
        os.link(file, target, follow_symlinks=True)
    except OSError:
        size = file.stat().st_size
        require_space(target.parent, size, target.name)
        with writing(target.parent, size, target.name):
            shutil.copyfile(file, target)


def sync_tree(root: Path) -> None:
    """Bring every file below a folder to the disk, so that the rename that follows never shows empty files after a power cut."""
    for folder, _, files in os.walk(root):
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                _sync(path)
        _sync(Path(folder))


def sync_folder(folder: Path) -> None:
    """Bring a folder's own entries (after a rename in it) to the disk."""
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
