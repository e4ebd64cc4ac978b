"""A connection that stands idle between two requests."""

from __future__ import annotations

import http.client
import time

POOL_SECONDS = 5.0
"""How long httpx, urllib3's callers and most pools keep an idle connection."""


def ask_twice_on_one_connection(port: int, path: str, headers: dict[str, str] | None = None) -> None:
    """Ask, stand idle longer than a pool would, ask again; fails where the server closed the connection meanwhile."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers or {})
        connection.getresponse().read()
        opened = connection.sock
        time.sleep(POOL_SECONDS + 1.5)
        connection.request("GET", path, headers=headers or {})
        assert connection.getresponse().status == 200
        assert opened is not None
        assert connection.sock is opened
    finally:
        connection.close()
