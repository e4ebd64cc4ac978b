"""HTTP to this machine's own processes: no certificate is ever asked for there."""

from __future__ import annotations

import ssl


def trust_nothing() -> ssl.SSLContext:
    """A TLS context that trusts nobody, for clients of plain `http:` addresses.

    httpx makes a context for every client, TLS or not; its own reads all the world's certificate authorities (3 MB for the first, 0.7
    for each one more). An `https:` address that gets in here all the same is refused, never trusted.
    """
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
