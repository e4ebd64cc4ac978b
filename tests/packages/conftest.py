"""Packages made on the spot, homes of their own, and an https server on loopback with real TLS."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvflow_tui.backend.packages import compiling
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.store import Database, open_state
from cvflow_tui.home import Home

from .parts import FileServer, write_package


@pytest.fixture(autouse=True)
def pip_of_the_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No index and no configuration of the machine's: requirements come from a folder of wheels that the test fills.

    The manifests that tests write may name the tests' own servers, as a user may allow it.
    """
    monkeypatch.setenv("CVFLOW_ALLOW_HOSTS", "127.0.0.1")
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an install compiles for those to come is kept, however busy the machine is; a test that is about haste says so."""
    monkeypatch.setattr(compiling, "PATIENCE", 60.0)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home folder."""
    home = Home(tmp_path / "home")
    home.make()
    return home


@pytest.fixture
def state(home: Home) -> Iterator[Database]:
    """Its database."""
    database = open_state(home)
    yield database
    database.close()


@pytest.fixture
def hub_folder(tmp_path: Path) -> Path:
    """A hub of two packages."""
    hub = tmp_path / "hub"
    write_package(hub / "boxes", vendor="acme", tagline="finds boxes", environment="host")
    write_package(hub / "words", tagline="reads words", solver="read", task="text-recognition", environment="host")
    return hub


@pytest.fixture
def service(home: Home, state: Database, hub_folder: Path) -> PackageService:
    """The packages of the home folder."""
    return PackageService(home, state, hub_folder)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 (and the names *.test) and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificate for the https server can be made")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = "IP:127.0.0.1,DNS:localhost,DNS:weights.files.test,DNS:public.files.test"
    command += ["-addext", f"subjectAltName={names}", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@pytest.fixture
def https(certificate: tuple[Path, Path], tmp_path: Path) -> Iterator[FileServer]:
    """A server of the files in `https.folder`, which nobody trusts yet."""
    server = FileServer(tmp_path / "served", certificate)
    with server.running():
        yield server


@pytest.fixture
def trusted(https: FileServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """The same server, trusted through SSL_CERT_FILE."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    return https
