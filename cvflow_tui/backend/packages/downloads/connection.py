"""One HTTP/1.1 connection: h11 reads the heads, and bodies whose length is told are received straight into the caller's memory.

A client that takes bodies apart as well copies each byte three times; over a fast network that is most of what a download costs.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import h11
import httpcore
import httpx

_READ = 64 << 10
_HEAD_LIMIT = 100 << 10
"""Bytes that a head may have."""

_ERRORS: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.WriteError: httpx.WriteError,
    h11.RemoteProtocolError: httpx.RemoteProtocolError,
    h11.LocalProtocolError: httpx.LocalProtocolError,
    TimeoutError: httpx.ReadTimeout,
    OSError: httpx.ReadError,
}
"""What goes wrong below, in httpx's words; the first that fits."""


@contextmanager
def in_httpx_words() -> Iterator[None]:
    """Raise httpx's errors for those of the connection."""
    try:
        yield
    except tuple(_ERRORS) as error:
        raise next(meant for kind, meant in _ERRORS.items() if isinstance(error, kind))(str(error)) from error


class Connection:
    """Answers one request after the other. One thread at a time."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self.stream = stream
        self.idle_since = time.monotonic()
        self._h11 = h11.Connection(h11.CLIENT, _HEAD_LIMIT)
        self._timeout: float | None = None
        self._ahead = memoryview(b"")
        """What came with the head of a body whose length is told."""
        self._left: int | None = None
        """Bytes to come of such a body; None: h11 finds the end."""
        self._over = True
        """Whether the body came to its end."""

    @property
    def is_reusable(self) -> bool:
        """Whether the next request may be sent over it."""
        # Of a body that went past h11, it only knows the head, which says whether the connection stays.
        clean = self._left == 0 or (self._h11.their_state is h11.DONE and not self._h11.trailing_data[0])
        return self._over and clean and not self._ahead and self._h11.our_state is h11.DONE

    @property
    def is_open(self) -> bool:
        """Whether the server has left an idle connection as it was."""
        return not self.stream.get_extra_info("is_readable")

    def ask(self, request: httpx.Request) -> h11.Response:
        """Send a request; the head of its reply."""
        told = request.extensions.get("timeout", {})
        self._timeout = told.get("read")
        self._h11, self._ahead, self._left, self._over = h11.Connection(h11.CLIENT, _HEAD_LIMIT), memoryview(b""), None, False
        head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
        assert isinstance(request.stream, httpx.SyncByteStream)
        body = [h11.Data(data=data) for data in request.stream if data]
        try:
            for part in (head, *body, h11.EndOfMessage()):
                self.stream.write(self._h11.send(part) or b"", told.get("write"))
        except httpcore.WriteError:
            pass  # a server may refuse a request before it has read all of it: its reply says why
        while not isinstance(event := self._next(), h11.Response):
            if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise h11.RemoteProtocolError("the server answers in another protocol")
        self._left = _told_length(event, request.method)
        if self._left is not None:
            self._ahead = memoryview(self._h11.trailing_data[0])
        return event

    def read_into(self, buffer: memoryview) -> int:
        """Receive some bytes of the body; 0 at its end."""
        if self._left is None:
            return self._parsed(buffer)
        if self._left == 0:
            self._over = True
            return 0
        wanted = buffer[: self._left]
        if self._ahead:
            count = min(len(wanted), len(self._ahead))
            wanted[:count], self._ahead = self._ahead[:count], self._ahead[count:]
        else:
            count = self._received(wanted)
        self._left -= count
        self._over = self._left == 0
        return count

    def close(self) -> None:
        """Close it."""
        self.stream.close()

    def _received(self, wanted: memoryview) -> int:
        """Some bytes from the network. TLS hands out its records one by one: as many as are there are put together."""
        connection: socket.socket = self.stream.get_extra_info("socket")
        connection.settimeout(self._timeout)
        count = connection.recv_into(wanted)
        if not count:
            raise h11.RemoteProtocolError(f"the server closed the connection with {self._left:,} bytes to come")
        if isinstance(connection, ssl.SSLSocket):
            with suppress(OSError):  # what has come is handed out, and the next call meets the error again
                while count < len(wanted) and self.stream.get_extra_info("is_readable") and (more := connection.recv_into(wanted[count:])):
                    count += more
        return count

    def _parsed(self, buffer: memoryview) -> int:
        """The same for a body in chunks, or one that ends with its connection."""
        while not self._ahead and not self._over:
            event = self._next()
            if isinstance(event, h11.Data):
                self._ahead = memoryview(bytes(event.data))
            else:
                self._over = True
        count = min(len(buffer), len(self._ahead))
        buffer[:count], self._ahead = self._ahead[:count], self._ahead[count:]
        return count

    def _next(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._h11.next_event()
            if isinstance(event, h11.Event):
                return event
            if event is h11.PAUSED:
                return h11.PAUSED
            data = self.stream.read(_READ, self._timeout)
            if not data and self._h11.their_state is h11.SEND_RESPONSE:
                raise h11.RemoteProtocolError("the server closed the connection without an answer")
            self._h11.receive_data(data)


def _told_length(head: h11.Response, method: str) -> int | None:
    """How long the body is, where nothing but a Content-Length says so (h11 has seen that there is one of them, and a number)."""
    headers = dict(head.headers)
    if method == "HEAD" or head.status_code in (204, 304) or b"transfer-encoding" in headers or b"content-length" not in headers:
        return None
    return int(headers[b"content-length"])
