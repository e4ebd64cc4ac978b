"""The daemon's own log."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler

from cvflow_tui.home import Home


def log_to_file(home: Home) -> None:
    """Send what our code and the HTTP server log to `logs/daemon.log` (5 files of 2 MB); nothing of it reaches a terminal."""
    handler = RotatingFileHandler(home.logs / "daemon.log", maxBytes=2_000_000, backupCount=4, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for name, level in (("cvflow_tui", logging.INFO), ("uvicorn", logging.WARNING), ("asyncio", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
