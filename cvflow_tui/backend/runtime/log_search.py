"""Finding lines in a solver's log and its older files."""

from __future__ import annotations

import os
import re
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from cvflow_tui.backend.runtime.log_files import name_of, newest_first, times_path
from cvflow_tui.backend.runtime.logs import safe
from cvflow_tui.model.solvers import LogLine, LogSearch

SECONDS = 5.0
"""How long a search may take."""
MOST_BYTES = 100_000_000
"""How much is looked through."""
LEVELS = ("debug", "info", "warning", "error")

_ERROR = re.compile(rb"\b(?:ERROR|CRITICAL|FATAL)\b|^Traceback \(|^[\w.]*(?:Error|Exception)\b|^\W{0,9}(?i:error|fatal)\b")
_WARNING = re.compile(rb"\bWARN(?:ING)?\b|\b\w{0,40}Warning:|^\W{0,9}(?i:warn(?:ing)?)\b")
_DEBUG = re.compile(rb"\b(?:DEBUG|TRACE)\b|^\W{0,9}(?i:debug)\b")
_DEEPEST = 200
"""Lines of a traceback above one that is set in."""
_HEAD = 300
"""Bytes of a line that tell its level."""


def search(log: Path, text: str, level: str, since: float | None, limit: int) -> LogSearch:
    """The last `limit` lines, oldest first, that hold `text`, are of `level` or above, and were written at or after `since`.

    Capitals count where `text` has some. It is text and no pattern: a pattern can be made to take for ever.
    """
    deadline, searched, complete = time.monotonic() + SECONDS, 0, True
    found: deque[LogLine] = deque()
    wanted = _Wanted(text, level, since, deadline)
    for path in newest_first(log):
        if (since is not None and _last_change(path) < since) or len(found) >= limit:
            break
        if time.monotonic() > deadline or searched > MOST_BYTES:
            complete = False
            break
        name, data = name_of(path), _read(path)
        found.extendleft(islice(wanted.among(data, _Times.of(path), name), limit - len(found)))
        searched += len(data)
    complete = complete and time.monotonic() <= deadline
    return LogSearch(tuple(found), searched, complete)


class _Wanted:
    """What is looked for. Words are found in a whole file at once; only the lines that they stand in are looked at one by one."""

    def __init__(self, text: str, level: str, since: float | None, deadline: float) -> None:
        self._exact = text != text.lower()
        self._text = text.encode("utf-8", "surrogatepass")
        self._least = LEVELS.index(level)
        self._since = since
        self._deadline = deadline

    def among(self, data: bytes, times: _Times, file: str) -> Iterator[LogLine]:
        """The lines of a file of this name, newest first, until time is up."""
        for start in self._candidates(data):
            if time.monotonic() > self._deadline:
                return
            end = data.find(b"\n", start)
            line = data[start : end if end >= 0 else len(data)]
            level = _level(data, start, line)
            at = times.at(start)
            if line and level >= self._least and (self._since is None or (at is not None and at >= self._since)):
                yield LogLine(safe(line), LEVELS[level], at, file, start)

    def _candidates(self, data: bytes) -> Iterator[int]:
        """Where lines begin that may be meant, from the last to the first."""
        if self._text:
            folded = data if self._exact else data.lower()
            return iter(sorted(_lines_with(folded, self._text), reverse=True))
        if self._least >= LEVELS.index("warning"):
            folded = data.lower()
            found = {start for word in _TELLING for start in _lines_with(folded, word)}
            return iter(sorted(found | {below for start in found for below in islice(_set_in(data, start), _DEEPEST)}, reverse=True))
        return _all_lines(data)


_TELLING = (b"error", b"exception", b"critical", b"fatal", b"traceback", b"warn")
"""A line of level `warning` or above holds one of these, or is set in below one that does."""


def _lines_with(data: bytes, word: bytes) -> Iterator[int]:
    place = data.find(word)
    while place >= 0:
        yield data.rfind(b"\n", 0, place) + 1
        end = data.find(b"\n", place)
        place = data.find(word, end) if end >= 0 else -1


def _set_in(data: bytes, start: int) -> Iterator[int]:
    """Lines right below that begin with white space."""
    while (end := data.find(b"\n", start)) >= 0 and data[end + 1 : end + 2] in (b" ", b"\t"):
        start = end + 1
        yield start


def _all_lines(data: bytes) -> Iterator[int]:
    end = len(data)
    while end > 0:
        start = data.rfind(b"\n", 0, end - 1) + 1
        yield start
        end = start


class _Times:
    """Which second the lines of a file were written in."""

    def __init__(self, offsets: list[int], seconds: list[float]) -> None:
        self._offsets = offsets
        self._seconds = seconds

    @classmethod
    def of(cls, log: Path) -> _Times:
        offsets, seconds = [], []
        for line in _read(times_path(log)).split(b"\n"):
            offset, _, second = line.partition(b" ")
            if offset.isdigit() and second.isdigit():
                offsets.append(int(offset))
                seconds.append(float(second))
        return cls(offsets, seconds)

    def at(self, offset: int) -> float | None:
        place = bisect_right(self._offsets, offset)
        return self._seconds[place - 1] if place else None


def _level(data: bytes, start: int, line: bytes) -> int:
    """What a line says of itself. One that is set in belongs to the line above it that is not (a traceback)."""
    for _ in range(_DEEPEST):
        head = line[:_HEAD]
        if _ERROR.search(head):
            return 3
        if _WARNING.search(head):
            return 2
        if _DEBUG.search(head):
            return 0
        if head[:1] not in (b" ", b"\t") or start == 0:
            return 1
        end, start = start - 1, data.rfind(b"\n", 0, start - 1) + 1
        line = data[start:end]
    return 1


def _last_change(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MOST_BYTES)
