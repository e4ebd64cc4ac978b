"""Which daemon serves a home and answers, not only says that it does."""

from __future__ import annotations

from cvflow_tui.backend.client.client import DaemonClient
from cvflow_tui.backend.client.discovery import DaemonAddress, find_daemon
from cvflow_tui.home import Home
from cvflow_tui.model.errors import RemoteError


async def answering(home: Home) -> DaemonAddress | None:
    """Where a daemon serves this home, asked just now; None where there is none, or it is silent. Starts nothing."""
    if (address := find_daemon(home)) is None:
        return None
    async with DaemonClient.at(address) as client:
        try:
            await client.status()
        except RemoteError:
            return None
    return address
