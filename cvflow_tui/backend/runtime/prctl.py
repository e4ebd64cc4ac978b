"""Switches of a process that Linux knows and Python has no word for (`man 2 prctl`)."""

from __future__ import annotations

import ctypes
import sys

SET_CHILD_SUBREAPER = 36
SET_NO_NEW_PRIVS = 38


def switch_on(option: int) -> bool:
    """Set one for this process; whether that was done. False where there is no Linux."""
    return sys.platform.startswith("linux") and bool(ctypes.CDLL(None, use_errno=True).prctl(option, 1, 0, 0, 0) == 0)
