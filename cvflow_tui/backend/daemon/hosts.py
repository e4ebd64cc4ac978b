"""By which names the daemon may be called."""

from __future__ import annotations

import socket

import psutil

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def allowed_hosts(host: str) -> frozenset[str]:
    """Names that a request's Host may give: loopback's, and when bound further out, this machine's own."""
    if host in LOOPBACK:
        return LOOPBACK
    own = {address.address.partition("%")[0] for addresses in psutil.net_if_addrs().values() for address in addresses}
    return LOOPBACK | own | {host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
