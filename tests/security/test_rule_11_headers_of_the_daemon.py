"""Rule 11 at the daemon's ports: headers are bounded in bytes and in time, before anybody has shown a token."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvflow_tui.backend.daemon import EmbeddedDaemon
from cvflow_tui.backend.runtime.runner.protocol import BoundedProtocol
from cvflow_tui.home import Home
from tests.runtime.helpers import Client


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedDaemon]:
    monkeypatch.setattr(BoundedProtocol, "_patience", 0.5)
    daemon = EmbeddedDaemon(Home(tmp_path / "home"))
    daemon.start()
    yield daemon
    daemon.stop()


def port_of(daemon: EmbeddedDaemon) -> int:
    return int(daemon.url.rpartition(":")[2])


def answers(daemon: EmbeddedDaemon) -> bool:
    return Client(port_of(daemon), headers={"Authorization": f"Bearer {daemon.token}"}).send("GET", "/api/v1/status").status == 200


@pytest.mark.slow
def test_headers_without_end_are_cut_off(daemon: EmbeddedDaemon) -> None:
    sent = 0
    with socket.create_connection(("127.0.0.1", port_of(daemon)), 10) as connection, pytest.raises(OSError):
        connection.sendall(b"GET /api/v1/status HTTP/1.1\r\n")
        while sent < 64 << 20:
            connection.sendall(b"X: " + b"a" * 60_000 + b"\r\n")
            sent += 60_000
    assert answers(daemon)


@pytest.mark.slow
@pytest.mark.parametrize("begun", [b"", b"GET /api/v1/st"])
def test_who_sends_no_headers_is_let_go(daemon: EmbeddedDaemon, begun: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port_of(daemon)), 30) as connection:
        connection.sendall(begun)
        assert connection.recv(100) == b""
    assert answers(daemon)
