"""Private places for uploads: a 0700 folder, 0600 files with names of our own, gone when the request is."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from cvflow_tui.backend.runtime.runner.faults import too_large

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - only folders made by mkdtemp, 0700, are used in it
_PREFIX = "cvflow-"
_FRESH_SECONDS = 60.0
_BUDGET_LIMIT = 1 << 30


class Folder:
    """A folder of this process alone, locked for as long as it lives: one without a lock was left behind and may be swept."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(parent)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self._lock = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Remove it with all it holds."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def sweep(parent: Path) -> None:
    """Remove what runners of this user that were killed left in `parent`."""
    for folder in parent.glob(_PREFIX + "*"):
        with suppress(OSError):
            status = folder.lstat()
            if status.st_uid != os.getuid() or time.time() - status.st_mtime < _FRESH_SECONDS:
                continue
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)


class Scratch:
    """Where uploads go: shared memory while they fit a budget (a quarter of what was free), else a folder on disk."""

    def __init__(self, disk: Path | None = None) -> None:
        self._disk = disk if disk is not None else Path(tempfile.gettempdir())
        self._memory: Folder | None = None
        self._overflow: Folder | None = None
        self._budget = 0
        self._used = 0
        self._number = 0
        if SHARED_MEMORY.is_dir() and os.access(SHARED_MEMORY, os.W_OK):
            room = os.statvfs(SHARED_MEMORY)
            self._budget = min(room.f_bavail * room.f_frsize // 4, _BUDGET_LIMIT)
            self._memory = Folder(SHARED_MEMORY)

    def file(self, expected: int, limit: int) -> Upload:
        """A new, empty file for a body of `expected` bytes (at most `limit`)."""
        self._number += 1
        if self._memory is not None and self._used + expected <= self._budget:
            self._used += expected
            return Upload(self, self._memory.path / str(self._number), limit, expected, in_memory=True)
        if self._overflow is None:
            self._overflow = Folder(self._disk)
        return Upload(self, self._overflow.path / str(self._number), limit, 0, in_memory=False)

    def give_back(self, size: int) -> None:
        """An upload of this expected size is gone."""
        self._used -= size

    def close(self) -> None:
        """Remove the folders."""
        for folder in (self._memory, self._overflow):
            if folder is not None:
                folder.close()


class Upload:
    """A body that is being received; a context manager that removes the file at its end."""

    def __init__(self, scratch: Scratch, path: Path, limit: int, reserved: int, *, in_memory: bool) -> None:
        self.path = str(path)
        self.size = 0
        self._scratch = scratch
        self._limit = limit
        self._reserved = reserved
        self._in_memory = in_memory
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)
        with suppress(FileNotFoundError):
            Path(self.path).unlink()
        self._scratch.give_back(self._reserved)

    @property
    def descriptor(self) -> int:
        """The open file, for reading back."""
        return self._descriptor

    async def write(self, data: bytes) -> None:
        """Append. Raises Fault 413 beyond the limit."""
        if self._count(data):
            if self._in_memory:
                _write_all(self._descriptor, data)
            else:
                await asyncio.to_thread(_write_all, self._descriptor, data)

    def _count(self, data: bytes) -> int:
        self.size += len(data)
        if self.size > self._limit:
            raise too_large(
                f"the picture is larger than {self._limit // (1024 * 1024) or self._limit} {'MiB' if self._limit >= 1 << 20 else 'bytes'}"
            )
        return len(data)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
