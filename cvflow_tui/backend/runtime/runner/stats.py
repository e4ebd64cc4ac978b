"""What a runner counts: requests, errors, the last ten seconds' rate, the last thousand durations; and what its processes use."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

WINDOW = 10
"""Seconds over which the rate is taken."""

SAMPLES = 1000
"""Durations that the percentiles are taken of."""

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the histogram's buckets, in seconds."""


BATCHES = (1, 2, 4, 8, 16, 32, 64)
"""Upper ends of the histogram of batch sizes, in pictures."""


class Calls:
    """Counts of the calls to a worker."""

    def __init__(self) -> None:
        self.pictures = 0
        self.calls = 0
        self.sizes = [0] * len(BATCHES)
        self._seconds: deque[float] = deque(maxlen=SAMPLES)

    def count(self, pictures: int, seconds: float) -> None:
        """One call is over."""
        self.calls += 1
        self.pictures += pictures
        if (bucket := bisect_left(BATCHES, pictures)) < len(BATCHES):
            self.sizes[bucket] += 1
        self._seconds.append(seconds / pictures)

    @property
    def seconds(self) -> float | None:
        """The median time that a picture took in a worker; None before the first call."""
        return sorted(self._seconds)[len(self._seconds) // 2] if self._seconds else None


class Stats:
    """Counts of the infer requests."""

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self.timed = 0
        self.seconds = 0.0
        self.buckets = [0] * len(BUCKETS)
        self.answers: Counter[tuple[str, str, int]] = Counter()
        """Requests by protocol, variant and status."""
        self._durations: deque[float] = deque(maxlen=SAMPLES)
        self._per_second: deque[tuple[int, int]] = deque(maxlen=WINDOW + 2)

    def count(self, seconds: float | None, status: int, protocol: str, variant: str | None = None) -> None:
        """One request is over; `seconds` for those that asked for one answer. Of those that were refused the time tells nothing."""
        self.requests += 1
        self.errors += status >= 500
        # A variant that was not there is not remembered: anyone could make up names without end.
        self.answers[protocol, (variant or "") if status != 404 else "", status] += 1
        if seconds is not None and not _is_refused(status):
            self.timed += 1
            self.seconds += seconds
            self._durations.append(seconds)
            if (bucket := bisect_left(BUCKETS, seconds)) < len(BUCKETS):
                self.buckets[bucket] += 1
        now = int(time.monotonic())
        if self._per_second and self._per_second[-1][0] == now:
            self._per_second[-1] = (now, self._per_second[-1][1] + 1)
        else:
            self._per_second.append((now, 1))

    @property
    def rate(self) -> float:
        """Requests a second over the last ten seconds."""
        now = time.monotonic()
        return sum(count for second, count in self._per_second if second > now - WINDOW) / WINDOW

    def latest(self, count: int) -> list[float]:
        """The durations of the last requests (of a thousand at most), in seconds."""
        return [self._durations[-number] for number in range(1, min(count, len(self._durations)) + 1)]

    def percentile(self, share: float) -> float | None:
        """A percentile of the last durations, in milliseconds; None before the first request."""
        if not self._durations:
            return None
        ordered = sorted(self._durations)
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 3)


def _is_refused(status: int) -> bool:
    """Whether no solver was asked: a crowd that is turned away at once would make the others look fast."""
    return 400 <= status < 500 or status == 503


class Usage:
    """Memory and CPU of this process and its workers."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._known: dict[int, psutil.Process] = {}
        self._spent: dict[int, float] = {}
        self._percent = 0.0

    def sample(self, workers: Iterable[int]) -> tuple[float, int]:
        """Per cent of one core since the last sample (at least 0.2 s ago), and resident bytes."""
        import psutil

        memory, spent, known = 0, {}, self._known
        self._known = {}
        for pid in (os.getpid(), *workers):
            try:
                process = known.get(pid) or psutil.Process(pid)
                self._known[pid] = process
                times = process.cpu_times()
                memory += process.memory_info().rss
                spent[pid] = times.user + times.system
            except psutil.Error:
                continue  # a worker that just ended uses nothing
        now = time.monotonic()
        if (passed := now - self._last) >= 0.2:
            used = sum(seconds - self._spent.get(pid, seconds if self._spent else 0.0) for pid, seconds in spent.items())
            self._percent = round(100 * used / passed, 1)
            self._last, self._spent = now, spent
        return self._percent, memory


def memory_numbers() -> list[int]:
    """The original's `memory`: rss, vms, shared, text, lib, data, dirty of this process, in bytes."""
    import psutil

    return [int(value) for value in psutil.Process().memory_info()][:7]
