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
from typing import NamedTuple

from cvflow_tui.backend.runtime.runner.faults import too_large

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - only folders made by mkdtemp, 0700, are used in it
_PREFIX = "cvflow-"
_FRESH_SECONDS = 60.0
_BUDGET_LIMIT = 1 << 30

SPARES = 16
SPARE_BYTES = 1 << 20
"""Files of at most this size are written over by later pictures, this many of them."""

TIDY_SECONDS = 1.0
"""How long a file may wait for the next picture before it is removed."""


class Folder:
    """A folder of this process alone, locked for as long as it lives: one without a lock was left behind and may be swept."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(parent)
        self.path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
        self._lock = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Remove it with all it holds."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def sweep(parent: Path, owner: int | None = None) -> None:
    """Remove what runners of this user that were killed left in `parent`; with `owner`, at once what the process of that number left."""
    for folder in parent.glob(f"{_PREFIX}*" if owner is None else f"{_PREFIX}{owner}-*"):
        with suppress(OSError):
            status = folder.lstat()
            # A folder that is new may not be locked yet; that of a process which is known to have ended never will be.
            if status.st_uid != os.getuid() or (owner is None and time.time() - status.st_mtime < _FRESH_SECONDS):
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
        self._spares: list[Spare] = []
        self._unused = 0
        self._tidying = False
        self._budget = 0
        self._used = 0
        self._number = 0
        if SHARED_MEMORY.is_dir() and os.access(SHARED_MEMORY, os.W_OK):
            room = os.statvfs(SHARED_MEMORY)
            self._budget = min(room.f_bavail * room.f_frsize // 4, _BUDGET_LIMIT)
            self._memory = Folder(SHARED_MEMORY)

    def file(self, expected: int, limit: int) -> Upload:
        """A file for a body of `expected` bytes (at most `limit`), under a name that was never used before."""
        if self._memory is not None and self._used + expected <= self._budget:
            self._used += expected
            if expected <= SPARE_BYTES and self._spares:
                spare = self._spares.pop()
                self._unused = min(self._unused, len(self._spares))
                return Upload(self, spare.path, limit, expected, spare.descriptor, spare.size)
            self._number += 1
            path = f"{self._memory.path}/{self._number}"
            return Upload(self, path, limit, expected, _create(path), 0)
        if self._overflow is None:
            self._overflow = Folder(self._disk)
        self._number += 1
        path = f"{self._overflow.path}/{self._number}"
        return Upload(self, path, limit, 0, _create(path), None)

    async def keep(self, content: bytes, limit: int) -> Upload:
        """A file of what is in memory already. Raises Fault 413 beyond the limit."""
        upload = self.file(len(content), limit)
        try:
            await upload.write(content)
            upload.complete()
        except BaseException:
            self.retire(upload)
            raise
        return upload

    def give_back(self, count: int) -> None:
        """Part of what was set aside is not needed."""
        self._used -= count

    def retire(self, upload: Upload) -> None:
        """The request is over: the name of its file is gone at once, the file itself at once or, where pictures follow, within seconds."""
        self._used -= upload.reserved
        held = os.fstat(upload.descriptor)
        if (
            self._memory is not None
            and upload.reusable
            and len(self._spares) < SPARES
            and held.st_size <= SPARE_BYTES
            and held.st_nlink == 1
        ):
            self._number += 1
            path = f"{self._memory.path}/{self._number}"
            with suppress(OSError):  # a solver may have moved or removed the file: then it is not ours to use again
                os.rename(upload.path, path)  # noqa: PTH104 - once a request; a Path costs as much as the call
                self._spares.append(Spare(upload.descriptor, path, held.st_size))
                if not self._tidying:
                    self._tidying, self._unused = True, 0
                    asyncio.get_running_loop().call_later(TIDY_SECONDS, self._tidy)
                return
        os.close(upload.descriptor)
        with suppress(FileNotFoundError):
            os.unlink(upload.path)  # noqa: PTH108 - once a request, as above

    def _tidy(self) -> None:
        """Remove the files that no picture needed since the last look; the last used are taken first, so those are the oldest."""
        self._drop(self._unused)
        self._unused = len(self._spares)
        if self._spares:
            asyncio.get_running_loop().call_later(TIDY_SECONDS, self._tidy)
        else:
            self._tidying = False

    def _drop(self, count: int) -> None:
        for spare in self._spares[:count]:
            os.close(spare.descriptor)
            with suppress(FileNotFoundError):
                os.unlink(spare.path)  # noqa: PTH108 - names are kept as text for the request's sake
        del self._spares[:count]

    def close(self) -> None:
        """Remove the folders."""
        self._drop(len(self._spares))
        for folder in (self._memory, self._overflow):
            if folder is not None:
                folder.close()


class Spare(NamedTuple):
    """A file in shared memory that is about to be written over: its pages take a sixth of the time that new pages take.

    It bears the name of the picture that will be written to it, which no picture before had.
    """

    descriptor: int
    path: str
    size: int


class Upload:
    """A body that is being received; a context manager that removes the picture at its end.

    `old_size` is how much of an earlier picture the file holds, all of which is written over or cut off; None for a file on a disk,
    which is written to off the loop.
    """

    def __init__(self, scratch: Scratch, path: str, limit: int, reserved: int, descriptor: int, old_size: int | None) -> None:
        self.path = path
        self.size = 0
        self.reserved = reserved
        self.descriptor = descriptor
        self.in_memory = old_size is not None
        self._scratch = scratch
        self._limit = limit
        self._old_size = old_size or 0
        self._left = False

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._scratch.retire(self)

    async def write(self, data: bytes) -> None:
        """Append, off the loop where it goes to a disk. Raises Fault 413 beyond the limit."""
        if self.in_memory:
            self.put(data)
        else:
            await asyncio.to_thread(_write_all, self.descriptor, data, self._grow(len(data)))

    def put(self, data: bytes | memoryview) -> None:
        """Append at once. Raises Fault 413 beyond the limit."""
        _write_all(self.descriptor, data, self._grow(len(data)))

    def _grow(self, count: int) -> int:
        """Where the next bytes go."""
        position = self.size
        self.size += count
        if self.size > self._limit:
            raise too_large(f"the picture is larger than {self._limit} bytes")
        return position

    @property
    def reusable(self) -> bool:
        """Whether nobody reads the file any more, so that the next picture may be written over it."""
        return self.in_memory and not self._left

    def leave(self) -> None:
        """Whoever asked has gone while a worker may still read the picture: its file is not written over."""
        self._left = True

    def complete(self) -> None:
        """The body is all there: the file ends where it does."""
        if self._old_size > self.size:
            os.ftruncate(self.descriptor, self.size)
        if self.reserved > self.size:
            self._scratch.give_back(self.reserved - self.size)
            self.reserved = self.size


def _create(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _write_all(descriptor: int, data: bytes | memoryview, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, position)
        view, position = view[written:], position + written
