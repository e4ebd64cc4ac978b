"""One daemon a home: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress

from cvflow_tui.backend.client.discovery import find_daemon
from cvflow_tui.home import Home
from cvflow_tui.model.errors import RefusedError

WAIT_SECONDS = 25.0
"""How long a home may be waited for whose daemon has yet to begin, or to end: it calls off what it was at, which takes a while."""
GLANCE_SECONDS = 0.1
"""How long whoever only looks (`is_held`) may be in the way of one that does not wait."""
PAUSE = 0.02
"""Seconds between two attempts to take the lock."""


class HomeTaken(RefusedError):
    """Another daemon has the home."""


def is_held(home: Home) -> bool:
    """Whether a daemon has the home, also one that has yet to say where it listens."""
    try:
        descriptor = os.open(home.daemon_lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


class HomeLock:
    """Holds `daemon.lock`. Raises HomeTaken, naming the daemon that has it, when it is taken.

    A daemon that serves is not waited for. One that ends (nobody can find it any more, and it still has the lock) is, for up to `wait`
    seconds, and so is one that has yet to say where it serves.
    """

    def __init__(self, home: Home, wait: float = GLANCE_SECONDS) -> None:
        self._descriptor = os.open(home.daemon_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not self._taken(home, wait):
            os.close(self._descriptor)
            other = find_daemon(home)
            who = f"pid {other.pid} at {other.url}" if other else "another process"
            raise HomeTaken(f"a daemon ({who}) already serves {home.root}; stop it first: cvflow daemon stop")

    def _taken(self, home: Home, wait: float) -> bool:
        deadline = time.monotonic() + wait
        while True:
            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            # Nobody to be found: one that begins or ends, or somebody who only looks (`is_held`), for an instant.
            if find_daemon(home) is not None or time.monotonic() > deadline:
                return False
            time.sleep(PAUSE)

    def release(self) -> None:
        """Let the next daemon have the home."""
        os.close(self._descriptor)
