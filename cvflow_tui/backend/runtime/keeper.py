"""Which runners are started again when they end unasked, when, and when no more. It decides and remembers; the supervisor acts."""

from __future__ import annotations

import os
import select
import threading
import time
from dataclasses import dataclass, field

from cvflow_tui.backend.runtime.records import Run
from cvflow_tui.backend.runtime.runner.backoff import CALM, Backoff

DEATHS = 5
"""So many ends in a row, each within a minute of the runner's start, make a solver that failed."""
_ENDS = {1: "st", 2: "nd", 3: "rd"}
LOOK_SECONDS = 1.0
"""How often a process is looked at where its end can't be waited for."""


@dataclass(slots=True)
class _Kept:
    """What is known of a solver's runners, since a person started it."""

    pid: int
    began: float
    served: bool = False
    """Whether its end is ours to mend: it was ready once, or we started it ourselves."""
    backoff: Backoff = field(default_factory=Backoff)
    deaths: int = 0
    restarts: int = 0
    again_at: float | None = None
    why: str = ""


class Keeper:
    """Remembers, for as long as the daemon lives, by the solver's name. Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def follow(self, name: str, pid: int, *, served: bool = False) -> None:
        """A runner has begun, or was found; whoever says so tells `died` of its end."""
        with self._guard:
            kept = self._kept.setdefault(name, _Kept(pid, 0.0))
            kept.pid, kept.began, kept.served, kept.again_at = pid, time.monotonic(), served, None

    def served(self, name: str, pid: int) -> None:
        """Its solver was ready."""
        with self._guard:
            if (kept := self._kept.get(name)) is not None and kept.pid == pid:
                kept.served = True

    def mends(self, name: str, pid: int | None) -> bool:
        """Whether a runner that has ended is started again, unless it did so too often. One that never served is not."""
        with self._guard:
            kept = self._kept.get(name)
            return kept is not None and kept.pid == pid and kept.served

    def died(self, name: str, how: str) -> float | None:
        """A runner that is kept has ended: seconds until it is started again; None where it ended too often. `why` says which."""
        with self._guard:
            kept = self._kept[name]
            lived = time.monotonic() - kept.began
            kept.backoff.lived(lived)
            kept.deaths = 1 if lived >= CALM else kept.deaths + 1
            if kept.deaths >= DEATHS:
                kept.why = f"its runner {how}, for the {DEATHS}{_ENDS.get(DEATHS, 'th')} time soon after its start: it is not started again"
                return None
            pause = kept.backoff.next()
            kept.restarts += 1
            kept.again_at = time.monotonic() + pause
            kept.why = f"its runner {how}"
            return pause

    def refused(self, name: str, why: str) -> float | None:
        """A runner that is kept could not be started again: seconds until the next try; None where that was one too many."""
        with self._guard:
            kept = self._kept[name]
            kept.deaths += 1
            kept.why = why
            if kept.deaths >= DEATHS:
                kept.again_at = None
                return None
            pause = kept.backoff.next()
            kept.again_at = time.monotonic() + pause
            return pause

    def why(self, name: str) -> str:
        """How its last runner ended, and what follows; nothing where none has ended."""
        with self._guard:
            kept = self._kept.get(name)
            if kept is None or kept.again_at is None:
                return "" if kept is None else kept.why
            return f"{kept.why}; it is started again in {max(1, round(kept.again_at - time.monotonic()))} s"

    def restarts(self, name: str) -> int:
        """How often a solver's runner was started again since a person started it."""
        with self._guard:
            kept = self._kept.get(name)
            return 0 if kept is None else kept.restarts

    def forget(self, name: str) -> None:
        """Somebody stopped it, or starts it anew: the slate is clean."""
        with self._guard:
            self._kept.pop(name, None)


def wait_for_end(run: Run, over: threading.Event) -> None:
    """Return once a runner that another daemon started has ended, or soon after `over` is set where its end can't be waited for."""
    try:
        descriptor = os.pidfd_open(run.pid or 0)
    except (AttributeError, OSError):
        while run.lives() and not over.wait(LOOK_SECONDS):
            pass
        return
    try:
        if run.lives():  # and so the number is still its own
            waiting = select.poll()
            waiting.register(descriptor, select.POLLIN)
            waiting.poll()
    finally:
        os.close(descriptor)
