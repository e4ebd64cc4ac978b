"""One connection's worth of a download, appended to the part file and hashed while it is written."""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.disk import require_space, writing
from cvflow_tui.backend.packages.downloads.bodies import body_of
from cvflow_tui.backend.packages.downloads.calling_off import Shutter
from cvflow_tui.backend.packages.downloads.hashing import Hashing, Syncing
from cvflow_tui.backend.packages.downloads.journal import Journal, origin_of, read_journal
from cvflow_tui.backend.packages.downloads.pieces import begun
from cvflow_tui.backend.packages.downloads.received import Received, hash_start, size_of, write_all
from cvflow_tui.backend.packages.downloads.replies import differs, is_encoded, length_of, range_of, refuse, validator_of
from cvflow_tui.backend.packages.downloads.wanted import ChangedError, CutError, Wanted
from cvflow_tui.backend.packages.meter import Meter

PARALLEL_FROM = 64 << 20
"""Bytes from which on a file may come in parts, over several connections."""

LOOK_SECONDS = 0.5
"""How long one connection may show what it brings."""

FAST = 100 << 20
"""Bytes a second at which one connection is enough: several would only take the processor from one another."""


class LargeError(Exception):
    """The file is large, one connection does not bring it quickly, and its server can send parts of it."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal
        """With what one connection has brought."""


class Transfer:
    """Fetches the rest of a file."""

    def __init__(self, client: httpx.Client, wanted: Wanted, url: str, part: Path, progress: Progress, shutter: Shutter) -> None:
        self._client = client
        self._wanted = wanted
        self._url = url
        self._part = part
        self._progress = progress
        self._shutter = shutter

    def run(self, *, whole: bool = False) -> Received:
        """Receive to the end. Raises CutError or httpx's errors for a connection that broke, LargeError (unless `whole`) once parts pay."""
        held, headers = self._held()
        with self._client.stream("GET", self._url, headers=headers) as reply, self._shutter.watching(reply):
            if reply.status_code == 416 and held:
                raise ChangedError("the piece does not fit the file on the server")
            refuse(reply, self._wanted, self._url)
            start = self._start(reply, held)
            journal = Journal(origin_of(self._url), validator_of(reply), _total(reply, start))
            self._wanted.check_size(journal.size)
            if journal.size is not None:
                require_space(self._part.parent, journal.size - start, self._wanted.what)
            if not is_encoded(reply):
                journal.save(self._part)
            return self._store(reply, start, journal, look=not whole and self._may_pay(reply, journal))

    def _start(self, reply: httpx.Response, held: int) -> int:
        """Where what comes belongs. Raises ChangedError for a piece that is not the one that was asked for."""
        if reply.status_code != 206:
            return 0
        told = range_of(reply)
        journal = read_journal(self._part, digest_known=self._wanted.sha256 is not None)
        of_same = journal is not None and journal.origin == origin_of(self._url)
        if not held or told is None or told[0] != held or is_encoded(reply):
            raise ChangedError("the server sent another range")
        if of_same and journal is not None and differs(reply, journal.validator):
            raise ChangedError("the file on the server changed meanwhile")
        return held

    def _held(self) -> tuple[int, dict[str, str]]:
        """What is here already and may be gone on with, and how to ask for the rest."""
        size, known = size_of(self._part), self._wanted.sha256 is not None
        journal = read_journal(self._part, digest_known=known)
        validator = journal.validator if journal is not None and journal.origin == origin_of(self._url) else None
        if not size or not (known or validator):
            return 0, {}
        return size, {"Range": f"bytes={size}-"} | ({"If-Range": validator} if validator else {})

    def _may_pay(self, reply: httpx.Response, journal: Journal) -> bool:
        """Whether parts of the file can be had, and there are enough of them."""
        sure = journal.validator is not None or self._wanted.sha256 is not None
        ranges = reply.status_code == 206 or "bytes" in reply.headers.get("accept-ranges", "").lower()
        return sure and ranges and not is_encoded(reply) and (journal.size or 0) >= PARALLEL_FROM

    def _store(self, reply: httpx.Response, start: int, journal: Journal, *, look: bool) -> Received:
        """Append the body to the part file. With `look`, raises LargeError where this connection shows that it is a slow one."""
        total, read = journal.size, body_of(reply)
        digest, done = hash_start(self._part, start)
        meter, began = Meter(self._progress), time.monotonic()
        self._progress.step(f"downloading {self._wanted.what}", total=total, unit="bytes", done=done)
        with writing(self._part.parent, total, self._wanted.what), self._part.open("r+b" if start else "wb", buffering=0) as file:
            file.truncate(done)
            with Hashing(digest) as hashing, Syncing(file.fileno()) as syncing:
                while True:
                    if look and (seconds := time.monotonic() - began) >= LOOK_SECONDS:
                        look = False
                        if done - start < FAST * seconds and total is not None:
                            journal.pieces = begun(total, done)
                            raise LargeError(journal)
                    # As it comes: collected into larger pieces, the last of them would be lost with the connection.
                    if not (count := read(buffer := hashing.lend())):
                        break
                    write_all(file.fileno(), buffer[:count], done)
                    hashing.add(buffer, count)
                    done += count
                    self._wanted.check_size(done)
                    meter.at(done)
                    syncing.at(done)
                sha256 = hashing.hexdigest()
                syncing.finish()
        meter.at(done, end=True)
        if total is not None and done != total:
            raise CutError(f"{done:,} of {total:,} bytes came")
        return Received(self._part, sha256, done)


def _total(reply: httpx.Response, start: int) -> int | None:
    told = range_of(reply)
    if told is not None and told[2] is not None:
        return told[2]
    length = length_of(reply)
    return None if length is None else start + length
