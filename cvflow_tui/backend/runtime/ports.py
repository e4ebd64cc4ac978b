"""Listening sockets, and who has a port that is taken. Little is imported: a runner's start waits for it."""

from __future__ import annotations

import errno
import ipaddress
import socket

from cvflow_tui.model.errors import RefusedError, UsageError

LOOPBACK = "127.0.0.1"
BACKLOG = 1024


def listen(port: int | None, host: str = LOOPBACK) -> socket.socket:
    """A listening socket; None takes a free port.

    Raises RefusedError naming who has the port, UsageError for an address that is not ours.
    """
    if port is not None and not 0 <= port <= 65535:
        raise UsageError(f"port {port} is none: ports are 1 to 65535")
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port or 0))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            from cvflow_tui.backend.processes import port_owner

            owner = port_owner(port or 0) or "another process"
            raise RefusedError(f"port {port} is in use by {owner}; choose another with --port") from error
        if error.errno == errno.EACCES:
            raise RefusedError(f"port {port} needs more rights than this user has; choose one above 1023") from error
        raise UsageError(f"cannot listen at {host} port {port or 0}: {error.strerror or error}") from error
    return listening


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def agreed_address(host: str, i_know: bool) -> None:
    """Refuse to listen where other machines can reach us, unless somebody said that they know. Raises RefusedError."""
    if not i_know and not is_loopback(host):
        raise RefusedError(f"{host} can be reached from other machines, and nothing is encrypted: say --i-know if that is meant")
