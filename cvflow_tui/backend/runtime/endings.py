"""How a process ended, in words."""

from __future__ import annotations

import signal


def how(status: int) -> str:
    """What an exit status says (negative: the signal)."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
