"""A request to `POST /infer` as it comes in: what its headers say, and its body piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from cvflow_tui.backend.runtime.runner.faults import Fault

WAITING = "cvflow.waiting"
"""Where a request's scope holds what is to be cancelled when its client goes away (`protocol.py`)."""


class _Call:
    """Looks like a future to whoever cancels it."""

    __slots__ = ("cancel",)

    def __init__(self, cancel: Callable[[], object]) -> None:
        self.cancel = cancel


class Incoming:
    """Reads straight from the server: on the one route that counts, Starlette's `Request` costs as much as all else."""

    __slots__ = ("_headers", "_query", "_receive", "_scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))  # of two with one name the first counts
        self._query: bytes = scope["query_string"]
        self._receive = receive
        self._scope = scope

    def header(self, name: bytes) -> str | None:
        """A header by its name in lower case; None where it was not sent."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def content_type(self) -> str:
        """What the body is, in lower case, without options; plain bytes where nothing tells."""
        kind = self.header(b"content-type")
        return "application/octet-stream" if kind is None else kind.partition(";")[0].strip().lower()

    def query(self) -> dict[str, str]:
        """The query's fields; of two with one name the last counts."""
        return dict(parse_qsl(self._query.decode("latin-1"), keep_blank_values=True)) if self._query else {}

    def when_gone(self, call: Callable[[], object]) -> None:
        """Have something done when the client goes away."""
        self._scope[WAITING] = _Call(call)

    async def piece(self) -> tuple[bytes, bool]:
        """The next piece of the body, and whether more follow. Raises Fault 400 where the client went away."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Fault(400, "the client went away", "usage")
        return message.get("body", b""), message.get("more_body", False)
