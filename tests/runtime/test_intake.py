"""How bytes come in and go out: one buffer for all connections, one piece a turn."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cvflow_tui.backend.runtime.outlet import Outlet
from cvflow_tui.backend.runtime.runner.protocol import READ_BYTES
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Site, make_picture, multipart


@pytest.fixture(scope="module")
def digest(shared_site: Site, spec_of: Callable[..., RunSpec]) -> Client:
    return shared_site.start(spec_of("Digest"))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_bodies_of_many_clients_at_once_keep_to_themselves(digest: Client) -> None:
    pictures = [make_picture(64 + 60 * number, 300) for number in range(8)]

    def ask(number: int) -> list[tuple[str, str]]:
        picture = pictures[number]
        return [
            (digest.infer(picture).json["caption"], sha256(picture)),
            (digest.form(picture).json["caption"], sha256(picture)),
        ]

    with ThreadPoolExecutor(len(pictures)) as pool:
        for answers in pool.map(ask, list(range(len(pictures))) * 6):
            for told, true in answers:
                assert told == true


def test_a_body_longer_than_one_reading_arrives_whole(digest: Client) -> None:
    picture = make_picture(1200, 1200, "PNG")
    assert len(picture) > 2 * READ_BYTES
    assert digest.infer(picture).json["caption"] == sha256(picture)
    assert digest.form(picture).json["caption"] == sha256(picture)


def test_a_chunked_body_arrives_whole(digest: Client, picture: bytes) -> None:
    def pieces() -> Iterator[bytes]:
        for place in range(0, len(picture), 97):
            yield picture[place : place + 97]

    connection = http.client.HTTPConnection("127.0.0.1", digest.port, timeout=30)
    try:
        connection.request("POST", "/infer", pieces(), {"Content-Type": "image/jpeg"}, encode_chunked=True)
        assert json.loads(connection.getresponse().read())["caption"] == sha256(picture)
    finally:
        connection.close()


def test_requests_sent_without_waiting_are_answered_in_turn(digest: Client) -> None:
    pictures = [make_picture(40 + number, 40) for number in range(5)]
    head = "POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n{}\r\n"
    last = len(pictures) - 1
    asked = [
        head.format(len(body), "Connection: close\r\n" if number == last else "").encode() + body for number, body in enumerate(pictures)
    ]
    with socket.create_connection(("127.0.0.1", digest.port), timeout=30) as connection:
        connection.sendall(b"".join(asked))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    places = [answer.index(sha256(body).encode()) for body in pictures]
    assert places == sorted(places)
    assert answer.count(b"HTTP/1.1 200 OK") == len(pictures)


def test_a_form_in_one_byte_pieces_and_its_neighbour(digest: Client) -> None:
    small, other = make_picture(8, 8), make_picture(9, 9)
    kind, body = multipart(small)
    with socket.create_connection(("127.0.0.1", digest.port), timeout=30) as slow:
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        slow.sendall(f"POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for place in range(len(body)):
            slow.sendall(body[place : place + 1])
            if place % 100 == 0:
                assert digest.infer(other).json["caption"] == sha256(other)
        assert sha256(small).encode() in slow.recv(65536)


def test_a_lone_surrogate_is_no_reason_to_fail(digest: Client, picture: bytes) -> None:
    assert digest.infer(picture).json["word"] == "\u00e9?"


class Noted(asyncio.Transport):
    """A transport that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    "request_head",
    [
        b"NONSENSE\r\n\r\n",
        b"POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        b"GET /?" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_request_is_answered_in_the_shape_of_every_error(digest: Client, request_head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", digest.port), timeout=20) as connection:
        connection.sendall(request_head)
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        told = json.loads(reply.read())
        assert (reply.status, reply.getheader("content-type"), reply.getheader("connection")) == (400, "application/json", "close")
        assert told["code"] == "usage" and told["error"]
        assert connection.recv(1) == b"", "and the connection has ended"


def test_what_one_turn_writes_leaves_in_one_piece() -> None:
    async def told() -> tuple[list[bytes], bool]:
        noted = Noted()
        outlet = Outlet(noted)
        assert outlet.get_extra_info("peername") == ("127.0.0.1", 1)
        outlet.write(b"head ")
        outlet.write(b"body")
        assert noted.sent == []
        await asyncio.sleep(0)
        outlet.write(b"last")
        outlet.close()
        assert noted.closed
        outlet.write(b"too late")
        await asyncio.sleep(0)
        return noted.sent, noted.closed

    assert asyncio.run(told()) == ([b"head body", b"last"], True)
