"""The last ten minutes of a runner, second by second, for whoever draws them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cvflow_tui.backend.runtime.runner.stats import Stats

SECONDS = 600


@dataclass(frozen=True, slots=True)
class Point:
    """One second. Times in milliseconds, memory in bytes."""

    ended: float
    """On the clock that nobody sets."""
    requests: int
    errors: int
    p50: float | None
    p95: float | None
    cpu: float
    rss: int
    waiting: int


class History:
    """A ring of points. `usage` tells CPU and memory, `waiting` how many requests wait or are worked on."""

    def __init__(self, stats: Stats, usage: Callable[[], tuple[float, int]], waiting: Callable[[], int]) -> None:
        self._stats = stats
        self._usage = usage
        self._waiting = waiting
        self._points: deque[Point] = deque(maxlen=SECONDS)
        self._requests, self._errors, self._timed = stats.requests, stats.errors, stats.timed

    async def run(self) -> None:
        """Take a point each second, until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            self.take()

    def take(self) -> None:
        """What happened since the last point."""
        stats = self._stats
        requests, errors = stats.requests - self._requests, stats.errors - self._errors
        ordered = sorted(stats.latest(stats.timed - self._timed))
        self._requests, self._errors, self._timed = stats.requests, stats.errors, stats.timed
        cpu, rss = self._usage()
        self._points.append(
            Point(time.monotonic(), requests, errors, _share(ordered, 0.5), _share(ordered, 0.95), cpu, rss, self._waiting())
        )

    def told(self) -> dict[str, Any]:
        """`GET /_cvflow/history`: columns, oldest first, and how long ago each second ended."""
        now, names = time.monotonic(), ("requests", "errors", "p50", "p95", "cpu", "rss", "waiting")
        columns: dict[str, Any] = {name: [getattr(point, name) for point in self._points] for name in names}
        return {"age": [round(now - point.ended, 2) for point in self._points], **columns}


def _share(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 3)
