"""Rule 6: where a download may connect to. Real TLS on loopback; only the answers of the name service are the test's."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.downloads.client import open_client
from cvflow_tui.backend.packages.downloads.outbound import Outbound, OutboundRefusedError
from cvflow_tui.backend.packages.resolution import Pin
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.packages.sizes import measured
from cvflow_tui.model.circumstances import ALLOW_HOSTS, Circumstances
from cvflow_tui.model.errors import PackageError, RefusedError, RemoteError
from cvflow_tui.model.packages import InstallRequest
from tests.packages.parts import FileServer, payload, sha256, weight, write_package

DATA = payload(200_000)
PUBLIC = "public.files.test"
OWN = ("127.0.0.1",)
"""The tests' own server, where it is the user who names it."""
Names = Callable[..., None]


@pytest.fixture(autouse=True)
def nothing_allowed(pip_of_the_test: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No host is allowed but by the test."""
    monkeypatch.delenv(ALLOW_HOSTS)


@pytest.fixture
def asked() -> list[str]:
    """Every name that was looked up."""
    return []


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, asked: list[str]) -> Names:
    """Give names addresses: one list for every look-up, or several lists for one after the other."""
    told: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *rest: Any, **more: Any) -> Any:
        if host not in told:
            return real(host, port, *rest, **more)
        asked.append(host)
        lists = told[host]
        addresses = lists.pop(0) if len(lists) > 1 else lists[0]
        return [(socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr("socket.getaddrinfo", look_up)

    def tell(host: str, *lists: list[str]) -> None:
        told[host] = [list(each) for each in lists]

    return tell


@pytest.fixture
def public(trusted: FileServer, names: Names, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server's address under a name that counts as a stranger's; connections to its public address end at the server."""
    names(PUBLIC, ["93.184.216.34"])
    real = httpcore.SyncBackend.connect_tcp

    def connect(self: httpcore.SyncBackend, host: str, port: int, *rest: Any, **more: Any) -> httpcore.NetworkStream:
        return real(self, "127.0.0.1" if host == "93.184.216.34" else host, port, *rest, **more)

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    return trusted.url.replace("127.0.0.1", PUBLIC)


@pytest.fixture
def downloads(tmp_path: Path, trusted: FileServer) -> Downloads:
    """Of whoever trusts the server."""
    return Downloads(tmp_path / "downloads")


def get(downloads: Downloads, url: str, into: Path, **more: Any) -> str:
    return downloads.of(Circumstances.here()).get(url, None, "net", into, Progress(), **more).sha256


def test_a_public_host_is_fetched_from(downloads: Downloads, public: str, trusted: FileServer, tmp_path: Path) -> None:
    trusted.add("n", DATA)
    assert get(downloads, f"{public}/n", tmp_path / "got") == sha256(DATA)


@pytest.mark.parametrize(
    "target",
    [
        "https://127.0.0.1:{port}/n",
        "http://127.0.0.1:{port}/n",
        "https://localhost:{port}/n",
        "https://[::1]:{port}/n",
        "https://[::ffff:127.0.0.1]:{port}/n",
        "https://[64:ff9b::7f00:1]:{port}/n",
        "https://[2002:7f00:1::]:{port}/n",
        "https://[2002:a9fe:a9fe::]/latest/meta-data/",
        "http://public.files.test:{port}/n",
        "https://2130706433:{port}/n",
        "https://127.1:{port}/n",
        "https://0.0.0.0:{port}/n",
        "https://inside.files.test:{port}/n",
        "https://mixed.files.test:{port}/n",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/latest/meta-data/",
        "https://10.0.0.1/n",
        "https://192.168.1.1/n",
        "https://172.16.0.9/n",
        "https://100.64.0.1/n",
        "https://[fe80::1]/n",
        "https://224.0.0.1/n",
    ],
)
def test_a_redirect_leads_nowhere_inside(
    downloads: Downloads, public: str, trusted: FileServer, names: Names, tmp_path: Path, target: str
) -> None:
    names("inside.files.test", ["127.0.0.1"])
    names("mixed.files.test", ["93.184.216.34", "127.0.0.1"])
    trusted.add("n", DATA)
    trusted.redirects["/away"] = target.format(port=urlsplit(trusted.url).port)
    with pytest.raises(RefusedError, match=r"leads to (this machine|.*, which is no public address)|is not https"):
        get(downloads, f"{public}/away", tmp_path / "got")
    assert trusted.gets("n") == [] and not (tmp_path / "got").exists()


@pytest.mark.parametrize("target", ["https://169.254.169.254/x", "https://10.0.0.1/x", "https://localhost/x", "http://public.files.test/x"])
def test_a_proxy_is_not_asked_for_an_inner_address_either(
    downloads: Downloads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """What a name leads to is the proxy's to decide; what an address says itself is not."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.3)
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        with open_client(Outbound(caller=Circumstances.here()), 1.0) as client, pytest.raises(OutboundRefusedError):
            client.get(target)
        with pytest.raises(TimeoutError):
            proxy.accept()


@pytest.mark.parametrize("host", ["169.254.169.254", "10.1.2.3", "[fe80::1]", "[fd00::1]", "192.168.0.1", "0.0.0.0"])
def test_a_manifest_that_names_an_inner_address_is_refused(downloads: Downloads, tmp_path: Path, host: str) -> None:
    with pytest.raises(OutboundRefusedError, match=rf"no public address: not fetched; if that is meant, list it in {ALLOW_HOSTS}"):
        get(downloads, f"https://{host}/n", tmp_path / "got")
    assert downloads.size(f"https://{host}/n") is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1", "2130706433", "[::ffff:127.0.0.1]"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_manifest_does_not_lead_to_this_machine_because_it_says_so(
    service: PackageService, downloads: Downloads, https: FileServer, tmp_path: Path, scheme: str, host: str
) -> None:
    """What listens here listens for the user, not for strangers' packages: not even a plan may ask it."""
    https.add("n", DATA)
    url = f"{scheme}://{host}:{urlsplit(https.url).port}/n"
    asked = f"leads to this machine: not fetched; if that is meant, list it in {ALLOW_HOSTS}" + (
        "" if scheme == "https" else "|is not https"
    )
    with pytest.raises(OutboundRefusedError, match=asked):
        get(downloads, url, tmp_path / "got")
    assert downloads.size(url) is None
    root = str(write_package(tmp_path / "p", more=weight("n", url)))
    [problem] = service.plan(root).problems
    assert problem.startswith("the weight n cannot be had: ")
    with pytest.raises(RefusedError):
        service.install(root, Progress())
    assert https.requests == []


def test_an_address_that_the_user_brings_a_weight_from_is_reached_wherever_it_is(
    service: PackageService, trusted: FileServer, names: Names, tmp_path: Path
) -> None:
    """As a source is. Where that one redirects to is its server's word."""
    names("weights.files.test", ["127.0.0.1"])
    url = trusted.url.replace("127.0.0.1", "weights.files.test")
    trusted.add("n", DATA)
    trusted.redirects["/away"] = f"{trusted.url}/n"
    root = str(write_package(tmp_path / "p", more=weight("n", f"{trusted.url}/gone")))
    refused = InstallRequest(root, weights=(f"n={url}/away",))
    assert service.plan(refused).problems
    with pytest.raises(RefusedError, match="leads to this machine"):
        service.install(refused, Progress())
    assert trusted.gets("n") == []
    request = InstallRequest(root, weights=(f"n={url}/n",))
    plan = service.plan(request)
    assert plan.problems == () and plan.download_bytes == len(DATA)
    service.install(request, Progress())
    assert len(trusted.gets("n")) == 1


def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(
    downloads: Downloads, trusted: FileServer, names: Names, tmp_path: Path
) -> None:
    names("weights.files.test", ["127.0.0.1"])
    url = trusted.url.replace("127.0.0.1", "weights.files.test")
    trusted.add("n", DATA)
    with pytest.raises(RefusedError, match=r"^weights\.files\.test leads to this machine"):
        get(downloads, f"{url}/n", tmp_path / "got")
    with pytest.raises(RefusedError, match="leads to this machine"):
        downloads.text(f"{url}/n", {})
    assert trusted.requests == []


def test_what_the_user_allows_or_names_is_fetched_wherever_it_is(
    downloads: Downloads, trusted: FileServer, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names("weights.files.test", ["127.0.0.1"])
    url = trusted.url.replace("127.0.0.1", "weights.files.test") + "/n"
    trusted.add("n", DATA)
    assert get(downloads, url, tmp_path / "one", named=["weights.files.test"]) == sha256(DATA)
    for number, told in enumerate(("weights.files.test", "other.test, *.files.test", "127.0.0.0/8")):
        downloads.forget(url, None)
        monkeypatch.setenv(ALLOW_HOSTS, told)
        assert get(downloads, url, tmp_path / f"allowed-{number}") == sha256(DATA)
    downloads.forget(url, None)
    monkeypatch.setenv(ALLOW_HOSTS, "elsewhere.test 10.0.0.0/8")
    with pytest.raises(RefusedError, match="leads to this machine"):
        get(downloads, url, tmp_path / "refused")


def test_a_name_that_changes_its_address_is_connected_to_where_it_was_looked_at(
    downloads: Downloads, public: str, trusted: FileServer, names: Names, asked: list[str], tmp_path: Path
) -> None:
    """DNS rebinding: the second answer would be this machine's. There is no second question for one connection."""
    names(PUBLIC, ["93.184.216.34"], ["127.0.0.1"])
    trusted.add("n", DATA)
    assert get(downloads, f"{public}/n", tmp_path / "got") == sha256(DATA)
    assert asked == [PUBLIC]
    trusted.add("m", DATA)
    with pytest.raises(RefusedError, match="leads to this machine"):
        get(downloads, f"{public}/m", tmp_path / "other")
    assert trusted.gets("m") == []


def test_the_certificate_is_that_of_the_name_not_of_the_address(
    downloads: Downloads, trusted: FileServer, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names("stranger.example", ["127.0.0.1"])
    monkeypatch.setenv(ALLOW_HOSTS, "stranger.example")
    with pytest.raises(RemoteError, match="CERTIFICATE_VERIFY_FAILED"):
        get(downloads, trusted.add("n", DATA).replace("127.0.0.1", "stranger.example"), tmp_path / "got")
    assert trusted.requests == []


def test_redirects_end(downloads: Downloads, trusted: FileServer, tmp_path: Path) -> None:
    trusted.redirects["/round"] = f"{trusted.url}/round"
    with pytest.raises(RemoteError, match=r"cannot be fetched: Exceeded maximum allowed redirects"):
        get(downloads, f"{trusted.url}/round", tmp_path / "got", named=OWN)
    assert len(trusted.requests) <= 11


def test_more_bytes_than_were_declared_are_not_taken(
    downloads: Downloads, trusted: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = trusted.add("n", DATA)
    with pytest.raises(PackageError, match=r"^net: .* sends more than the 199,999 bytes that were declared; nothing was kept"):
        get(downloads, url, tmp_path / "got", named=OWN, size=len(DATA) - 1)
    assert get(downloads, url, tmp_path / "got", named=OWN, size=len(DATA)) == sha256(DATA)
    monkeypatch.setattr("cvflow_tui.backend.packages.downloads.wanted.LIMIT", 1000)
    with pytest.raises(PackageError, match="its size is not declared"):
        get(downloads, trusted.add("m", DATA), tmp_path / "other", named=OWN)


def test_credentials_and_signatures_are_neither_logged_nor_told(
    downloads: Downloads, trusted: FileServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    trusted.add("n", DATA)
    url = trusted.url.replace("https://", "https://me:hush-hush@")
    get(downloads, f"{url}/n", tmp_path / "got", named=OWN)
    downloads.forget(f"{url}/n", None)
    assert "authorization" in trusted.gets("n")[0]
    for address in (f"{url}/none", f"{trusted.url}/none?signature=hush-hush"):
        with pytest.raises(RemoteError) as caught:
            get(downloads, address, tmp_path / "none", named=OWN)
        assert "hush-hush" not in caught.value.message and "answered 404" in caught.value.message
    monkeypatch.setattr("cvflow_tui.backend.packages.downloads.fetching.RETRIES", 0)
    trusted.cut_after = [100_000, 0]
    with pytest.raises(RemoteError, match=r"\*\*\*\*@127\.0\.0\.1:\d+/n cannot be fetched"):
        get(downloads, f"{url}/n", tmp_path / "cut", named=OWN)
    assert "hush-hush" not in caplog.text
    left = list(downloads.folder.iterdir())
    assert {path.suffix for path in left} == {".json", ".part"} and not any(b"hush-hush" in path.read_bytes() for path in left)


def test_credentials_do_not_follow_a_redirect_to_another_host(
    downloads: Downloads, public: str, trusted: FileServer, tmp_path: Path
) -> None:
    trusted.add("n", DATA)
    trusted.redirects["/away"] = f"{public}/n"
    get(downloads, trusted.url.replace("https://", "https://me:secret@") + "/away", tmp_path / "got", named=OWN)
    assert "authorization" in trusted.requests[0][2] and "authorization" not in trusted.gets("n")[0]


@given(st.ip_addresses())
def test_no_address_that_is_not_public_is_ever_reached_from_a_public_name(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    rules = Outbound()
    host = f"[{address}]" if address.version == 6 else str(address)
    try:
        rules.check(httpx.URL(f"https://{host}/x"))
    except OutboundRefusedError:
        return
    inner = address.ipv4_mapped or address.sixtofour or address if isinstance(address, ipaddress.IPv6Address) else address
    assert inner.is_global and not inner.is_multicast


def test_the_list_of_allowed_hosts_is_read_as_people_write_it() -> None:
    told = Circumstances.of({ALLOW_HOSTS: " A.example, *.b.example\n10.0.0.0/8 "}, Path("/"))
    assert told.allowed_hosts == ("a.example", "*.b.example", "10.0.0.0/8")
    assert Circumstances().allowed_hosts == ()


def test_a_size_is_asked_for_only_where_a_download_may_connect_to(
    public: str, trusted: FileServer, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A requirement's address and its redirects are a stranger's words; where the user's index has its files is not."""
    names("weights.files.test", ["127.0.0.1"])
    trusted.add("n", DATA)
    trusted.redirects["/away"] = f"{trusted.url}/n"
    inside = trusted.url.replace("127.0.0.1", "weights.files.test") + "/n"
    refused = [inside, f"{public}/away", "https://169.254.169.254/latest/meta-data/", "https://10.0.0.1/n", f"http://{PUBLIC}/n"]
    pins = measured([Pin(f"p{number}", "1", url=url, where=url) for number, url in enumerate(refused)], Circumstances.here())
    assert [pin.size for pin in pins] == [None] * len(refused)
    assert [path for _, path, _ in trusted.requests] == ["/away"], "only the public host was asked, and not followed inside"
    listed = Pin("listed", "1", where=inside)
    assert measured([listed, replace(listed, url=inside)], Circumstances.here())[0].size == len(DATA)
    assert [(method, path) for method, path, _ in trusted.requests[1:]] == [("HEAD", "/n")]
    away = replace(listed, where=f"{public}/away")
    assert measured([away], Circumstances.here())[0].size is None and len(trusted.gets("n")) == 0
    monkeypatch.setenv(ALLOW_HOSTS, "127.0.0.1")
    assert measured([away], Circumstances.here())[0].size == len(DATA)


def test_a_size_is_asked_for_through_the_proxy_of_pips_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(5)
        monkeypatch.setenv("PIP_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        asked: list[bytes] = []

        def answer() -> None:
            connection, _ = proxy.accept()
            with connection:
                asked.append(connection.recv(1000))
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert measured([Pin("p", "1", where=f"https://{PUBLIC}/n")], Circumstances.here())[0].size is None
        thread.join()
    assert asked[0].startswith(f"CONNECT {PUBLIC}:443 ".encode())
