"""One daemon a home: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress

from cvflow_tui.backend.client.discovery import find_daemon
from cvflow_tui.home import Home
from cvflow_tui.model.errors import RefusedError

ATTEMPTS = 5
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
    """Holds `daemon.lock`. Raises HomeTaken, naming the daemon that has it, when it is taken."""

    def __init__(self, home: Home) -> None:
        self._descriptor = os.open(home.daemon_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not self._taken():
            os.close(self._descriptor)
            other = find_daemon(home)
            who = f"pid {other.pid} at {other.url}" if other else "another process"
            raise HomeTaken(f"a daemon ({who}) already serves {home.root}; stop it first: cvflow daemon stop")

    def _taken(self) -> bool:
        """Take it. Whoever only looks (`is_held`) has it for an instant: that one is waited for."""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE)
            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
        return False

    def release(self) -> None:
        """Let the next daemon have the home."""
        os.close(self._descriptor)
