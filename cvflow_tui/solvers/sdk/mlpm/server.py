"""The names of the original's server that packages and their runner files touch."""

from __future__ import annotations

from typing import Any, Optional

from mlpm.app import AidServer, aidserver

__all__ = ["AidServer", "aidserver", "run_server"]


def run_server(solver: Any, port: Optional[int] = None) -> None:
    """Refuse, as `aidserver.run` does."""
    aidserver.run(port=port)
