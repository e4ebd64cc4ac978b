"""The daemon's lifetime: one per home folder, embedded in the app or on its own, the same code.

Its names are imported when they are asked for: finding a running daemon must not cost what serving does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvflow_tui.backend.daemon.daemon import Daemon, run_daemon
    from cvflow_tui.backend.daemon.embedded import EmbeddedDaemon
    from cvflow_tui.backend.daemon.reach import connect

__all__ = ["Daemon", "EmbeddedDaemon", "connect", "run_daemon"]

_PLACES = {"connect": "reach", "Daemon": "daemon", "run_daemon": "daemon", "EmbeddedDaemon": "embedded"}


def __getattr__(name: str) -> Any:
    """PEP 562: the module behind a public name."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
