"""The daemon's own log."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler

from cvflow_tui.home import Home


def log_to_file(home: Home) -> None:
    """Send what our code logs to `logs/daemon.log` (5 files of 2 MB)."""
    handler = RotatingFileHandler(home.logs / "daemon.log", maxBytes=2_000_000, backupCount=4, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    ours = logging.getLogger("cvflow_tui")
    ours.handlers = [handler]
    ours.setLevel(logging.INFO)
    ours.propagate = False
