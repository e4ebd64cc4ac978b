"""A request to `POST /infer` as it comes in: what its headers say, and its body piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from cvflow_tui.backend.runtime.runner.faults import Fault

WAITING = "cvflow.waiting"
"""Where a request's scope holds what is to be cancelled when its client goes away (`protocol.py`)."""
WHOLE = "cvflow.whole"
"""In a request's scope: its body had come to its end before it was begun with."""


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """A request's headers by their names in lower case; of two with one name the first counts."""
    return dict(reversed(scope["headers"]))


def kind_of(content_type: bytes | None) -> str:
    """What a body is, in lower case, without options; plain bytes where nothing tells."""
    return "application/octet-stream" if content_type is None else content_type.decode("latin-1").partition(";")[0].strip().lower()


def query_of(query: bytes) -> dict[str, Any]:
    """A query's fields: texts, or the list of them for one that is given more than once."""
    if not query:
        return {}
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    found: dict[str, Any] = dict(pairs)
    if len(found) == len(pairs):
        return found
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in lists.items()}


class _Call:
    """Looks like a future to whoever cancels it."""

    __slots__ = ("cancel",)

    def __init__(self, cancel: Callable[[], object]) -> None:
        self.cancel = cancel


class Incoming:
    """Reads straight from the server: on the one route that counts, Starlette's `Request` costs as much as all else."""

    __slots__ = ("_headers", "_query", "_receive", "_scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._headers = headers_of(scope)
        self._query: bytes = scope["query_string"]
        self._receive = receive
        self._scope = scope

    def header(self, name: bytes) -> str | None:
        """A header by its name in lower case; None where it was not sent."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def plain(self) -> None:
        """Refuse a compressed body: what it inflates to is anyone's guess. Raises Fault 415."""
        if (self.header(b"content-encoding") or "identity").lower() != "identity":
            raise Fault(415, "a compressed body is not taken", "usage")

    @property
    def content_type(self) -> str:
        """What the body is, in lower case, without options; plain bytes where nothing tells."""
        return kind_of(self._headers.get(b"content-type"))

    def query(self) -> dict[str, Any]:
        """The query's fields: as `query_of`."""
        return query_of(self._query)

    @property
    def whole(self) -> bool:
        """Whether all of the body was there when the request was begun with: there is nothing to wait for."""
        return WHOLE in self._scope

    def when_gone(self, call: Callable[[], object]) -> None:
        """Have something done when the client goes away."""
        self._scope[WAITING] = _Call(call)

    async def piece(self) -> tuple[bytes, bool]:
        """The next piece of the body, and whether more follow. Raises Fault 400 where the client went away."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Fault(400, "the client went away", "usage")
        return message.get("body", b""), message.get("more_body", False)
