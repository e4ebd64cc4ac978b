"""The way without a proxy: connections of our own, kept for the requests that follow."""

from __future__ import annotations

import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Iterator

import httpcore
import httpx

from cvflow_tui.backend.packages.downloads.bodies import READ_INTO, RECEIVED
from cvflow_tui.backend.packages.downloads.connection import Connection, in_httpx_words

IDLE_SECONDS = 5.0
"""How long a connection is kept that nobody uses."""

_PORTS = {"http": 80, "https": 443}

Place = tuple[str, str, int]
"""Scheme, host, port."""


class DirectTransport(httpx.BaseTransport):
    """Sends requests over HTTP/1.1 to where `backend` connects. Thread-safe; a connection carries one request at a time."""

    def __init__(self, backend: httpcore.NetworkBackend, context: ssl.SSLContext) -> None:
        context.set_alpn_protocols(["http/1.1"])
        self._backend = backend
        self._context = context
        self._guard = threading.Lock()
        self._idle: defaultdict[Place, list[Connection]] = defaultdict(list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the head of its reply. Raises httpx's errors, and what `backend` raises."""
        url = request.url
        place = (url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])
        with in_httpx_words():
            connection = self._kept(place) or self._connect(place, request.extensions.get("timeout", {}).get("connect"))
            try:
                head = connection.ask(request)
            except BaseException:
                connection.close()
                raise
        body = _Body(self, place, connection)
        told = {"http_version": b"HTTP/" + head.http_version, "reason_phrase": head.reason, "network_stream": connection.stream}
        return httpx.Response(
            head.status_code, headers=head.headers.raw_items(), stream=body, extensions={**told, READ_INTO: body.read_into}
        )

    def close(self) -> None:
        """Close the connections that nobody uses; the others close with their replies."""
        with self._guard:
            idle, self._idle = self._idle, defaultdict(list)
        for connection in (each for kept in idle.values() for each in kept):
            connection.close()

    def give_back(self, place: Place, connection: Connection) -> None:
        """Keep a connection for the next request, if it can carry one."""
        if not connection.is_reusable:
            connection.close()
            return
        connection.idle_since = time.monotonic()
        with self._guard:
            self._idle[place].append(connection)

    def _kept(self, place: Place) -> Connection | None:
        while True:
            with self._guard:
                connection = self._idle[place].pop() if self._idle[place] else None
            if connection is None or (connection.is_open and time.monotonic() - connection.idle_since < IDLE_SECONDS):
                return connection
            connection.close()

    def _connect(self, place: Place, seconds: float | None) -> Connection:
        scheme, host, port = place
        stream = self._backend.connect_tcp(host, port, seconds)
        # A stream that cannot be made a TLS one closes itself.
        return Connection(stream.start_tls(self._context, host, seconds) if scheme == "https" else stream)


class _Body(httpx.SyncByteStream):
    """What follows a head. Closing it gives the connection back, or ends it where the body was not read to its end."""

    def __init__(self, transport: DirectTransport, place: Place, connection: Connection) -> None:
        self._transport = transport
        self._place = place
        self._connection: Connection | None = connection

    def __iter__(self) -> Iterator[bytes]:
        buffer = memoryview(bytearray(RECEIVED))
        while count := self.read_into(buffer):
            yield bytes(buffer[:count])

    def read_into(self, buffer: memoryview) -> int:
        """Receive some bytes; 0 at the end."""
        if self._connection is None:
            raise httpx.StreamClosed
        with in_httpx_words():
            return self._connection.read_into(buffer)

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._transport.give_back(self._place, connection)
