"""DaemonClient: the only door through which screens and commands reach the daemon."""

from cvflow_tui.backend.client.answering import answered, answering
from cvflow_tui.backend.client.client import DaemonClient
from cvflow_tui.backend.client.connection import result_of
from cvflow_tui.backend.client.discovery import DaemonAddress, find_daemon

__all__ = ["DaemonAddress", "DaemonClient", "answered", "answering", "find_daemon", "result_of"]
