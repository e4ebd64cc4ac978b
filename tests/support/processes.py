"""Whether a process still runs, as a test means it."""

from __future__ import annotations

import psutil


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped by its new parent does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
