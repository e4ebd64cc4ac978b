"""The daemon's lifetime: one per home folder, embedded in the app or on its own, the same code."""

from cvflow_tui.backend.daemon.connect import connect
from cvflow_tui.backend.daemon.daemon import Daemon, run_daemon
from cvflow_tui.backend.daemon.embedded import EmbeddedDaemon

__all__ = ["Daemon", "EmbeddedDaemon", "connect", "run_daemon"]
