"""Progress of bytes, told often enough for an eye and seldom enough for everybody else."""

from __future__ import annotations

import time

from cvflow_tui.backend.jobs import Progress

INTERVAL = 0.1
"""Seconds between two reports."""


class Meter:
    """Reports the current step's amount. Whether the job was called off is looked at every time."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last = time.monotonic()

    def at(self, done: int, *, end: bool = False) -> None:
        """Say how far the step is. Raises Cancelled when the job was called off."""
        now = time.monotonic()
        if end or now - self._last >= INTERVAL:
            self._last = now
            self._progress.advance(done)
        else:
            self._progress.check()
