"""Ending a runner with all it started: its session is its own, and what left the session bears the run's mark."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import psutil

from cvflow_tui.backend.processes import boot_id, start_time
from cvflow_tui.backend.runtime.marks import kill_bearers
from cvflow_tui.backend.runtime.records import Run
from cvflow_tui.backend.runtime.worker import RUN_MARK

TERM_SECONDS = 15.0
"""How long a runner may drain before it is killed: its own limit for requests under way, and some for its workers."""


def end(run: Run, seconds: float = TERM_SECONDS) -> None:
    """End the run's process, its whole session and whatever left that session; returns when none of it is left.

    Nothing else is touched: identity is checked.
    """
    if run.pid is not None and _number_is_its_own(run):
        _end_session(run, run.pid, seconds)
    kill_bearers(RUN_MARK, run.spec)


def _end_session(run: Run, leader: int, seconds: float) -> None:
    if run.lives():
        with suppress(ProcessLookupError):
            os.kill(leader, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while run.lives() and time.monotonic() < deadline:
            time.sleep(0.02)
        # The leader goes last: as long as it is there, its number is its session's and no other's.
        _kill(session(leader) - {leader} if run.lives() else set())
        if run.lives():
            with suppress(ProcessLookupError):
                os.kill(leader, signal.SIGKILL)
    deadline = time.monotonic() + 5.0
    while (left := session(leader)) and time.monotonic() < deadline:
        _kill(left - {leader})
        time.sleep(0.02)


def _number_is_its_own(run: Run) -> bool:
    """Whether the process number still means this run: it lives, is a zombie, or is gone (no number of a living session is reused)."""
    assert run.pid is not None
    if run.boot_id != boot_id():
        return False
    try:
        return abs(start_time(run.pid) - (run.start_time or 0.0)) < 0.02
    except psutil.NoSuchProcess:
        return True


def session(leader: int) -> set[int]:
    """Living processes (zombies left out) of the session that `leader` began."""
    members = set()
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError, psutil.Error):
            if os.getsid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                members.add(pid)
    return members


def _kill(pids: set[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
