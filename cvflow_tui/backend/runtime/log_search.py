"""Finding lines in a solver's log and its older files."""

from __future__ import annotations

import os
import re
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from pathlib import Path

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
_HEAD = 300
"""Bytes of a line that tell its level."""


def times_path(log: Path) -> Path:
    """Beside a log: at which byte which second began, a line each."""
    return log.with_name(f"{log.name}.times")


def search(log: Path, text: str, level: str, since: float | None, limit: int) -> LogSearch:
    """The last `limit` lines, oldest first, that hold `text`, are of `level` or above, and were written at or after `since`.

    Capitals count where `text` has some. It is text and no pattern: a pattern can be made to take for ever.
    """
    deadline, searched, complete = time.monotonic() + SECONDS, 0, True
    found: deque[LogLine] = deque()
    wanted = _Wanted(text, level, since)
    for path in _newest_first(log):
        if (since is not None and _last_change(path) < since) or len(found) >= limit:
            break
        if time.monotonic() > deadline or searched > MOST_BYTES:
            complete = False
            break
        data = _read(path)
        lines: deque[LogLine] = deque(wanted.among(data, _Times.of(path)), maxlen=limit - len(found))
        found.extendleft(reversed(lines))
        searched += len(data)
    return LogSearch(tuple(found), searched, complete)


class _Wanted:
    def __init__(self, text: str, level: str, since: float | None) -> None:
        self._exact = text != text.lower()
        self._text = text.encode()
        self._least = LEVELS.index(level)
        self._since = since

    def among(self, data: bytes, times: _Times) -> Iterator[LogLine]:
        offset, level = 0, 1
        for line in data.split(b"\n"):
            level = _level(line, level)
            if line and level >= self._least and self._text in (line if self._exact else line.lower()):
                at = times.at(offset)
                if self._since is None or (at is not None and at >= self._since):
                    yield LogLine(safe(line), LEVELS[level], at)
            offset += len(line) + 1


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


def _level(line: bytes, before: int) -> int:
    """What a line says of itself. One that is set in belongs to the line before (a traceback)."""
    head = line[:_HEAD]
    if _ERROR.search(head):
        return 3
    if _WARNING.search(head):
        return 2
    if _DEBUG.search(head):
        return 0
    return before if head[:1] in (b" ", b"\t") else 1


def _newest_first(log: Path) -> Iterator[Path]:
    yield log
    number = 1
    while (older := log.with_name(f"{log.name}.{number}")).exists():
        yield older
        number += 1


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
