"""Listening sockets, and who has a port that is taken."""

from __future__ import annotations

import errno
import socket

from cvflow_tui.backend.processes import port_owner
from cvflow_tui.model.errors import CvflowError, RefusedError, UsageError

LOOPBACK = "127.0.0.1"
BACKLOG = 1024


def listen(port: int | None) -> socket.socket:
    """A listening socket on the loopback address; None takes a free port. Raises RefusedError naming who has the port."""
    if port is not None and not 0 <= port <= 65535:
        raise UsageError(f"port {port} is none: ports are 1 to 65535")
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port or 0))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            owner = port_owner(port or 0) or "another process"
            raise RefusedError(f"port {port} is in use by {owner}; choose another with --port") from error
        if error.errno == errno.EACCES:
            raise RefusedError(f"port {port} needs more rights than this user has; choose one above 1023") from error
        raise CvflowError(f"port {port} can't be listened on: {error.strerror}") from error
    return listening
