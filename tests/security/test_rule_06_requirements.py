"""Rule 6 for what uv and its git fetch: where a requirement's address leads in the end is where any download may go."""

from __future__ import annotations

import base64
import socket
import tomllib
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.downloads.gate import gate
from cvflow_tui.backend.packages.downloads.outbound import Outbound
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.model.circumstances import ALLOW_HOSTS, Circumstances
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.packages import InstallRequest
from tests.packages.parts import FileServer, write_package, write_wheel


@pytest.fixture
def wheel(https: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its address: on a host that is allowed, with a way to one that is not."""
    made = write_wheel(tmp_path, "toy", "1.0", {"toy.py": b"x = 1"})
    address = https.add(made.name, made.read_bytes())
    port = https.url.rpartition(":")[2]
    https.redirects[f"/away/{made.name}"] = f"https://localhost:{port}/{made.name}"
    https.redirects[f"/plain/{made.name}"] = f"http://127.0.0.1:{port}/{made.name}"
    monkeypatch.setenv(ALLOW_HOSTS, "127.0.0.1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_INSECURE_HOST", "127.0.0.1 localhost")  # uv takes no certificate that signed itself
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    return address


def install(service: PackageService, tmp_path: Path, address: str) -> dict[str, str]:
    detail = service.install(InstallRequest(str(write_package(tmp_path / "p", requirements=f"toy @ {address}\n"))), Progress())
    [told] = tomllib.loads(Path(str(detail.path), "cvflow.lock").read_text())["distributions"]
    return dict(told)


def test_what_may_be_had_comes(service: PackageService, wheel: str, tmp_path: Path) -> None:
    assert install(service, tmp_path, wheel)["url"] == wheel


@pytest.mark.parametrize("way", ["away", "plain"])
def test_a_redirect_of_it_leads_nowhere_inside(service: PackageService, https: FileServer, wheel: str, tmp_path: Path, way: str) -> None:
    address = wheel.replace("/toy", f"/{way}/toy")
    why = "localhost leads to this machine: not fetched" if way == "away" else "127.0.0.1 is not asked over https"
    with pytest.raises(RefusedError, match=f"a requirement leads where it must not: {why}"):
        install(service, tmp_path, address)
    assert {path for _, path, _ in https.requests} == {f"/{way}/{wheel.rpartition('/')[2]}"}


def test_a_strangers_lock_leads_nowhere_inside_either(
    service: PackageService, https: FileServer, wheel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(service, tmp_path, wheel)
    lock = Path(str(service.detail("p").path), "cvflow.lock")
    (tmp_path / "cvflow.lock").write_text(lock.read_text())
    service.remove("p")
    asked = len(https.requests)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "other"))
    monkeypatch.delenv(ALLOW_HOSTS)
    with pytest.raises(RefusedError, match=r"127\.0\.0\.1 leads to this machine"):
        service.install(InstallRequest(str(tmp_path / "cvflow.lock"), locked=True), Progress())
    assert len(https.requests) == asked


def test_the_gate_is_nobody_elses() -> None:
    with gate(Outbound.of(Circumstances(), ["127.0.0.1"])) as found, socket.create_server(("127.0.0.1", 0)) as inside:
        inside.settimeout(0.2)
        port = inside.getsockname()[1]
        wrong = base64.b64encode(b"cvflow:guess").decode()
        for more in ("", f"Proxy-Authorization: Basic {wrong}\r\n"):
            with socket.create_connection(("127.0.0.1", found.server_address[1])) as client:
                client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n{more}\r\n".encode())
                assert client.recv(100).startswith(b"HTTP/1.1 407 ")
        with pytest.raises(TimeoutError):
            inside.accept()
        with socket.create_connection(("127.0.0.1", found.server_address[1])) as client:
            client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nProxy-Authorization: {found.key}\r\n\r\n".encode())
            there, _ = inside.accept()
            with there:
                assert client.recv(100).startswith(b"HTTP/1.1 200 ")
                client.sendall(b"hello")
                assert there.recv(100) == b"hello"
                there.sendall(b"yes")
                assert client.recv(100) == b"yes"
