"""A solver's log: whole lines without secrets, appended, rotated at 10 MB with five old ones kept; beside it, when they were written."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cvflow_tui.backend.runtime.log_files import times_path
from cvflow_tui.backend.runtime.redaction import Redactor

ROTATE_BYTES = 10_000_000
KEPT = 5
_LINE_LIMIT = 64 * 1024


class LogFile:
    """Where a runner's own lines and its workers' output go: a file that this process alone writes, or (None) our stderr.

    Our own stdout and stderr are moved onto the file with it, so that a last traceback lands there too.
    """

    def __init__(self, path: Path | None, rotate_bytes: int = ROTATE_BYTES, redactor: Redactor | None = None) -> None:
        self.redactor = redactor or Redactor()
        self._path = path
        self._times = -1
        self._second = 0
        self._rotate_bytes = rotate_bytes
        self._size = 0
        self._descriptor = 2
        self._lost, self._why, self._torn = 0, "", False
        if path is not None:
            self._open()

    def write(self, data: bytes) -> None:
        """Append whole lines. Never raises: where there is no room a solver serves on without a log, which says later what it lacks."""
        data = self.redactor.data(data)
        view = memoryview(self._gap() + data)
        try:
            if self._path is not None and self._size + len(view) > self._rotate_bytes and self._size:
                self._rotate()
            self._stamp()
            while view:
                written = os.write(self._descriptor, view)
                self._size += written
                self._torn = view[written - 1] != ord("\n")
                view = view[written:]
        except OSError as error:
            told = len(view) <= len(data)
            self._lost = (0 if told else self._lost) + min(len(view), len(data))
            self._why = error.strerror or str(error)
        else:
            self._lost = 0

    def _stamp(self) -> None:
        """Note beside the log which second its next byte was written in."""
        if self._times >= 0 and (second := int(time.time())) != self._second:
            os.write(self._times, b"%d %d\n" % (self._size, second))
            self._second = second

    def _gap(self) -> bytes:
        """What to say of bytes that could not be written; nothing where none were lost."""
        if not self._lost:
            return b""
        return f"{chr(10) * self._torn}cvflow: {self._lost} bytes of the log could not be written: {self._why}\n".encode()

    def _open(self) -> None:
        assert self._path is not None
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(self._descriptor, 1)
        os.dup2(self._descriptor, 2)
        if self._times >= 0:
            os.close(self._times)
        self._second = 0
        self._times = os.open(times_path(self._path), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _rotate(self) -> None:
        assert self._path is not None
        for number in range(KEPT - 1, 0, -1):
            self._rename(f"{self._path.name}.{number}", f"{self._path.name}.{number + 1}")
        self._rename(self._path.name, f"{self._path.name}.1")
        old = self._descriptor
        self._open()  # if there is no room for a new file, the old one goes on
        os.close(old)

    def _rename(self, name: str, new: str) -> None:
        """A log with its times."""
        assert self._path is not None
        old, to = self._path.with_name(name), self._path.with_name(new)
        for source, target in ((old, to), (times_path(old), times_path(to))):
            if source.exists():
                source.replace(target)


class LogHandler(logging.Handler):
    """The runner's own lines, in the same file, marked with the time."""

    def __init__(self, file: LogFile) -> None:
        super().__init__()
        self._file = file
        self.setFormatter(logging.Formatter("%(asctime)s cvflow%(mark)s: %(message)s", "%Y-%m-%d %H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; those that are more than news say so."""
        record.mark = "" if record.levelno <= logging.INFO else f" {record.levelname}"
        self._file.write((self.format(record) + "\n").encode("utf-8", "backslashreplace"))


class Pump(asyncio.Protocol):
    """Carries a worker's output to the log, line by line, so that a line is never cut by a rotation or by another's."""

    def __init__(self, file: LogFile, heard: Callable[[], None] | None = None) -> None:
        self._file = file
        self._heard = heard
        self._rest = b""

    @classmethod
    async def attach(cls, descriptor: int, file: LogFile, heard: Callable[[], None] | None = None) -> None:
        """Read the descriptor until its other end is closed, and close it. `heard` is told whenever something comes."""
        pump = cls(file, heard)
        await asyncio.get_running_loop().connect_read_pipe(lambda: pump, os.fdopen(descriptor, "rb", buffering=0))

    def data_received(self, data: bytes) -> None:
        """Pass on the lines that are whole; a line that grows too long is passed on in pieces."""
        if self._heard is not None:
            self._heard()
        whole, newline, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest
        if newline:
            self._file.write(whole + b"\n")
        if len(self._rest) > _LINE_LIMIT:
            self._flush(self._file.redactor.longest)

    def connection_lost(self, error: Exception | None) -> None:
        """The last, unfinished line."""
        if self._rest:
            self._flush()

    def _flush(self, held_back: int = 0) -> None:
        """Write what there is; all but its end where that may be the beginning of a secret."""
        data = self._file.redactor.data(self._rest)
        whole = len(data) - held_back
        self._file.write(data[:whole] + b"\n")
        self._rest = data[whole:]
