"""Which daemon serves a home and answers, not only says that it does."""

from __future__ import annotations

from cvflow_tui.backend.client.client import DaemonClient
from cvflow_tui.backend.client.discovery import DaemonAddress, find_daemon
from cvflow_tui.home import Home
from cvflow_tui.model.errors import RemoteError

PATIENCE = 10.0
"""Seconds that a daemon may take to say that it is there."""


async def answered(home: Home) -> DaemonClient | None:
    """A client of the daemon that serves this home, asked just now; None where there is none, or it is silent. Starts nothing."""
    address = find_daemon(home)
    return None if address is None else await _answered_at(address)


async def answering(home: Home) -> DaemonAddress | None:
    """Where a daemon serves this home, asked just now; None as for `answered`."""
    if (address := find_daemon(home)) is None or (client := await _answered_at(address)) is None:
        return None
    await client.close()
    return address


async def _answered_at(address: DaemonAddress) -> DaemonClient | None:
    client = DaemonClient.at(address)
    try:
        await client.status(timeout=PATIENCE)
    except RemoteError:
        await client.close()
        return None
    except BaseException:
        await client.close()
        raise
    return client
