"""What the C heap keeps of memory that was freed: less of it. Only glibc is asked; elsewhere nothing happens."""

from __future__ import annotations

import ctypes
from functools import cache

_M_ARENA_MAX = -8
"""glibc's name for the number of heaps that threads spread over."""
ARENAS = 2


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "gnu_get_libc_version") else None
    except OSError:
        return None


def share_heaps() -> None:
    """Have all threads share two heaps. By default each gets one of its own, and what is freed in one is no use to another."""
    if (libc := _glibc()) is not None:
        libc.mallopt(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Return freed pages to the system; for after something large has come and gone. Takes about a millisecond."""
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)
