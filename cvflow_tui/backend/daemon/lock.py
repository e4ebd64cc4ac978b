"""One daemon a home: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os

from cvflow_tui.backend.client.discovery import find_daemon
from cvflow_tui.home import Home
from cvflow_tui.model.errors import RefusedError


class HomeLock:
    """Holds `daemon.lock`. Raises RefusedError, naming the daemon that has it, when it is taken."""

    def __init__(self, home: Home) -> None:
        self._descriptor = os.open(home.daemon_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            other = find_daemon(home)
            who = f"pid {other.pid} at {other.url}" if other else "another process"
            raise RefusedError(f"a daemon ({who}) already serves {home.root}; stop it first: cvflow daemon stop") from error

    def release(self) -> None:
        """Let the next daemon have the home."""
        os.close(self._descriptor)
