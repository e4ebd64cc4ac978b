"""One HTTP connection to a daemon: requests out, typed replies or typed errors back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from io import BytesIO
from typing import Any, TypeVar

import httpx
import msgspec

from cvflow_tui.backend.client.discovery import DaemonAddress
from cvflow_tui.backend.loopback import trust_nothing
from cvflow_tui.model.errors import BY_CODE, CvflowError, RemoteError
from cvflow_tui.model.jobs import Job

T = TypeVar("T")

Successor = Callable[[], Awaitable[DaemonAddress | None]]
"""Where the home is served now that the daemon which was asked is gone; None where it is not."""

_READERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def read(content: bytes, kind: type[T]) -> T:
    """A reply's JSON as a model type. Raises RemoteError where it is none: a daemon of another version answered."""
    if kind not in _READERS:
        _READERS[kind] = msgspec.json.Decoder(kind)
    try:
        found: T = _READERS[kind].decode(content)
    except msgspec.DecodeError as error:
        raise _unread(error) from error
    return found


def result_of(job: Job, kind: type[T]) -> T:
    """What a job that has ended brought, as `kind`: over HTTP it came as plain JSON. Raises RemoteError as `read`."""
    try:
        return msgspec.convert(job.result, kind)
    except msgspec.ValidationError as error:
        raise _unread(error) from error


def _unread(error: msgspec.DecodeError) -> RemoteError:
    return RemoteError(
        f"the daemon's reply can't be read ({error}); is it of another version? end it, the next command starts one: cvflow daemon stop"
    )


class Connection:
    """Sends requests to `url` with the daemon's token.

    `transport` replaces the socket: tests hand in `httpx.ASGITransport(app)`. With a `successor` the connection outlives its daemon: a
    request that reaches nobody is sent to whoever serves the home next. `headers` go with every request.
    """

    def __init__(
        self,
        url: str,
        token: str,
        transport: httpx.AsyncBaseTransport | None = None,
        successor: Successor | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._headers = dict(headers or {})
        self._transport = transport
        self._successor = successor
        self._beginning = False
        """Whether there is a successor only until the next reply."""
        self._moving = asyncio.Lock()
        self._turn_to(url, token)

    def _turn_to(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=f"{self.url}/api/v1",
            headers={**self._headers, "Authorization": f"Bearer {token}"},
            transport=self._transport,
            timeout=httpx.Timeout(30.0, connect=5.0),
            trust_env=False,
            verify=True if self.url.startswith("https:") else trust_nothing(),
        )

    def follow_nobody(self) -> None:
        """From now on it is this daemon or none."""
        self._successor = None

    def begin_with(self, successor: Successor) -> None:
        """Outlive the daemon until the next request was answered; what is begun with that one, no other knows."""
        self._successor, self._beginning = successor, True

    async def close(self) -> None:
        """Let go of the sockets."""
        await self._http.aclose()

    async def call(self, kind: type[T], method: str, path: str, *, body: Any = None, timeout: float | None = None, **query: Any) -> T:
        """Send one request and read the reply as `kind`.

        Raises the CvflowError that the daemon raised, or RemoteError where it cannot be reached.
        """
        reply = await self.send(method, path, body=body, timeout=timeout, **query)
        return read(reply.content, kind)

    async def send(self, method: str, path: str, *, body: Any = None, timeout: float | None = None, **query: Any) -> httpx.Response:
        """Send one request; as `call`, with the reply as it came."""
        extra: dict[str, Any] = {} if timeout is None else {"timeout": timeout}
        if body is not None:
            extra["content"] = msgspec.json.encode(body)
            extra["headers"] = {"Content-Type": "application/json"}
        params = {name: str(value) for name, value in query.items() if value is not None}

        async def ask() -> httpx.Response:
            return await self._http.request(method, path, params=params, **extra)

        reply = await self._reach(ask, repeatable=method == "GET")
        if reply.is_error:
            raise error_of(reply)
        return reply

    async def fetch(self, path: str, *, timeout: float) -> bytes:
        """The bytes at a path, held in memory once (a reply of `send` holds its pieces too while it joins them). Raises as `call`."""

        async def ask() -> bytes:
            content = BytesIO()
            async with self._http.stream("GET", path, timeout=timeout) as reply:
                if reply.is_error:
                    await reply.aread()
                    raise error_of(reply)
                async for piece in reply.aiter_bytes():
                    content.write(piece)
            return content.getvalue()

        return await self._reach(ask, repeatable=True)

    async def _reach(self, ask: Callable[[], Awaitable[T]], *, repeatable: bool) -> T:
        """What `ask` is answered. Where nobody answers any more, the successor is asked: again only what changes nothing."""
        reply = await self._reached(ask, repeatable=repeatable)
        if self._beginning:
            self._beginning = False
            self.follow_nobody()
        return reply

    async def _reached(self, ask: Callable[[], Awaitable[T]], *, repeatable: bool) -> T:
        asked = self._http
        try:
            return await ask()
        except httpx.HTTPError as error:
            unheard = isinstance(error, httpx.ConnectError)
            cut_off = repeatable and isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)
            if not ((unheard or cut_off) and await self._move_on(asked)):
                raise self._unreached(error) from error
        try:
            return await ask()
        except httpx.HTTPError as error:
            raise self._unreached(error) from error

    async def _move_on(self, asked: httpx.AsyncClient) -> bool:
        """Turn to the successor of the daemon behind `asked`; whether there is one."""
        if self._successor is None:
            return False
        async with self._moving:
            if self._http is not asked:
                return True  # another request found it meanwhile
            address = await self._successor()
            if address is None:
                return False
            self._turn_to(address.url, address.token)
        await asked.aclose()
        return True

    def _unreached(self, error: httpx.HTTPError) -> RemoteError:
        if isinstance(error, httpx.TimeoutException):
            return RemoteError(f"the daemon at {self.url} did not answer in time")
        return RemoteError(f"the daemon at {self.url} cannot be reached: {error or type(error).__name__}")


def error_of(reply: httpx.Response) -> CvflowError:
    """The error that a reply of 4xx or 5xx carries."""
    try:
        told = reply.json()
        message, code, detail = str(told["error"]), str(told.get("code", "")), told.get("detail")
    except (ValueError, KeyError, TypeError):
        return RemoteError(f"the daemon answered {reply.status_code} {reply.reason_phrase}")
    kind = BY_CODE.get(code, CvflowError)
    return kind(message, detail=detail if isinstance(detail, str) else None)
