"""A way out for programs that follow redirects by themselves (uv, git): a proxy on loopback that holds every connection to our rules."""

from __future__ import annotations

import base64
import secrets
import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx

from cvflow_tui.backend.packages.downloads.outbound import Outbound, OutboundRefusedError

HEAD_LIMIT = 64 << 10
SECONDS = 15.0
"""How long a connection may take to be made, and a request to be told."""

_PIECE = 256 << 10


class Gate(socketserver.ThreadingTCPServer):
    """Lets through to https what `outbound` allows, to the very address that was looked at. Only who knows its address may use it."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, outbound: Outbound) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.outbound = outbound
        self.refused: list[str] = []
        """Why connections were not made, one sentence each."""
        word = secrets.token_urlsafe(24)
        self.key = f"Basic {base64.b64encode(f'cvflow:{word}'.encode()).decode()}"
        self.url = f"http://cvflow:{word}@127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke is told to who made it; nobody else has to know."""


@contextmanager
def gate(outbound: Outbound) -> Iterator[Gate]:
    """Keep a gate open."""
    with Gate(outbound) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05}, name="gate", daemon=True)
        thread.start()
        try:
            yield found
        finally:
            found.shutdown()
            thread.join()


class _Request(socketserver.BaseRequestHandler):
    """One `CONNECT HOST:PORT`."""

    server: Gate
    request: socket.socket

    def handle(self) -> None:
        """Make the connection, or say why not."""
        self.request.settimeout(SECONDS)
        lines = self._head().decode("latin-1").split("\r\n")
        method, _, rest = lines[0].partition(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if not secrets.compare_digest(headers.get("proxy-authorization", ""), self.server.key):
            self._answer("407 Proxy Authentication Required", "Proxy-Authenticate: Basic\r\n")
            return
        place = rest.partition(" ")[0]
        try:
            there = self._connected(place) if method == "CONNECT" else self._refuse_plain(place)
        except OutboundRefusedError as error:
            self.server.refused.append(error.message)
            self._answer("403 Forbidden")
        except (OSError, httpx.HTTPError, httpx.InvalidURL):
            self._answer("502 Bad Gateway")
        else:
            with there:
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self._relay(there)

    def _head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n") and len(head) < HEAD_LIMIT:
            piece = self.request.recv(1 if head.endswith(b"\r\n\r") else 4096)
            if not piece:
                break
            head += piece
        return head

    def _refuse_plain(self, url: str) -> socket.socket:
        """What is asked without TLS is never let through: `check` says why."""
        self.server.outbound.check(httpx.URL(url))
        raise OutboundRefusedError(f"{httpx.URL(url).host} is not asked over https: what comes cannot be trusted")

    def _connected(self, place: str) -> socket.socket:
        """A connection to HOST:PORT. Raises OutboundRefusedError, or why there is none."""
        url = httpx.URL(f"https://{place}/")
        self.server.outbound.check(url)
        failed: OSError = OSError(f"{url.host} has no address")
        for _, address in self.server.outbound.addresses(url.host, url.port or 443):
            try:
                return socket.create_connection((str(address[0]), url.port or 443), SECONDS)
            except OSError as error:
                failed = error
        raise failed

    def _answer(self, status: str, more: str = "") -> None:
        with suppress(OSError):
            self.request.sendall(f"HTTP/1.1 {status}\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())

    def _relay(self, there: socket.socket) -> None:
        """Hand on what either side sends until one is done."""
        ends = {self.request: there, there: self.request}
        for each in ends:
            each.settimeout(None)
        with suppress(OSError):
            while True:
                for ready in select.select(list(ends), (), ())[0]:
                    data = ready.recv(_PIECE)
                    if not data:
                        return
                    ends[ready].sendall(data)
