"""Rule 2 at a runner's port: foreign hosts and pages are refused on every route and method; JSON routes take JSON alone."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Site, multipart

METHODS = ("get", "put", "post", "delete")


@pytest.fixture(scope="module")
def client(shared_site: Site, spec_of: Callable[..., RunSpec]) -> Client:
    return shared_site.start(spec_of("Echo"))


@pytest.fixture(scope="module")
def routes(client: Client) -> list[tuple[str, str]]:
    paths: dict[str, Any] = client.send("GET", "/openapi.json").json["paths"]
    filled = {"{job}": "x", "{name}": "x.csv", "{model}": "echo", "{version}": "1.2.3"}
    found = []
    for path, methods in paths.items():
        for name, value in filled.items():
            path = path.replace(name, value)  # noqa: PLW2901
        found += [(method.upper(), path) for method in METHODS if method in methods]
    assert len(found) > 30
    return found


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "8.8.8.8"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_every_route_refuses_a_foreign_host_or_page(client: Client, routes: list[tuple[str, str]], headers: dict[str, str]) -> None:
    for method, path in routes:
        reply = client.send(method, path, headers={"Authorization": f"Bearer {client.token}", **headers})
        assert (method, path, reply.status, reply.json["code"]) == (method, path, 403, "refused")
    assert client.send("GET", "/_status").json["state"] == "ready"  # POST /_cvflow/stop was among them


def test_no_reply_allows_another_page_anything(client: Client, routes: list[tuple[str, str]]) -> None:
    port = client.port
    for method, path in [*routes, ("OPTIONS", "/infer"), ("OPTIONS", "/predict")]:
        reply = client.send(method, path, headers={"Origin": f"http://127.0.0.1:{port}"})
        assert not [name for name in reply.headers if name.startswith("access-control-")], (method, path)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None])
@pytest.mark.parametrize("path", ["/predict", "/setup", "/webhook", "/train", "/_cvflow/variants/x", "/_cvflow/variants/x/promote"])
def test_json_routes_take_json_alone(client: Client, path: str, kind: str | None) -> None:
    headers = {"Authorization": f"Bearer {client.token}"} | ({} if kind is None else {"Content-Type": kind})
    method = "PUT" if path == "/_cvflow/variants/x" else "POST"
    assert client.send(method, path, json.dumps({}), headers).status == 415


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_what_a_page_could_send_without_asking_is_no_tensor(client: Client, kind: str) -> None:
    assert client.send("POST", "/v2/models/echo/infer", b"{}", {"Content-Type": kind}).status == 415


@pytest.mark.parametrize("hosts", [("127.0.0.1", "evil.example"), ("evil.example", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")])
def test_a_request_has_one_host(client: Client, hosts: tuple[str, str], picture: bytes) -> None:
    head = f"POST /infer HTTP/1.1\r\nHost: {hosts[0]}\r\nHost: {hosts[1]}\r\nContent-Length: {len(picture)}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
        connection.sendall(head.encode() + picture)
        with connection.makefile("rb") as replies:
            assert replies.read().startswith(b"HTTP/1.1 400 ")


def test_a_compressed_picture_is_not_taken(client: Client, picture: bytes) -> None:
    kind, body = multipart(picture)
    for sent, content in ((gzip.compress(picture), "image/png"), (gzip.compress(body), kind)):
        reply = client.send("POST", "/infer", sent, {"Content-Type": content, "Content-Encoding": "gzip"})
        assert (reply.status, reply.json["error"]) == (415, "a compressed body is not taken")
    assert client.send("POST", "/infer", picture, {"Content-Type": "image/png", "Content-Encoding": "identity"}).status == 200
