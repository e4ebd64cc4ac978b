"""uvicorn's protocol: headers bounded, bodies handed on without the copies that it makes of them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cvflow_tui.backend.runtime.outlet import Outlet
from cvflow_tui.backend.runtime.runner.incoming import WAITING
from cvflow_tui.backend.runtime.runner.limits import Limits

log = logging.getLogger(__name__)

READ_BYTES = 512 * 1024
"""What is read from a connection at a time at most, and what of a body may wait to be taken before reading stops."""


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose request line and headers grow beyond the limit."""

    _limit = Limits().header
    _patience = Limits().header_seconds
    _in_headers = True
    _received = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected: its first request must begin."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(self._patience, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; what it waits for need not be worked on."""
        super().connection_lost(exc)
        self._stop_timer()
        waiting: Any = self.cycle.scope.get(WAITING) if self.cycle is not None else None
        if waiting is not None:
            waiting.cancel()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; count what came while headers are still open."""
        super().data_received(data)
        if self._in_headers:
            self._received += len(data)
            if self._received > self._limit:
                log.warning("a request's headers were longer than %d bytes", self._limit)
                self.send_400_response("Request header fields too large.")
            elif self._timer is None and self._received:
                self._timer = self.loop.call_later(self._patience, self._too_slow)

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

    _buffer = memoryview(bytearray(READ_BYTES))

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._http = BoundedProtocol(config, server_state, app_state, _loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._http.connection_made(cast(asyncio.Transport, Outlet(cast(asyncio.Transport, transport))))

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
        """Something was read."""
        self._http.data_received(cast(bytes, self._buffer[:nbytes]))  # the parser takes whatever has a buffer
