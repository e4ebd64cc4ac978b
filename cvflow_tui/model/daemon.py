"""The daemon as a client sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """Who serves a home folder."""

    url: str
    pid: int
    version: str
    home: str
    uptime: float = 0.0
    embedded: bool = False
    """Whether it lives inside an app rather than on its own."""
    solvers: int = 0
    """Solvers with a live process."""
    legacy_url: str | None = None
    """Where the original daemon's routes are served; None where they are not."""
