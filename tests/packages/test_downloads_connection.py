"""The connections of downloads, against a server that sends exactly the bytes it is told: how bodies end, which connections are kept."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.downloads.bodies import RECEIVED, body_of
from cvflow_tui.backend.packages.downloads.client import CheckedTransport, open_client
from cvflow_tui.backend.packages.downloads.direct import DirectTransport
from cvflow_tui.backend.packages.downloads.hashing import BUFFERS, SYNCED, Hashing, Syncing
from cvflow_tui.backend.packages.downloads.outbound import Outbound
from cvflow_tui.model.circumstances import Circumstances

from .parts import payload, sha256

BODY = payload(700_000)
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


class Scripted:
    """Answers each request, over whichever connection it comes, with the next of its replies; one that ends with None closes it."""

    def __init__(self) -> None:
        self.replies: list[tuple[bytes | None, ...]] = []
        self.requests: list[tuple[int, bytes]] = []
        """Number of the connection, and the first line."""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/n"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()
            number += 1

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(ConnectionError), connection, connection.makefile("rb") as asked:
            while line := asked.readline():
                while asked.readline() not in (b"\r\n", b""):
                    pass
                self.requests.append((number, line.strip()))
                for part in self.replies.pop(0):
                    if part is None:
                        return
                    connection.sendall(part)


@pytest.fixture
def server() -> Iterator[Scripted]:
    scripted = Scripted()
    yield scripted
    scripted.close()


@pytest.fixture
def client(server: Scripted) -> Iterator[httpx.Client]:
    with open_client(Outbound.of(Circumstances(), ["127.0.0.1"]), 5.0) as client:
        yield client


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def read(client: httpx.Client, url: str, size: int = RECEIVED) -> bytes:
    """A body, received the way downloads do it."""
    found, buffer = bytearray(), memoryview(bytearray(size))
    with client.stream("GET", url) as reply:
        receive = body_of(reply)
        while count := receive(buffer):
            found += buffer[:count]
        assert receive(buffer) == 0
    return bytes(found)


@pytest.mark.parametrize("size", [10_000, RECEIVED])
@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ((OK + LENGTH % len(BODY) + BODY,), True),
        ((OK + LENGTH % len(BODY), BODY[:5], BODY[5:]), True),
        ((b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + OK + LENGTH % len(BODY) + BODY,), True),
        ((OK + b"Content-Length: %d\r\n" % len(BODY) + LENGTH % len(BODY) + BODY,), True),
        ((OK + CHUNKED + chunked(BODY[:3], BODY[3:]),), True),
        ((OK + b"Connection: close\r\n" + LENGTH % len(BODY) + BODY, None), False),
        ((b"HTTP/1.0 200 OK\r\n" + LENGTH % len(BODY) + BODY, None), False),
        ((OK + b"\r\n" + BODY, None), False),
        ((OK + LENGTH % len(BODY) + BODY + b"and what nobody asked for",), False),
        ((OK + CHUNKED + chunked(BODY) + b"and what nobody asked for",), False),
    ],
    ids=["told", "in pieces", "after a hint", "told twice", "chunked", "closing", "of 1.0", "until the end", "more", "chunked and more"],
)
def test_a_body_ends_where_its_server_says(
    client: httpx.Client, server: Scripted, reply: tuple[bytes | None, ...], kept: bool, size: int
) -> None:
    server.replies = [reply, (OK + LENGTH % 1 + b"x",)]
    assert read(client, server.url, size) == BODY
    assert read(client, server.url) == b"x"
    assert [number for number, _ in server.requests] == [0, 0 if kept else 1]


@pytest.mark.parametrize(
    "reply",
    [
        (OK + LENGTH % len(BODY) + BODY[:-1], None),
        (OK + LENGTH % len(BODY), None),
        (OK + CHUNKED + chunked(BODY)[:-5], None),
        (OK + b"Content-Length: 5\r\n" + LENGTH % 6 + BODY, None),
        (OK + b"Content-Length: -5\r\n\r\n", None),
        (b"nonsense\r\n\r\n", None),
        (OK + b"X: " + b"x" * 200_000 + b"\r\n\r\n", None),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", None),
        (None,),
    ],
)
def test_what_is_no_whole_reply_is_an_error(client: httpx.Client, server: Scripted, reply: tuple[bytes | None, ...]) -> None:
    server.replies = [reply]
    with pytest.raises(httpx.TransportError):
        read(client, server.url)


def test_a_connection_whose_body_was_not_read_to_its_end_is_not_used_again(client: httpx.Client, server: Scripted) -> None:
    server.replies = [(OK + LENGTH % len(BODY) + BODY,), (OK + LENGTH % 1 + b"x",)]
    with client.stream("GET", server.url) as reply:
        assert body_of(reply)(memoryview(bytearray(10))) > 0
    assert read(client, server.url) == b"x" and [number for number, _ in server.requests] == [0, 1]
    with pytest.raises(httpx.StreamClosed):
        body_of(reply)(memoryview(bytearray(10)))


def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again(client: httpx.Client, server: Scripted) -> None:
    server.replies = [(OK + LENGTH % 1 + b"x", None), (OK + LENGTH % 1 + b"y",)]
    assert read(client, server.url) == b"x"
    assert isinstance(client._transport, CheckedTransport)
    [way] = client._transport._ways.values()
    assert isinstance(way, DirectTransport)
    [[connection]] = way._idle.values()
    while connection.is_open:
        time.sleep(0.01)
    assert read(client, server.url) == b"y" and [number for number, _ in server.requests] == [0, 1]


def test_heads_and_what_has_no_body(client: httpx.Client, server: Scripted) -> None:
    server.replies = [(OK + LENGTH % 9,), (b"HTTP/1.1 204 No Content\r\n\r\n",), (OK + LENGTH % 0,), (OK + LENGTH % 1 + b"x",)]
    assert client.head(server.url).headers["content-length"] == "9"
    assert client.get(server.url).content == client.get(server.url).content == b""
    assert client.get(server.url).text == "x"
    assert [number for number, _ in server.requests] == [0] * 4


def test_a_download_through_a_proxy(tmp_path: Path, server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy's own connection is httpx's: its bodies come in pieces of httpx's choice."""
    monkeypatch.setattr("cvflow_tui.backend.packages.downloads.client.is_local", lambda host: False)
    monkeypatch.setenv("HTTP_PROXY", server.url)
    server.replies = [(OK + LENGTH % len(BODY) + BODY,)]
    url = "http://127.0.0.1:9/n"
    got = Downloads(tmp_path / "downloads").get(url, sha256(BODY), "n", tmp_path / "got", Progress())
    assert (tmp_path / "got").read_bytes() == BODY and got.size == len(BODY)
    assert server.requests == [(0, f"GET {url} HTTP/1.1".encode())]


# -- beside the connection


def test_the_hash_is_of_everything_in_its_order_however_far_it_lags() -> None:
    data, digest = payload(4_000_000), hashlib.sha256(b"before")
    with Hashing(digest) as hashing:
        for start in range(0, len(data), 100_000):
            buffer = hashing.lend()
            buffer[:100_000] = data[start : start + 100_000]
            hashing.add(buffer, 100_000)
        assert hashing._made <= BUFFERS
        assert hashing.hexdigest() == sha256(b"before" + data)
    assert not any(thread.name == "download-hash" for thread in threading.enumerate())


def test_what_did_not_reach_the_disk_while_it_was_written_is_told_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system tells such a failure once."""
    asked = threading.Event()

    def fail(descriptor: int) -> None:
        asked.set()
        raise OSError(errno.EIO, "a bad disk")

    monkeypatch.setattr(os, "fdatasync", fail)
    with (tmp_path / "file").open("wb") as file, Syncing(file.fileno()) as syncing:
        syncing.at(SYNCED)
        assert asked.wait(10)
        with pytest.raises(OSError, match="a bad disk"):
            syncing.finish()
    assert not any(thread.name == "download-sync" for thread in threading.enumerate())
