"""A large file over several connections: pieces in their order, hashed as far as they join, journalled as they come."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import httpx

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.disk import require_space, writing
from cvflow_tui.backend.packages.downloads.bodies import RECEIVED, ReadInto, body_of
from cvflow_tui.backend.packages.downloads.calling_off import Shutter
from cvflow_tui.backend.packages.downloads.hashing import Syncing
from cvflow_tui.backend.packages.downloads.journal import Journal
from cvflow_tui.backend.packages.downloads.received import Received, write_all
from cvflow_tui.backend.packages.downloads.replies import differs, is_encoded, range_of, refuse
from cvflow_tui.backend.packages.downloads.wanted import ChangedError, CutError, Wanted
from cvflow_tui.backend.packages.meter import Meter

CONNECTIONS = 4
PIECE = 16 << 20
"""Bytes of a piece at least."""
PIECES = 256
"""Pieces at most, about: the journal stays small."""
RETRIES = 4
"""Connections in a row that may bring nothing new before a piece gives up."""

_JOURNAL_SECONDS = 1.0


class Pieces:
    """Fetches a file whose size is known, piece by piece. What the journal says is there is not fetched again."""

    def __init__(self, client: httpx.Client, wanted: Wanted, url: str, part: Path, journal: Journal, progress: Progress) -> None:
        assert journal.size is not None
        self._client = client
        self._wanted = wanted
        self._url = url
        self._part = part
        self._journal = journal
        self._size = journal.size
        self._progress = progress
        self._guard = threading.Lock()
        self._pieces = dict(journal.pieces) if journal.pieces else begun(self._size, 0)
        self._starts = sorted(self._pieces)
        self._open = [start for start in self._starts if self._pieces[start] < self._length(start)]
        self._failed: Exception | None = None
        self._ended = threading.Event()

    def run(self) -> Received:
        """Receive what is missing. Raises ChangedError, CutError, httpx's errors or RemoteError once a piece cannot be had."""
        require_space(self._part.parent, self._size - sum(self._pieces.values()), self._wanted.what)
        self._progress.step(f"downloading {self._wanted.what}", total=self._size, unit="bytes", done=sum(self._pieces.values()))
        with writing(self._part.parent, self._size, self._wanted.what):
            descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.truncate(descriptor, self._size)
                self._save()
                with Syncing(descriptor) as syncing:
                    sha256 = self._receive(descriptor, syncing)
                    syncing.finish()
            finally:
                os.close(descriptor)
        return Received(self._part, sha256, self._size)

    def _receive(self, descriptor: int, syncing: Syncing) -> str:
        with Shutter(lambda: self._progress.cancelled.is_set() or self._ended.is_set()) as shutter:
            threads = [
                threading.Thread(target=self._work, args=(descriptor, shutter), name=f"download-{number}", daemon=True)
                for number in range(min(CONNECTIONS, max(1, len(self._open))))
            ]
            # Of its own: what makes a small file safe may have to wait for all that lies before it on its way to the disk.
            threads.append(threading.Thread(target=self._keep, name="download-journal", daemon=True))
            for thread in threads:
                thread.start()
            try:
                return self._follow(descriptor, syncing)
            finally:
                self._ended.set()
                for thread in threads:
                    thread.join()
                self._save()

    def _follow(self, descriptor: int, syncing: Syncing) -> str:
        """Hash behind the pieces, and report, until all is there."""
        digest, hashed, meter, buffer = hashlib.sha256(), 0, Meter(self._progress), memoryview(bytearray(RECEIVED))
        while hashed < self._size:
            with self._guard:
                if self._failed is not None:
                    raise self._failed
                done, joined = sum(self._pieces.values()), self._joined()
            meter.at(done)
            syncing.at(done)
            if joined == hashed:
                self._ended.wait(0.01)
                continue
            count = os.preadv(descriptor, [buffer[: joined - hashed]], hashed)
            if not count:
                raise ChangedError("the part file became shorter")
            digest.update(buffer[:count])
            hashed += count
        meter.at(self._size, end=True)
        return digest.hexdigest()

    def _keep(self) -> None:
        """Journal what has come."""
        try:
            while not self._ended.wait(_JOURNAL_SECONDS):
                self._save()
        except Exception as error:
            self._fail(error)

    def _joined(self) -> int:
        """Bytes from the beginning without a hole."""
        for start in self._starts:
            if self._pieces[start] < self._length(start):
                return start + self._pieces[start]
        return self._size

    def _work(self, descriptor: int, shutter: Shutter) -> None:
        try:
            while (start := self._next()) is not None:
                self._fetch(descriptor, start, shutter)
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Hand an error to the thread that waits, which raises it."""
        with self._guard:
            self._failed = self._failed or error

    def _next(self) -> int | None:
        with self._guard:
            over = self._failed is not None or self._ended.is_set() or self._progress.cancelled.is_set()
            return None if over or not self._open else self._open.pop(0)

    def _fetch(self, descriptor: int, start: int, shutter: Shutter) -> None:
        """One piece, with as many connections as it takes."""
        failures = 0
        while (before := self._pieces[start]) < self._length(start):
            try:
                self._connect(descriptor, start, shutter)
            except (httpx.TransportError, httpx.StreamError, CutError):
                failures = 0 if self._pieces[start] > before else failures + 1
                over = self._ended.is_set() or self._progress.cancelled.is_set()
                if failures > RETRIES or over:
                    raise
                self._ended.wait(min(8.0, 0.1 * 2**failures))

    def _connect(self, descriptor: int, start: int, shutter: Shutter) -> None:
        first, last = start + self._pieces[start], start + self._length(start) - 1
        headers = {"Range": f"bytes={first}-{last}"}
        if self._journal.validator:
            headers["If-Range"] = self._journal.validator
        with self._client.stream("GET", self._url, headers=headers) as reply, shutter.watching(reply):
            if reply.status_code == 416:
                raise ChangedError("the file on the server became shorter")
            refuse(reply, self._wanted, self._url)
            if reply.status_code != 206 or is_encoded(reply) or differs(reply, self._journal.validator):
                raise ChangedError("the server does not send the piece that was asked for")
            if (told := range_of(reply)) is None or told[0] != first or told[1] > last or told[2] not in (None, self._size):
                raise ChangedError("the server sent another range")
            self._store(descriptor, start, body_of(reply))
            if start + self._pieces[start] <= told[1]:
                raise CutError(f"{self._pieces[start]:,} of {self._length(start):,} bytes of a piece came")

    def _store(self, descriptor: int, start: int, read: ReadInto) -> None:
        at, length, buffer = self._pieces[start], self._length(start), memoryview(bytearray(RECEIVED))
        # A server that sends more than it was asked for writes into no other piece.
        while at < length and (count := read(buffer[: length - at])):
            write_all(descriptor, buffer[:count], start + at)
            at += count
            with self._guard:
                self._pieces[start] = at
            if self._ended.is_set() or self._progress.cancelled.is_set():
                raise CutError("called off")

    def _length(self, start: int) -> int:
        at = self._starts.index(start) if len(self._starts) < 2 else start // self._starts[1]
        end = self._starts[at + 1] if at + 1 < len(self._starts) else self._size
        return end - start

    def _save(self) -> None:
        with self._guard:
            self._journal.pieces = dict(self._pieces)
        self._journal.save(self._part)


def piece_size(size: int) -> int:
    """How large the pieces of a file are, in whole megabytes."""
    return max(PIECE, -(-size // PIECES // (1 << 20)) * (1 << 20))


def begun(size: int, done: int) -> dict[int, int]:
    """The pieces of a file of which the first `done` bytes are there."""
    step = piece_size(size)
    return {start: max(0, min(done - start, step, size - start)) for start in range(0, size, step)}


def fits(journal: Journal | None) -> bool:
    """Whether a journal's pieces divide its file evenly, as ours do: what lies on a disk for days is looked at before it is believed."""
    if journal is None or not journal.pieces or not journal.size:
        return False
    starts = sorted(journal.pieces)
    step = starts[1] if len(starts) > 1 else journal.size
    if step <= 0 or starts != list(range(0, journal.size, step)):
        return False
    return all(0 <= done <= min(step, journal.size - start) for start, done in journal.pieces.items())
