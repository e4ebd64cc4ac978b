"""`/engine/solvers/VENDOR/NAME/SOLVER/PATH`: on to the solver's own port, piece by piece in both directions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

import h11
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from cvflow_tui.backend.runtime.supervisor import Supervisor
from cvflow_tui.model.names import SolverName

log = logging.getLogger(__name__)

PREFIX = "/engine/solvers/"
PIECE = 256 * 1024
CONNECT_SECONDS = 5.0

_HOP = {b"connection", b"keep-alive", b"proxy-authorization", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
_OURS = {b"host", b"authorization", b"cookie", b"origin", b"referer", b"expect"}
"""What stays on this side: the daemon's token is none of a solver's business, and where a page came from was looked at here."""


class Proxy:
    """An ASGI application. One reply to each request: the original wrote its refusal and then went on."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        raw = scope.get("raw_path") or scope["path"].encode()
        parts = raw.decode("latin-1").removeprefix(PREFIX).split("/", 3)
        try:
            name = SolverName.parse("/".join(parts[:3]))
        except ValueError:
            await _refuse(404, f"write {PREFIX}VENDOR/PACKAGE/SOLVER/PATH", "not_found")(scope, receive, send)
            return
        endpoint = await asyncio.to_thread(self._supervisor.endpoint, str(name))
        if endpoint is None:
            message = f"{name} is not running; start it with POST /repo/running, or: cvflow start {name}"
            await _refuse(404, message, "not_found")(scope, receive, send)
            return
        host, _, port = endpoint[0].removeprefix("http://").rpartition(":")
        target = "/" + (parts[3] if len(parts) > 3 else "")
        query = scope["query_string"].decode("latin-1")
        exchange = _Exchange(host.strip("[]"), int(port), target + (f"?{query}" if query else ""))
        try:
            await exchange.run(scope, receive, send)
        except (OSError, TimeoutError, h11.ProtocolError) as error:
            log.info("%s could not be asked: %s", name, error)
            if not exchange.answering:
                await _refuse(502, f"{name} does not answer", "remote")(scope, receive, send)
            else:
                raise  # half a reply went out: only the end of the connection says so
        finally:
            await exchange.close()


class _Exchange:
    """One request and its reply over a connection of its own."""

    def __init__(self, host: str, port: int, target: str) -> None:
        self._host, self._port, self._target = host, port, target
        self._http = h11.Connection(h11.CLIENT)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.answering = False
        """Whether a part of the reply went out."""

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the request while the reply is awaited: a solver may refuse before it has read all of it."""
        opening = asyncio.open_connection(self._host, self._port, limit=PIECE)
        self._reader, self._writer = await asyncio.wait_for(opening, CONNECT_SECONDS)
        sending = asyncio.create_task(self._send_request(scope, receive))
        answering = asyncio.create_task(self._send_reply(send))
        try:
            await asyncio.wait((sending, answering), return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and not answering.done():
                # A solver that refuses need not read on: then the sending failed, and the reply says why.
                if sending.exception() is None and not sending.result():  # the client is gone
                    return
                gone = asyncio.create_task(_until_gone(receive))
                await asyncio.wait((gone, answering), return_when=asyncio.FIRST_COMPLETED)
                gone.cancel()
            if answering.done():
                answering.result()  # raises what went wrong
        finally:
            for task in (sending, answering):
                task.cancel()
            await asyncio.gather(sending, answering, return_exceptions=True)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()

    async def _send_request(self, scope: Scope, receive: Receive) -> bool:
        """The request, as it comes in; whether the client stayed to its end."""
        assert self._writer is not None
        headers = [(name, value) for name, value in scope["headers"] if name not in _HOP | _OURS and not name.startswith(b"sec-fetch-")]
        if not any(name == b"content-length" for name, _ in headers) and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            headers.append((b"transfer-encoding", b"chunked"))
        headers += [(b"host", f"127.0.0.1:{self._port}".encode()), (b"connection", b"close")]
        self._write(h11.Request(method=scope["method"], target=self._target, headers=headers))
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return False
            if body := message.get("body", b""):
                self._write(h11.Data(data=body))
                await self._writer.drain()
            more = message.get("more_body", False)
        self._write(h11.EndOfMessage())
        await self._writer.drain()
        return True

    async def _send_reply(self, send: Send) -> None:
        """The reply, as it comes in."""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                assert self._reader is not None
                self._http.receive_data(await self._reader.read(PIECE))
            elif isinstance(event, h11.Response):
                self.answering = True
                await send({"type": "http.response.start", "status": event.status_code, "headers": _kept(event.headers)})
            elif isinstance(event, h11.Data):
                await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
            elif isinstance(event, h11.EndOfMessage):
                await send({"type": "http.response.body", "body": b""})
                return
            elif isinstance(event, h11.ConnectionClosed):
                raise h11.RemoteProtocolError("the solver's port closed before it answered")

    def _write(self, event: h11.Event) -> None:
        assert self._writer is not None
        if data := self._http.send(event):
            self._writer.write(data)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _kept(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.lower() not in _HOP]


def _refuse(status: int, message: str, code: str) -> JSONResponse:
    return JSONResponse({"error": message, "code": code}, status)
