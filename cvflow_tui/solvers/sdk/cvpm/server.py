"""The names of the original's server that packages and their runner files touch."""

from __future__ import annotations

import socket
from typing import Any, Optional


def str2bool(value: Any) -> bool:
    """Whether a word means yes. (The original took "false" for a yes as well.)"""
    return str(value).strip().lower() in ("true", "yes", "t", "y", "on", "1")


def get_available_port(start: int = 8080) -> int:
    """The first port from `start` on that nobody listens at."""
    for port in range(start, 65536):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise OSError(f"every port from {start} on is in use")


def run_server(solver: Any, port: Optional[int] = None) -> None:
    """Refuse: the port belongs to cvflow's runner. Raises RuntimeError that says how to serve."""
    raise RuntimeError(
        f"{type(solver).__name__} does not open a port itself: serve it with 'cvflow start', or with the runner file that was installed"
    )
