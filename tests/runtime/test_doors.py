"""Who is let in: hosts, pages, tokens, sizes."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace

import pytest

from cvflow_tui.backend.runtime.runner.guard import Hosts
from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Site

CONTROL = [
    ("POST", "/train"),
    ("GET", "/train/x"),
    ("DELETE", "/train/x"),
    ("PUT", "/_cvflow/variants/a"),
    ("POST", "/_cvflow/variants/a/promote"),
    ("DELETE", "/_cvflow/variants/a"),
    ("POST", "/_cvflow/stop"),
]


@pytest.fixture(scope="module")
def client(shared_site: Site, spec_of: Callable[..., RunSpec]) -> Client:
    return shared_site.start(spec_of("Echo"))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.9.9.9:1", "[::1]:8080"])
def test_loopback_hosts_are_let_in(client: Client, host: str) -> None:
    assert client.send("GET", "/_status", headers={"Host": host}).status == 200


@pytest.mark.parametrize("host", ["example.com", "localhost.example.com", "127.0.0.1.nip.io", "10.0.0.1", "0.0.0.0", "", "[::2]", "::1x"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/_status"), ("POST", "/infer"), ("DELETE", "/train/x")])
def test_foreign_hosts_are_not(client: Client, host: str, method: str, path: str) -> None:
    reply = client.send(method, path, headers={"Host": host})
    assert (reply.status, reply.json["code"]) == (403, "refused")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_foreign_pages_are_not(client: Client, picture: bytes, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/"), ("POST", "/infer")):
        reply = client.send(method, path, picture if method == "POST" else None, {"Content-Type": "image/jpeg", **headers})
        assert reply.status == 403
        assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("size", [68_000_000, 20_000_000])
def test_who_is_refused_while_sending_still_hears_why(client: Client, size: int) -> None:
    """With `Connection: close` there is no next request that would have the rest of this one read."""
    host = {"Host": "example.com"} if size < 64 << 20 else {}
    asked = urllib.request.Request(f"http://127.0.0.1:{client.port}/infer", b"\0" * size, {"Content-Type": "image/png", **host})
    for _ in range(3):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(asked, timeout=30)
        assert refused.value.code == (403 if host else 413) and json.load(refused.value)["error"]


def test_who_goes_on_sending_is_let_go(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.port), 30) as connection:
        connection.sendall(b"POST /infer HTTP/1.1\r\nHost: x.com\r\nConnection: close\r\nContent-Length: 1000000000\r\n\r\n")
        reply = b""
        while more := connection.recv(65536):
            reply += more
        assert reply.startswith(b"HTTP/1.1 403 ") and reply.endswith(b"}")  # and no more is to come: it was said that it was all
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - began < 30:
                connection.sendall(b"x" * 1000)
                time.sleep(0.05)
        assert time.monotonic() - began < 20


def test_our_own_page_is(client: Client) -> None:
    headers = {"Host": "localhost:99", "Origin": "http://localhost:99", "Sec-Fetch-Site": "same-origin"}
    assert client.send("GET", "/", headers=headers).status == 200


@pytest.mark.parametrize(("method", "path"), CONTROL)
@pytest.mark.parametrize("authorization", [None, "Bearer ", "Bearer wrong", "Basic {token}", "{token}"])
def test_control_needs_the_token(client: Client, method: str, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.format(token=client.token)}
    reply = client.send(method, path, b"{}", headers)
    assert (reply.status, reply.json["code"]) == (403, "refused")
    assert client.status()["state"] == "ready"


def test_headers_without_end_are_cut_off(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        received = b""
        try:
            for _ in range(200):
                connection.sendall(b"a" * 4096)
            received = connection.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            pass
        assert received == b"" or received.startswith(b"HTTP/1.1 400")
    assert client.status()["state"] == "ready"


def test_a_long_query_is_refused(client: Client, picture: bytes) -> None:
    assert client.infer(picture, "?name=" + "x" * 70_000).status in (400, 414)


@pytest.mark.parametrize(
    ("bound", "host", "allowed"),
    [
        ("127.0.0.1", "192.168.1.5", False),
        ("0.0.0.0", "192.168.1.5:80", True),
        ("0.0.0.0", "evil.example", False),
        ("192.168.1.5", "192.168.1.5", True),
        ("::", "[fe80::1]:80", True),
    ],
)
def test_bound_elsewhere_addresses_are_let_in_and_names_are_not(bound: str, host: str, allowed: bool) -> None:
    assert Hosts(bound).allows(host) is allowed


def test_an_empty_token_closes_control(client: Client) -> None:
    from starlette.datastructures import Headers

    from cvflow_tui.backend.runtime.runner.faults import Fault
    from cvflow_tui.backend.runtime.runner.guard import check_token

    for given in ("Bearer ", "Bearer", ""):
        with pytest.raises(Fault) as refusal:
            check_token(Headers({"authorization": given}), "")
        assert refusal.value.status == 403
    assert replace(client, token="").control("POST", "/_cvflow/stop").status == 403
