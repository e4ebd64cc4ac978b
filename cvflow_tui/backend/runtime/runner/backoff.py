"""How long to wait before a worker is started again."""

from __future__ import annotations

FIRST = 1.0
LONGEST = 60.0
CALM = 60.0
"""Seconds: a worker that lived this long wipes the slate; so does one that has answered."""


class Backoff:
    """1, 2, 4, … up to 60 seconds; from the beginning again after a worker that lived a minute, or has answered."""

    def __init__(self) -> None:
        self.tries = 0

    def next(self) -> float:
        """The next pause, in seconds."""
        pause = min(LONGEST, FIRST * float(1 << min(self.tries, 16)))
        self.tries += 1
        return pause

    def lived(self, seconds: float, answered: bool = False) -> None:
        """A worker ended after it had been ready for `seconds`, and had `answered` somebody: one request was what it could not bear."""
        if seconds >= CALM or answered:
            self.tries = 0
