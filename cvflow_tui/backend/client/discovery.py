"""Finding the daemon that serves a home folder."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cvflow_tui.home import Home


@dataclass(frozen=True, slots=True)
class DaemonAddress:
    """Where a daemon listens, and the word that opens it."""

    url: str
    token: str
    pid: int


def find_daemon(home: Home) -> DaemonAddress | None:
    """The address that a live daemon of this home left behind, or None. Says nothing about whether it answers."""
    try:
        told = json.loads(home.daemon_file.read_text("utf-8"))
        address = DaemonAddress(str(told["url"]), home.token_file.read_text("utf-8").strip(), int(told["pid"]))
        started, boot = float(told["start_time"]), str(told["boot_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    from cvflow_tui.backend.processes import is_same_process

    return address if is_same_process(address.pid, started, boot) else None
