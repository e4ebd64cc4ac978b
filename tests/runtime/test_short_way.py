"""The short way of a plain picture: which requests take it, and that nobody can tell from the answer."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from cvflow_tui.backend.runtime.runner import protocol
from cvflow_tui.backend.runtime.runner.direct import Direct, Otherwise, Reply
from cvflow_tui.backend.runtime.runner.scratch import SPARE_BYTES
from cvflow_tui.backend.runtime.runner.server import Server
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Site, make_picture, until

Specs = Callable[..., RunSpec]


@pytest.fixture(scope="module")
def digest(shared_site: Site, spec_of: Specs) -> Client:
    return shared_site.start(spec_of("Digest"))


@pytest.fixture(scope="module")
def slow(shared_site: Site, spec_of: Specs) -> Client:
    return shared_site.start(spec_of("Slow"))


def head(length: int, query: str = "", *lines: str, version: str = "1.1") -> bytes:
    told = "".join(f"{line}\r\n" for line in lines)
    begun = f"POST /infer{query} HTTP/{version}\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
    return f"{begun}Content-Length: {length}\r\n{told}\r\n".encode()


@contextmanager
def connected(client: Client) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def answer(connection: socket.socket) -> tuple[bytes, dict[str, str], bytes]:
    """A reply's status line, headers and body."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    begin, _, body = received.partition(b"\r\n\r\n")
    status, *lines = begin.split(b"\r\n")
    headers = dict(line.decode().split(": ", 1) for line in lines)
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65536)
    return status, headers, body


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tricky() -> bytes:
    """A picture that looks like the beginning of a request, and like the end of one's headers, in its middle."""
    return make_picture() + b"\r\n\r\nPOST /infer HTTP/1.1\r\n\r\n"


def pieces_of(request: bytes, at: int) -> dict[str, list[bytes]]:
    """Ways in which a request may be cut on its way; its body begins at `at`."""
    return {
        "whole": [request],
        "headers first": [request[:at], request[at:]],
        "within the headers": [request[:9], request[9:]],
        "within the empty line": [request[: at - 2], request[at - 2 :]],
        "within the body": [request[: at + 50], request[at + 50 :]],
        "headers, then the body in two": [request[:at], request[at : at + 50], request[at + 50 :]],
        "at what looks like a beginning": [request[: request.rindex(b"POST")], request[request.rindex(b"POST") :]],
    }


@pytest.mark.parametrize("cut", list(pieces_of(head(1) + tricky(), len(head(1)))))
@pytest.mark.parametrize("pause", [0.0, 2 * protocol.HOLD_SECONDS])
def test_however_a_request_is_cut_its_bytes_arrive(digest: Client, cut: str, pause: float) -> None:
    with connected(digest) as connection:
        for _ in range(3):
            body = tricky()
            began = head(len(body))
            for number, piece in enumerate(pieces_of(began + body, len(began))[cut]):
                time.sleep(pause if number else 0)
                connection.sendall(piece)
            status, headers, told = answer(connection)
            assert status == b"HTTP/1.1 200 OK"
            assert headers["content-type"] == "application/json" and "date" in headers
            assert json.loads(told)["caption"] == sha256(body)


def test_the_answer_is_the_same_on_the_long_way(digest: Client, picture: bytes) -> None:
    with connected(digest) as connection:
        told = []
        for lines in ((), ("X-CVFlow-Timeout: 20",)):
            connection.sendall(head(len(picture), "", *lines) + picture)
            told.append(answer(connection))
    (status, headers, body), (long_status, long_headers, long_body) = told
    assert (status, body) == (long_status, long_body)
    assert headers.keys() == long_headers.keys()


@pytest.mark.parametrize(("version", "lines"), [("1.1", ("Connection: close",)), ("1.0", ())])
def test_a_connection_that_shall_end_ends(digest: Client, picture: bytes, version: str, lines: tuple[str, ...]) -> None:
    with connected(digest) as connection:
        connection.sendall(head(len(picture), "", *lines, version=version) + picture)
        status, headers, body = answer(connection)
        assert (status, headers["connection"]) == (b"HTTP/1.1 200 OK", "close")
        assert json.loads(body)["caption"] == sha256(picture)
        assert connection.recv(1) == b""


def test_refusals_are_the_long_ways_and_the_connection_goes_on(digest: Client, picture: bytes) -> None:
    def wrong(body: bytes, *replaced: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        begun = head(len(body))
        for old, new in replaced:
            begun = begun.replace(old, new)
        return begun, body

    cases = {
        b"403": wrong(picture, (b"localhost", b"example.com")),
        b"400": wrong(b"no picture at all"),
        b"415": wrong(picture, (b"image/jpeg", b"text/plain")),
        b"404": wrong(picture, (b"Content-Type", b"X-CVFlow-Variant: nobody\r\nContent-Type")),
        b"413": wrong(make_picture(20, 20, "PNG").replace(b"\x00\x00\x00\x14\x00\x00\x00\x14", b"\x00\x0f\x00\x00\x00\x0f\x00\x00")),
    }
    with connected(digest) as connection:
        for expected, (begun, body) in cases.items():
            connection.sendall(begun + body)
            status, _, told = answer(connection)
            assert status.split()[1] == expected, told
            assert set(json.loads(told)) == {"error", "code"}
        connection.sendall(head(len(picture)) + picture)
        assert json.loads(answer(connection)[2])["caption"] == sha256(picture)


def test_a_query_is_told_and_a_wrong_one_is_refused(slow: Client, picture: bytes) -> None:
    with connected(slow) as connection:
        connection.sendall(head(len(picture), "?seconds=0") + picture)
        assert json.loads(answer(connection)[2])["caption"] == "slept"
        connection.sendall(head(len(picture), "?seconds=often") + picture)
        status, _, body = answer(connection)
    assert (status.split()[1], json.loads(body)["code"]) == (b"400", "usage")


def test_who_expects_leave_to_go_on_is_given_it(digest: Client, picture: bytes) -> None:
    with connected(digest) as connection:
        connection.sendall(head(len(picture), "", "Expect: 100-continue"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(picture)
        assert json.loads(answer(connection)[2])["caption"] == sha256(picture)


def test_what_is_too_large_for_a_file_that_is_written_over_takes_the_long_way(digest: Client) -> None:
    picture = make_picture().ljust(SPARE_BYTES + 1, b"\0")
    with connected(digest) as connection:
        connection.sendall(head(len(picture)) + picture)
        assert json.loads(answer(connection)[2])["caption"] == sha256(picture)


def test_a_client_that_leaves_takes_its_picture_back(slow: Client, picture: bytes) -> None:
    before = slow.status()
    with connected(slow) as first, connected(slow) as second, connected(slow) as third:
        first.sendall(head(len(picture), "?seconds=0.5") + picture)
        until(lambda: slow.status()["waiting"] == 1)
        second.sendall(head(len(picture), "?seconds=0") + picture)
        third.sendall(head(len(picture), "?seconds=0") + picture)  # one call is sent ahead; the last waits here
        until(lambda: slow.status()["waiting"] == 3)
        third.close()
        until(lambda: slow.status()["requests"] == before["requests"] + 1)
        assert [json.loads(answer(each)[2])["caption"] for each in (first, second)] == ["slept", "slept"]
    after = slow.status()
    assert after["requests"] == before["requests"] + 3 and after["errors"] == before["errors"]
    assert (after["state"], after["waiting"]) == ("ready", 0)


def test_a_client_that_sends_headers_only_and_leaves_is_counted(slow: Client) -> None:
    before = slow.status()["requests"]
    with connected(slow) as connection:
        connection.sendall(head(100))
    until(lambda: slow.status()["requests"] == before + 1)
    assert slow.status()["state"] == "ready"


def test_a_worker_that_dies_is_told_as_ever(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = site.start(spec_of("Slow"))
    with connected(client) as connection:
        connection.sendall(head(len(picture), "?seconds=20") + picture)
        (worker,) = until(lambda: [each["pid"] for each in client.status()["workers"] if client.status()["waiting"]])
        os.kill(worker, signal.SIGKILL)
        status, _, body = answer(connection)
    assert (status.split()[1], json.loads(body)["code"]) == (b"503", "remote")


def test_a_runner_that_stops_ends_what_it_works_on(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = site.start(spec_of("Slow"))
    with connected(client) as connection:
        connection.sendall(head(len(picture), "?seconds=0.5") + picture)
        until(lambda: client.status()["waiting"])
        stopping = threading.Thread(target=site.supervisor.stop, args=("tests/demo/slow",))
        stopping.start()
        status, headers, body = answer(connection)
        assert (status, headers["connection"]) == (b"HTTP/1.1 200 OK", "close")
        assert json.loads(body)["caption"] == "slept"
        assert connection.recv(1) == b""
        stopping.join()


class Taking:
    """Stands for the short way: takes all that it is offered, and keeps it."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def take(self, scope: Scope, body: bytes | memoryview, reply: Reply, otherwise: Otherwise) -> bool:
        self.taken.append(bytes(body))
        asyncio.get_running_loop().call_soon(reply, b"short")
        return True


async def long_way(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"long"})


@contextmanager
def listening(taking: Taking, idle: float) -> Iterator[Client]:
    """A server of ours on a thread, whose connections may be idle for so long."""
    intake = cast(Any, partial(protocol.Intake, cast(Direct, taking)))
    config = uvicorn.Config(
        long_way, http=intake, ws="none", lifespan="off", log_config=None, interface="asgi3", timeout_keep_alive=cast(int, idle)
    )
    server = Server(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        try:
            until(lambda: server.started)
            yield Client(bound.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def test_which_requests_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HOLD_SECONDS", 5.0)
    body, taking = tricky(), Taking()
    began = head(len(body))
    with listening(taking, 5) as client, connected(client) as connection:
        for name, pieces in pieces_of(began + body, len(began)).items():
            for number, piece in enumerate(pieces):
                time.sleep(0.005 if number else 0)
                connection.sendall(piece)
            told = answer(connection)[2]
            assert told == b"short" or name not in ("whole", "headers first"), name  # the others as they are read
    assert set(taking.taken) == {body}


def test_an_idle_connection_ends_and_one_that_is_used_does_not() -> None:
    body = make_picture()
    with listening(Taking(), 0.4) as client, connected(client) as connection:
        for _ in range(4):
            time.sleep(0.2)
            connection.sendall(head(len(body)) + body)
            assert answer(connection)[2] == b"short"
        assert connection.recv(1) == b""


def test_a_body_that_keeps_its_client_waiting_is_begun_with_as_it_is() -> None:
    taking = Taking()
    with listening(taking, 0.4) as client, connected(client) as connection:
        connection.sendall(head(8))
        time.sleep(0.6)  # longer than an idle connection may be: this one is not idle
        connection.sendall(b"12345678")
        assert answer(connection)[2] == b"long"
    assert taking.taken == []
