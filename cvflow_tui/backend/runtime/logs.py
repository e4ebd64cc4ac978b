"""Reading a solver's log in pieces, made safe for a terminal."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

from cvflow_tui.model.solvers import LogChunk
from cvflow_tui.model.text import clean

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
LIMIT = 1 << 20
"""The longest piece, in bytes."""


def log_path(folder: Path, name: str) -> Path:
    """The log file of `vendor/package/solver`."""
    return folder / f"{name.replace('/', '.')}.log"


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


def read_log(path: Path, offset: int | None, limit: int, wait: float, let_go: threading.Event | None = None) -> LogChunk:
    """At most `limit` bytes from `offset` on (None: the last ones), once there are any, `wait` seconds have passed, or `let_go` is set.

    Pieces end at line ends, so that neither a character nor an escape sequence is cut in two. After a rotation (the file is
    shorter than `offset`) reading begins anew.
    """
    limit = max(1, min(limit, LIMIT))
    deadline = time.monotonic() + wait
    let_go = let_go or threading.Event()
    while True:
        chunk = _read(path, offset, limit)
        left = deadline - time.monotonic()
        if chunk.text or offset is None or left <= 0 or let_go.is_set():
            return chunk
        let_go.wait(min(_POLL_SECONDS, left))


def _read(path: Path, offset: int | None, limit: int) -> LogChunk:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return LogChunk("", 0, 0, 0)
    try:
        size = os.fstat(descriptor).st_size
        start = max(0, size - limit) if offset is None else max(0, offset)
        if start > size:
            start = 0
        data = os.pread(descriptor, limit, start)
        if offset is None and start > 0 and os.pread(descriptor, 1, start - 1) != b"\n":
            skipped = data.find(b"\n") + 1  # 0 where one line fills it all: then its end is shown
            start, data = start + skipped, data[skipped:]
    finally:
        os.close(descriptor)
    whole = data.rfind(b"\n") + 1
    if whole == 0 and len(data) == limit:
        whole = len(data)  # one line longer than the whole piece
    return LogChunk(safe(data[:whole]), start, start + whole, size)


def safe(data: bytes) -> str:
    """The text as a terminal may see it. Of a line that was written over (progress bars) the last version stays."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    return clean("\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")))
