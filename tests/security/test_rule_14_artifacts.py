"""Rule 14: what can be fetched has an opaque id; no part of an address is ever a path."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Client, Site
from tests.runtime.test_batch import send

WAYS_OUT = [
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "..%252f..%252fetc%252fpasswd",
    "..\\..\\etc\\passwd",
    "..%5c..%5cetc%5cpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "file:///etc/passwd",
    "x%00.csv",
    "..",
    ".",
    "%c0%ae%c0%ae/etc/passwd",
]


@pytest.fixture(scope="module")
def client(shared_site: Site, spec_of: Callable[..., RunSpec]) -> Client:
    return shared_site.start(spec_of("Echo"))


def raw(client: Client, target: str) -> bytes:
    """A request line as it stands: no client tidies it."""
    with socket.create_connection(("127.0.0.1", client.port), 10) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("latin-1"))
        found = b""
        while piece := connection.recv(65536):
            found += piece
        return found


@pytest.mark.parametrize("way", WAYS_OUT)
@pytest.mark.parametrize("route", ["/static/", "/jobs/", "/train/", "/_cvflow/variants/"])
def test_no_address_leads_to_a_file(client: Client, route: str, way: str) -> None:
    for suffix in ("", ".csv", "/result"):
        reply = raw(client, route + way + suffix)
        assert b"root:" not in reply
        assert reply.split(b" ", 2)[1] in (b"400", b"403", b"404", b"405"), reply


def test_a_result_is_found_under_its_id_alone(client: Client, picture: bytes) -> None:
    name = send(client, ("file", "rows.csv", "image\na.jpg\n"), ("p", "a.jpg", picture)).json["filename"]
    identity = name.removesuffix(".csv")
    assert len(identity) == 32
    assert int(identity, 16) > 0
    assert client.send("GET", f"/static/{name}").status == 200
    for other in (identity, f"./{name}", f"{name}/", f"{identity}.CSV", f"{identity}.csv.csv", f"x/../{name}", f"%2e%2f{name}"):
        assert b" 404 " in raw(client, f"/static/{other}").split(b"\r\n")[0], other
    assert client.send("GET", "/static/").status == 404
    assert client.send("GET", "/jobs").status == 404  # there is no list of other people's jobs
