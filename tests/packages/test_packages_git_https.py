"""git+https: over real TLS, against git's own server program."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.hub import FolderHub
from cvflow_tui.backend.packages.sources import parse_source
from cvflow_tui.model.errors import RefusedError, RemoteError

from .parts import commit_all, write_package

BACKEND = Path(subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()) / "git-http-backend"


class _Git(BaseHTTPRequestHandler):
    """Hands requests to `git http-backend` as CGI has it."""

    root: Path
    password: str | None = None
    """`NAME:PASSWORD` that opens it; None: it is open."""
    redirects: ClassVar[dict[str, str]] = {}
    """How paths begin that have moved, and where to."""
    asked: ClassVar[list[str]] = []
    """The paths of all requests."""

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        """The list of refs."""
        self._run()

    def do_POST(self) -> None:
        """The negotiation and the pack."""
        self._run()

    def _run(self) -> None:
        self.asked.append(self.path)
        for old, new in self.redirects.items():
            if self.path.startswith(old):
                self.send_response(302)
                self.send_header("Location", new + self.path.removeprefix(old))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        told_password = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        if self.password is not None and told_password != self.password:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="private"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PATH": os.environ["PATH"],
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        head, _, rest = subprocess.run([BACKEND], input=body, env=variables, capture_output=True).stdout.partition(b"\r\n\r\n")
        told = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send_response(int(told.pop("Status", "200").split()[0]))
        for name, value in (told | {"Content-Length": str(len(rest))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(rest)


@pytest.fixture
def server(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[str]:
    """The https address of the repositories below the test's folder."""
    if not BACKEND.exists():
        pytest.skip("this git comes without git-http-backend")
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Git,), {"root": tmp_path}))
    http.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    http.server_close()
    thread.join()


def test_git_over_https_trusts_what_the_environment_trusts(
    tmp_path: Path, server: str, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = commit_all(write_package(tmp_path / "acme" / "boxes"))
    text = f"git+{server}/acme/boxes/.git@{commit[:10]}"
    monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(RemoteError, match=r"^git cannot fetch https://127\.0\.0\.1:\d+/acme/boxes/\.git: .*certificate"):
        parse_source(text, FolderHub(tmp_path)).fetch(tmp_path / "copy", Progress())
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    fetched = parse_source(text, FolderHub(tmp_path)).fetch(tmp_path / "copy", Progress())
    assert fetched.commit == commit and fetched.source.endswith(f"/acme/boxes/.git@{commit}")
    assert (tmp_path / "copy/cvpm.toml").is_file()


def test_a_private_repository_opens_with_the_password_in_netrc(
    tmp_path: Path, server: str, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = commit_all(write_package(tmp_path / "acme" / "boxes"))
    monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(_Git, "password", "me:hush-hush")
    source = parse_source(f"git+{server}/acme/boxes/.git", FolderHub(tmp_path))
    with pytest.raises(RemoteError, match=r"is private, or not there; .* ~/\.netrc alone: machine 127\.0\.0\.1 login NAME password TOKEN$"):
        source.fetch(tmp_path / "copy", Progress())
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password wrong\n")
    with pytest.raises(RemoteError, match="is private"):
        source.fetch(tmp_path / "copy", Progress())
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password hush-hush\n")
    (tmp_path / ".netrc").chmod(0o600)
    fetched = source.fetch(tmp_path / "copy", Progress())
    assert fetched.commit == commit and "hush-hush" not in fetched.source


@pytest.fixture
def trusting(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks trusts the servers of the test."""
    monkeypatch.delenv("GIT_SSL_CAINFO", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))


def test_a_repository_that_moved_on_its_host_is_found(tmp_path: Path, server: str, trusting: None, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = commit_all(write_package(tmp_path / "acme" / "boxes"))
    monkeypatch.setattr(_Git, "redirects", {"/old/": "/older/", "/older/boxes": f"{server}/acme/boxes/.git"})
    fetched = parse_source(f"git+{server}/old/boxes", FolderHub(tmp_path)).fetch(tmp_path / "copy", Progress())
    assert fetched.commit == commit and fetched.source == f"git+{server}/old/boxes@{commit}"


def test_git_is_led_to_no_other_host(tmp_path: Path, server: str, trusting: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor to another port of the same: what listens there is another server."""
    commit_all(write_package(tmp_path / "acme" / "boxes"))
    other = server.replace("127.0.0.1", "localhost")
    monkeypatch.setattr(_Git, "redirects", {"/away": f"{other}/acme/boxes/.git"})
    asked: list[str] = []
    monkeypatch.setattr(_Git, "asked", asked)
    with pytest.raises(
        RefusedError, match=rf"/away leads to another place, {other}/acme/boxes/\.git: not followed; if that is meant, inst"
    ):
        parse_source(f"git+{server}/away", FolderHub(tmp_path)).fetch(tmp_path / "copy", Progress())
    assert asked and all(path.startswith("/away/") for path in asked)


def test_redirects_end(tmp_path: Path, server: str, trusting: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Git, "redirects", {"/round": "/round"})
    with pytest.raises(RemoteError, match=r"^git cannot fetch https://127\.0\.0\.1:\d+/round"):
        parse_source(f"git+{server}/round", FolderHub(tmp_path)).fetch(tmp_path / "copy", Progress())
