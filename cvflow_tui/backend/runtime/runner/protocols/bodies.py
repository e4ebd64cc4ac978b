"""JSON bodies, held in memory: one at a time as long as its limit says, and all of a runner together within a budget."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from cvflow_tui.backend.runtime.runner.faults import Fault, bad_input, busy, too_large
from cvflow_tui.backend.runtime.runner.incoming import Incoming
from cvflow_tui.backend.runtime.runner.limits import Limits

JSON_TYPES = ("application/json", "application/octet-stream")


class Bodies:
    """The bodies of one runner."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @contextmanager
    def room(self) -> Iterator[Room]:
        """Where a body is read to; given back at the end."""
        room = Room(self)
        try:
            yield room
        finally:
            self._held -= room.taken

    def take(self, count: int) -> None:
        """Some more bytes. Raises Fault 503 where all that is being read takes too much."""
        if self._held + count > self._limits.memory:
            raise busy("too much is being received")
        self._held += count

    @property
    def patience(self) -> float:
        """Seconds that a body may take."""
        return self._limits.upload_seconds


class Room:
    """One body's."""

    def __init__(self, bodies: Bodies) -> None:
        self.taken = 0
        self._bodies = bodies

    async def read(self, incoming: Incoming, limit: int) -> bytes:
        """The whole body. Raises Fault 408, 413, 415, 503."""
        told = incoming.header(b"content-length") or ""
        if told.isdecimal() and (len(told) > 18 or int(told) > limit):
            raise too_large(f"the body is larger than {limit} bytes")
        incoming.plain()
        pieces, more = [], True
        try:
            async with asyncio.timeout(self._bodies.patience):
                while more:
                    piece, more = await incoming.piece()
                    self.take(len(piece))
                    if self.taken > limit:
                        raise too_large(f"the body is larger than {limit} bytes")
                    pieces.append(piece)
        except TimeoutError:
            raise Fault(408, "the body did not arrive in time", "usage") from None
        return b"".join(pieces)

    def take(self, count: int) -> None:
        """Account for some more bytes."""
        self._bodies.take(count)
        self.taken += count


async def read_object(bodies: Bodies, incoming: Incoming, limit: int, *, kinds: tuple[str, ...] = ("application/json",)) -> dict[str, Any]:
    """A JSON object. Raises Fault."""
    if incoming.content_type not in kinds:
        raise Fault(415, f"a body of type {incoming.content_type[:60]!r} is not taken; send application/json", "usage")
    with bodies.room() as room:
        return parse_object(await room.read(incoming, limit))


def parse_object(data: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises Fault 400."""
    try:
        told = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise bad_input(f"the body is no JSON: {str(error)[:100]}") from None
    if not isinstance(told, dict):
        raise bad_input("the body must be a JSON object")
    return told


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
