"""What is received is hashed, and brought to the disk, on threads of their own: the connection waits for neither."""

from __future__ import annotations

import hashlib
import os
import threading
from queue import SimpleQueue
from types import TracebackType

from cvflow_tui.backend.packages.downloads.bodies import RECEIVED

BUFFERS = 8
"""Buffers of RECEIVED bytes: how far the hash may lag behind."""

SYNCED = 32 << 20
"""Bytes after which what was written is brought to the disk: at the end little is left to wait for."""


class Hashing:
    """Hashes in the order in which it is fed, and lends the memory to receive into. Used by one thread."""

    def __init__(self, digest: hashlib._Hash) -> None:
        self._digest = digest
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._full: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
        self._made = 0
        self._thread = threading.Thread(target=self._hash, name="download-hash", daemon=True)

    def __enter__(self) -> Hashing:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def lend(self) -> memoryview:
        """Memory to receive into; waits for the hash where all of it is full. It comes back with `add`."""
        if self._made < BUFFERS and self._free.empty():
            self._made += 1
            return memoryview(bytearray(RECEIVED))
        return self._free.get()

    def add(self, buffer: memoryview, count: int) -> None:
        """Hash the first `count` bytes of a buffer."""
        self._full.put((buffer, count))

    def hexdigest(self) -> str:
        """The digest of all that was added. Nothing can be added after that."""
        self._end()
        return self._digest.hexdigest()

    def _end(self) -> None:
        if self._thread.is_alive():
            self._full.put(None)
            self._thread.join()

    def _hash(self) -> None:
        while (found := self._full.get()) is not None:
            buffer, count = found
            self._digest.update(buffer[:count])
            self._free.put(buffer)


class Syncing:
    """Brings a file to the disk while it is written."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._asked = 0
        self._due = threading.Event()
        self._ended = False
        self._failed: OSError | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Syncing:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def at(self, written: int) -> None:
        """Say how much was written by now."""
        if written - self._asked < SYNCED:
            return
        self._asked = written
        if self._thread is None:
            self._thread = threading.Thread(target=self._sync, name="download-sync", daemon=True)
            self._thread.start()
        self._due.set()

    def finish(self) -> None:
        """Bring the rest to the disk. Raises OSError for anything that did not reach it, whenever that was."""
        self._end()
        os.fsync(self._descriptor)
        # The system tells each failure once: one that was told while it was written is as good as one that is told now.
        if self._failed is not None:
            raise self._failed

    def _end(self) -> None:
        self._ended = True
        self._due.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _sync(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._ended:
                return
            try:
                os.fdatasync(self._descriptor)
            except OSError as error:
                self._failed = self._failed or error
