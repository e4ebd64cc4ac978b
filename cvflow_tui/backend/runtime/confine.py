"""What a worker may not do: set from outside, between its start and the moment it is told what to load."""

from __future__ import annotations

import os
import resource
from contextlib import suppress

from cvflow_tui.backend.runtime.prctl import SET_NO_NEW_PRIVS, switch_on
from cvflow_tui.model.settings import SolverSettings

OPEN_FILES = 65536
"""Files that a worker may have open, where its own limit is not lower."""


def no_new_privileges() -> None:
    """From here on no program that this process or any it starts runs gets rights by a set-uid bit."""
    switch_on(SET_NO_NEW_PRIVS)


def confine(pid: int, settings: SolverSettings) -> None:
    """Give a worker that has just been started its limits; what it starts inherits them.

    The package's code is not loaded yet: the worker waits for its first frame, which is sent after this.
    """
    if hasattr(resource, "prlimit"):
        _limit(pid, resource.RLIMIT_CORE, 0)
        _limit(pid, resource.RLIMIT_NOFILE, OPEN_FILES)
        if settings.address_space is not None:
            _limit(pid, resource.RLIMIT_AS, settings.address_space)
    if settings.cpus is not None and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(pid, cores(settings.cpus))


def cores(count: int) -> set[int]:
    """The cores of a worker that may use `count`: not the same for every solver, or they would all crowd on the first."""
    ours = sorted(os.sched_getaffinity(0))
    count = min(count, len(ours))
    begin = int.from_bytes(os.urandom(2), "big") % len(ours) if count < len(ours) else 0
    return {ours[(begin + number) % len(ours)] for number in range(count)}


def _limit(pid: int, which: int, value: int) -> None:
    """Both limits, never above what is allowed already."""
    with suppress(OSError, ValueError):  # the worker has ended already
        _, hard = resource.prlimit(pid, which)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.prlimit(pid, which, (value, value))
