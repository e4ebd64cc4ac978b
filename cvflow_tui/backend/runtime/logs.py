"""Reading a solver's log in pieces, made safe for a terminal."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cvflow_tui.backend.runtime import log_files
from cvflow_tui.home import Home
from cvflow_tui.model.solvers import LogChunk
from cvflow_tui.model.text import clean

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
LIMIT = 1 << 20
"""The longest piece, in bytes."""


def log_path(home: Home, name: str) -> Path:
    """The log file of `vendor/package/solver`. One that an older version wrote, under a name with dots, is moved to it."""
    path = home.solver_log(name)
    if not path.exists() and "." not in name and not name.endswith("/install"):
        # Other names cannot be told apart in the old ones: `a.b/c/d` wrote where `a/b.c/d` did, `a/b/install` where its installation did.
        _take_over(home.logs / f"{name.replace('/', '.')}.log", path)
    return path


def _take_over(old: Path, new: Path) -> None:
    """Rename a log with its older files and the times beside them; the log itself last, so that what is cut off goes on the next time."""
    if not old.exists():
        return
    of_it = re.compile(re.escape(old.name) + r"(?:\.\d+)?(?:\.times)?")
    for path in sorted(old.parent.iterdir(), key=lambda path: -len(path.name)):
        if of_it.fullmatch(path.name):
            with suppress(FileNotFoundError):  # somebody else who reads it was faster
                path.rename(new.with_name(new.name + path.name.removeprefix(old.name)))


def note(path: Path, what: str) -> None:
    """Add a line of our own to a log that no runner writes now. One that can't be written is told in ours."""
    line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} cvflow WARNING: {what}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
        finally:
            os.close(descriptor)
    except OSError as error:
        log.warning("%s could not be written: %s", path.name, error.strerror or error)


def read_log(
    path: Path,
    offset: int | None,
    limit: int,
    wait: float,
    let_go: threading.Event | None = None,
    *,
    file: str = "",
    until: int | None = None,
) -> LogChunk:
    """At most `limit` bytes from `offset` on, once there are any, `wait` seconds have passed, or `let_go` is set. Without an offset,
    those before byte `until` (None: the last ones).

    `file` is the name of one of the log's files (empty: the newest); to the end of an older one nothing comes any more.
    Pieces begin and end at line ends, so that neither a character nor an escape sequence is cut in two. After a rotation (the file
    is shorter than `offset`) reading begins anew. Raises NotFoundError where the file of that name is gone.
    """
    limit = max(1, min(limit, LIMIT))
    deadline = time.monotonic() + wait
    let_go = let_go or threading.Event()
    while True:
        chunk = _read_file(path, file, offset, until, limit)
        left = deadline - time.monotonic()
        if chunk.text or offset is None or chunk.after or left <= 0 or let_go.is_set():
            return chunk
        let_go.wait(min(_POLL_SECONDS, left))


def _read_file(log: Path, file: str, offset: int | None, until: int | None, limit: int) -> LogChunk:
    while True:
        path, before, after = log_files.find(log, file)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return LogChunk("", 0, 0, 0)
        try:
            name = log_files.name_of(path)
            if name.partition("-")[0] != str(os.fstat(descriptor).st_ino):
                continue  # it was turned over just now: another file has that number
            chunk = _read(descriptor, limit, until) if offset is None else _read_on(descriptor, limit, offset)
            return replace(chunk, file=name, before=before, after=after)
        finally:
            os.close(descriptor)


def _read(descriptor: int, limit: int, until: int | None) -> LogChunk:
    """The last whole lines before byte `until`."""
    size = os.fstat(descriptor).st_size
    end = size if until is None else min(until, size)
    start = max(0, end - limit)
    data = os.pread(descriptor, end - start, start)
    if start > 0 and os.pread(descriptor, 1, start - 1) != b"\n":
        skipped = data.find(b"\n", 0, -1) + 1  # 0 where one line fills it all: then its end is shown
        start, data = start + skipped, data[skipped:]
    return _whole(data, start, size, limit)


def _read_on(descriptor: int, limit: int, offset: int) -> LogChunk:
    """Whole lines from byte `offset` on."""
    size = os.fstat(descriptor).st_size
    start = offset if 0 <= offset <= size else 0
    return _whole(os.pread(descriptor, limit, start), start, size, limit)


def _whole(data: bytes, start: int, size: int, limit: int) -> LogChunk:
    whole = data.rfind(b"\n") + 1
    if whole == 0 and len(data) == limit:
        whole = len(data)  # one line longer than the whole piece
    return LogChunk(safe(data[:whole]), start, start + whole, size)


def safe(data: bytes) -> str:
    """The text as a terminal may see it. Of a line that was written over (progress bars) the last version stays."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    return clean("\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")))
