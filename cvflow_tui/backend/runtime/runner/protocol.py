"""uvicorn's protocol: headers bounded, bodies handed on without the copies that it makes of them."""

from __future__ import annotations

import asyncio
import json
import logging
from functools import partial
from typing import Any, cast

from httptools import HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cvflow_tui.backend.runtime.runner.direct import Direct
from cvflow_tui.backend.runtime.runner.incoming import WAITING, WHOLE, headers_of
from cvflow_tui.backend.runtime.runner.limits import Limits
from cvflow_tui.backend.runtime.runner.lingering import LINGER_HEADER_BYTES, LingeringOutlet

log = logging.getLogger(__name__)

_PATH, _BEGINNING = "/infer", b"POST /infer"
HOLD_SECONDS = 0.02
"""How long a request whose headers came alone may wait for its body, which mostly comes whole; then it is begun with as it is."""

READ_BYTES = 512 * 1024
"""What is read from a connection at a time at most, and what of a body may wait to be taken before reading stops."""


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose request line and headers grow beyond the limit. What `direct` takes, it answers without a task."""

    direct: Direct | None = None
    """None in the daemon, which has no short way."""
    _limit = Limits().header
    _patience = Limits().header_seconds
    _in_headers = True
    _received = 0
    _timer: asyncio.TimerHandle | None = None
    _feeding = False
    _due: tuple[Any, Any] | None = None
    """The request to begin with once what was read has been looked through."""
    _holding: asyncio.TimerHandle | None = None
    """While a request whose headers came alone waits for its body's first piece: most clients send the two one after the other."""
    _idle_since: float | None = None
    _head: tuple[object, bytes] = (None, b"")
    """The server's own headers, and how a reply begins with them; one for all connections."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected: its first request must begin."""
        self._outlet = LingeringOutlet(cast(asyncio.Transport, transport), self._unread)
        super().connection_made(cast(asyncio.Transport, self._outlet))
        self._timer = self.loop.call_later(self._patience, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; what it waits for need not be worked on."""
        super().connection_lost(exc)
        self._outlet.gone()
        self._stop_timer()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        if self._holding is not None:
            self._holding.cancel()
            self._go_on()
        waiting: Any = self.cycle.scope.get(WAITING) if self.cycle is not None else None
        if waiting is not None:
            waiting.cancel()

    def _unread(self) -> bool:
        """Whether more of a request's body is to come."""
        return self.cycle is not None and bool(self.cycle.more_body)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and begin with the request that came."""
        if self._outlet.drop(len(data)):
            return
        if self._holding is not None:
            self._holding.cancel()
            self._holding = None
            if self._take_whole(data):
                return
        self._feed(data)
        self._begin()

    def message_received(self, data: memoryview, end: int) -> None:
        """The same for data whose first empty line, which may be the end of a request's headers, ends at `end`."""
        if self._holding is not None or self._outlet.is_closing():
            self.data_received(cast(bytes, data))
            return
        self._feed(cast(bytes, data[:end]))
        body = data[end:]
        if body and not self.transport.is_closing():
            if self._take_whole(body):
                return
            self._feed(cast(bytes, body))
        self._begin()

    def _feed(self, data: bytes) -> None:
        self._feeding = True
        super().data_received(data)
        self._feeding = False
        if self._in_headers:
            self._received += len(data)
            if self._received > self._limit:
                log.warning("a request's headers were longer than %d bytes", self._limit)
                self.send_400_response("Request header fields too large.")
            elif self._timer is None and self._received:
                self._timer = self.loop.call_later(self._patience, self._too_slow)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request in the shape that every error has, and end the connection."""
        body = json.dumps({"error": msg, "code": "usage"}).encode()
        head = b"".join(b"%s: %s\r\n" % pair for pair in [*self.server_state.default_headers, (b"content-type", b"application/json")])
        end = b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n%s%s" % (head, end))
        self._outlet.linger(LINGER_HEADER_BYTES)

    def _too_slow(self) -> None:
        """End a connection whose headers do not come to their end."""
        self._timer = None
        if self._in_headers:
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_headers, self._received = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its body begins."""
        self._in_headers = False
        if self._timer is not None:
            self._stop_timer()
        super().on_headers_complete()

    # -- a request is begun with once what came has been read: mostly it came whole

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if self._feeding:
            self._due = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def _begin(self) -> None:
        """The short way if it is open, else the long one; where nothing of its body has come, shortly after."""
        if self._due is None:
            return
        cycle, app = self._due
        if not cycle.more_body:
            cycle.scope[WHOLE] = True
            if self._take(cycle, cycle.body):
                self._due = None
                return
        elif not cycle.body and not cycle.waiting_for_100_continue and cycle.scope["path"] == _PATH and not self.transport.is_closing():
            self._holding = self.loop.call_later(HOLD_SECONDS, self._go_on)
            return
        self._due = None
        super()._start_asgi_task(cycle, app)

    def _go_on(self) -> None:
        """The body has still not begun, or never will."""
        self._holding = None
        if self._due is not None:
            (cycle, app), self._due = self._due, None
            super()._start_asgi_task(cycle, app)

    def _take_whole(self, body: bytes | memoryview) -> bool:
        """A body that came in one piece is handed on where it lies: the parser would copy it.

        Whether it was; then that parser waits for it in vain, and another takes its place.
        """
        if self._due is None:
            return False
        cycle = self._due[0]
        whole = cycle.more_body and not cycle.body and headers_of(cycle.scope).get(b"content-length") == b"%d" % len(body)
        if not whole or not self._take(cycle, body):
            return False
        self._due, cycle.more_body, self.parser = None, False, HttpRequestParser(self)
        return True

    def _take(self, cycle: Any, body: Any) -> bool:
        if self.direct is None or cycle.waiting_for_100_continue or self.flow.write_paused or self.transport.is_closing():
            return False  # who does not read what was answered, waits: only the long way can
        return self.direct.take(cycle.scope, body, partial(self._answer, cycle), partial(super()._start_asgi_task, cycle))

    def _answer(self, cycle: Any, body: bytes) -> None:
        """Send a result: the bytes that uvicorn would send, in one piece."""
        cycle.on_response = _nothing  # it leads back here; the two would keep each other
        if cycle.disconnected:
            return
        head = b"" if cycle.keep_alive else b"connection: close\r\n"
        self.transport.write(b"%scontent-length: %d\r\n%s\r\n%s" % (self._beginning(), len(body), head, body))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _beginning(self) -> bytes:
        """The status line and the headers that every result has."""
        defaults = self.server_state.default_headers  # another list each second
        if BoundedProtocol._head[0] is not defaults:
            lines = b"".join(b"%s: %s\r\n" % pair for pair in [*defaults, (b"content-type", b"application/json")])
            BoundedProtocol._head = defaults, b"HTTP/1.1 200 OK\r\n" + lines
        return BoundedProtocol._head[1]

    # -- idle connections: one timer for as long as a connection lives, not one for each of its requests

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def on_response_complete(self) -> None:
        """The next request's turn, or the beginning of idleness."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that has been idle for so long; look again when it may have been."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None or self.transport.is_closing():
            return  # the end of the next answer sets the timer anew
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            self.transport.close()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)

    def on_body(self, body: bytes) -> None:
        """A piece of the body: kept as it is while it is the only one that waits, where uvicorn would copy it twice."""
        cycle: Any = self.cycle
        if cycle.response_complete:
            return
        cycle.body = cycle.body + body if cycle.body else body
        if len(cycle.body) > READ_BYTES:
            self.flow.pause_reading()
        cycle.message_event.set()


class Intake(asyncio.BufferedProtocol):
    """A connection's end at the transport: reads into one buffer for all of them, since each reading is used up before the next begins."""

    _bytes = bytearray(READ_BYTES)
    _buffer = memoryview(_bytes)

    def __init__(
        self, direct: Direct, config: Any, server_state: Any, app_state: Any, _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self._http = BoundedProtocol(config, server_state, app_state, _loop)
        self._http.direct = direct

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._http.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._http.connection_lost(exc)

    def pause_writing(self) -> None:
        """The client reads more slowly than it is sent to."""
        self._http.pause_writing()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._http.resume_writing()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to read to."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Something was read; the parser takes whatever has a buffer."""
        read = self._buffer[:nbytes]
        # What begins otherwise, or in the middle of something, is not mistaken for it: the parser has the last word.
        if self._bytes.startswith(_BEGINNING) and (end := self._bytes.find(b"\r\n\r\n", 0, nbytes)) > 0:
            self._http.message_received(read, end + 4)
        else:
            self._http.data_received(cast(bytes, read))


def _nothing() -> None:
    """What follows a response whose end is known already."""
