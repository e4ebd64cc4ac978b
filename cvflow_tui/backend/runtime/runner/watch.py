"""Looks after a worker that serves: does it answer, does it grow, is it needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from cvflow_tui.backend.runtime.link import WorkerGone, WorkerLink
from cvflow_tui.model.settings import SolverSettings

LOOK_SECONDS = 1.0
PING_SECONDS = 10.0
"""How often an idle worker is asked whether it is there."""
PING_LIMIT = 60.0
"""How long it may take to say so."""
GIVEN_UP_SECONDS = 10.0
"""How long a worker may go on with calls that were cancelled, and with nothing else: loading anew takes time too."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a worker's time is over."""

    why: str
    hangs: bool = False
    """It does not answer; these calls took too long."""
    calls: tuple[asyncio.Future[list[Any]], ...] = ()
    sleep: bool = False
    """Nobody needs it now."""
    in_vain: bool = False
    """It works on nothing but what was given up."""


class Watched(Protocol):
    """What is known of a replica."""

    active: int

    def overdue(self, seconds: float) -> list[asyncio.Future[list[Any]]]:
        """Calls that take longer than that."""

    def in_vain(self, seconds: float) -> bool:
        """Whether it has worked for longer than that on nothing but what was given up."""


class Watch:
    """Watches one worker until there is a reason to end it. Whatever happens to the clock: only time that passed counts."""

    def __init__(self, replica: Watched, link: WorkerLink, settings: SolverSettings, idle_for: Callable[[], float]) -> None:
        self._replica = replica
        self._link = link
        self._settings = settings
        self._idle_for = idle_for
        self._since = self._pinged = time.monotonic()
        self._ping: asyncio.Task[None] | None = None

    async def verdict(self) -> Verdict:
        """Why the worker must end, as soon as there is a reason."""
        shortest = min(self._settings.call_timeout, self._settings.keep_alive or LOOK_SECONDS)
        pause = min(LOOK_SECONDS, max(0.05, shortest / 4))
        try:
            while True:
                await asyncio.sleep(pause)
                for look in (self._calls, self._vanity, self._silence, self._size, self._idleness):
                    if (found := look()) is not None:
                        return found
        finally:
            if self._ping is not None:
                self._ping.cancel()

    def _calls(self) -> Verdict | None:
        limit = self._settings.call_timeout
        if overdue := self._replica.overdue(limit):
            return Verdict(f"a call took longer than {limit:g} s (setting call_timeout)", hangs=True, calls=tuple(overdue))
        return None

    def _vanity(self) -> Verdict | None:
        if self._replica.in_vain(GIVEN_UP_SECONDS):
            return Verdict(f"a call that was cancelled went on for {GIVEN_UP_SECONDS:g} s", in_vain=True)
        return None

    def _silence(self) -> Verdict | None:
        now, limit = time.monotonic(), min(PING_LIMIT, self._settings.call_timeout)
        if self._ping is not None:
            if not self._ping.done():
                return Verdict(f"its worker has not answered for {limit:g} s", hangs=True) if now - self._pinged > limit else None
            if not self._ping.cancelled():
                self._ping.exception()  # a worker that has gone is found by its end
            self._ping = None
        if not self._replica.active and now - self._pinged > min(PING_SECONDS, limit):
            self._pinged, self._ping = now, asyncio.create_task(self._ask())
        return None

    async def _ask(self) -> None:
        try:
            await self._link.ping()
        except WorkerGone:
            return

    def _size(self) -> Verdict | None:
        limit = self._settings.memory
        if limit is None or (used := resident(self._link.pid)) <= limit:
            return None
        return Verdict(too_large(used, limit))

    def _idleness(self) -> Verdict | None:
        limit = self._settings.keep_alive
        # While it loaded, it could not be asked.
        if limit is None or self._replica.active or min(self._idle_for(), time.monotonic() - self._since) < limit:
            return None
        return Verdict(f"nothing was asked for {limit:g} s", sleep=True)


def resident(pid: int) -> int:
    """Resident memory of a process and all it started, in bytes; 0 for one that is gone."""
    import psutil

    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    return sum(resident_of(member.pid) for member in family)


def resident_of(pid: int) -> int:
    """Resident memory of a process alone, in bytes; 0 for one that is gone."""
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def too_large(used: int, limit: int) -> str:
    """What to tell of a worker that is larger than it may be."""
    return f"it holds {used // 1_000_000} MB of memory; its limit is {limit // 1_000_000} MB (setting memory)"
