"""Offline: what is at hand is installed, what is not is named, and the network is not touched, not even to look up a name."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.home import Home
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import CvflowError, RemoteError
from cvflow_tui.model.packages import InstallRequest

from .parts import FileServer, payload, sha256, weight, write_package, write_wheel

DATA = payload(50_000)
MISSING = "is not at hand, and cvflow is told to work offline"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever looks up a name or connects anywhere fails the test."""
    touched: list[Any] = []

    def touch(*given: Any, **_: Any) -> Any:
        touched.append(given)
        raise OSError("the network was touched")

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", touch)
        patched.setattr(socket, "create_connection", touch)
        patched.setattr(socket.socket, "connect", touch)
        yield
    assert touched == []


def offline(source: Path | str) -> InstallRequest:
    return InstallRequest(str(source), offline=True)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    "source",
    ["git+https://example.org/p.git", "git+ssh://git@example.org/p.git", "https://example.org/p.zip", "https://127.0.0.1:9/p.tar.gz"],
)
def test_a_source_elsewhere_is_named(service: PackageService, source: str) -> None:
    for work in (lambda: service.plan(offline(source)), lambda: service.install(offline(source), Progress())):
        with pytest.raises(RemoteError, match=MISSING) as caught:
            work()
        assert "example.org" in caught.value.message or "127.0.0.1" in caught.value.message


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("url", ["https://example.org/n.onnx", "pypi:net-weights==1.0#n.onnx"])
def test_a_weight_that_is_not_there_is_named_by_the_plan_and_by_the_install(
    service: PackageService, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example.org/simple")
    source = write_package(tmp_path / "p", more=weight("n.onnx", url, sha256(DATA)))
    plan = service.plan(offline(source))
    assert len(plan.problems) == 1 and any(word in plan.problems[0] for word in ("the weight n.onnx cannot be had", MISSING))
    with pytest.raises(CvflowError, match=MISSING):
        service.install(offline(source), Progress())
    assert service.installed() == []


def test_what_the_store_has_is_installed(
    service: PackageService, tmp_path: Path, trusted: FileServer, request: pytest.FixtureRequest
) -> None:
    table = weight("n.onnx", trusted.add("n", DATA), sha256(DATA))
    service.install(str(write_package(tmp_path / "one", more=table)), Progress())
    request.getfixturevalue("no_network")
    other = write_package(tmp_path / "two", more=table)
    assert service.plan(offline(other)).download_bytes == 0
    service.install(offline(other), Progress())
    assert len(trusted.gets("n")) == 1 and len(service.installed()) == 2


@pytest.mark.usefixtures("no_network")
def test_a_mirror_on_this_machine_delivers(service: PackageService, tmp_path: Path) -> None:
    (tmp_path / "n").write_bytes(DATA)
    table = weight("n", "https://example.org/n", sha256(DATA)) + f'mirrors = ["{(tmp_path / "n").as_uri()}"]\n'
    service.install(offline(write_package(tmp_path / "p", more=table)), Progress())
    assert [each.name for each in service.installed()] == ["p"]


def test_the_environment_says_it_for_every_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for told, meant in (("1", True), ("yes", True), ("0", False), ("", False), ("off", False)):
        monkeypatch.setenv("CVFLOW_OFFLINE", told)
        assert Circumstances.here().offline is meant and Downloads(tmp_path).is_offline is meant


CHILD = """
import json, sys
from pathlib import Path
touched = []
def hook(event, given):
    if event in ("socket.getaddrinfo", "socket.gethostbyname") or event == "socket.connect" and isinstance(given[1], tuple):
        touched.append([event, repr(given[-1])])
sys.addaudithook(hook)
from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.packages import InstallRequest
home, hub, source = sys.argv[1:]
service = PackageService(Home(Path(home)), open_state(Home(Path(home))), Path(hub))
service.plan(InstallRequest(source, offline=True))
detail = service.install(InstallRequest(source, offline=True), Progress())
print(json.dumps({"touched": touched, "name": detail.summary.ref}))
"""


@pytest.mark.slow
def test_an_install_where_there_is_no_network_at_all(home: Home, hub_folder: Path, tmp_path: Path) -> None:
    """In a network namespace without a single address, its environment filled by uv."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode:
        pytest.skip("this machine makes no network namespaces")
    write_wheel(tmp_path / "wheels", "toy", "1.0", {"toy.py": b"x = 41\n"})
    source = write_package(tmp_path / "boxed", requirements="toy\n", source="import toy\nclass Solver: ...\n")
    command = [unshare, "-rn", sys.executable, "-c", CHILD, str(home.root), str(hub_folder), str(source)]
    done = subprocess.run(command, cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"touched": [], "name": "local/boxed"}
