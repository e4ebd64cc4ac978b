"""The body of a reply, received into memory that is used again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx

RECEIVED = 256 << 10
"""Bytes that are received at once: what is hashed and written next is still in the processor's cache."""

READ_INTO = "read_into"
"""A reply's extension that receives straight into the caller's memory."""

ReadInto = Callable[[memoryview], int]
"""Receives some bytes into the beginning of a buffer; how many, 0 at the end of the body."""


def body_of(reply: httpx.Response) -> ReadInto:
    """How to receive the body of a reply, as it comes over the wire."""
    straight: ReadInto | None = reply.extensions.get(READ_INTO)
    return straight or _Chunks(reply.iter_raw()).read_into


class _Chunks:
    """A body that comes in pieces of its transport's choice (through a proxy)."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def read_into(self, buffer: memoryview) -> int:
        """Some bytes of the piece that has come last."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
