"""Where the daemon listens, and by which names it may be called."""

from __future__ import annotations

import socket

import psutil

from cvflow_tui.backend.processes import port_owner
from cvflow_tui.model.errors import RefusedError, UsageError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises RefusedError naming who has the port, UsageError for an address that is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        if owner := port_owner(port):
            raise RefusedError(f"port {port} is in use by {owner}") from error
        raise UsageError(f"cannot listen at {host} port {port}: {error.strerror or error}") from error
    listening.listen(128)
    return listening


def allowed_hosts(host: str) -> frozenset[str]:
    """Names that a request's Host may give: loopback's, and when bound further out, this machine's own."""
    if host in LOOPBACK:
        return LOOPBACK
    own = {address.address.partition("%")[0] for addresses in psutil.net_if_addrs().values() for address in addresses}
    return LOOPBACK | own | {host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
