"""DaemonClient: the only door through which screens and commands reach the daemon."""

from cvflow_tui.backend.client.client import DaemonClient
from cvflow_tui.backend.client.discovery import find_daemon

__all__ = ["DaemonClient", "find_daemon"]
