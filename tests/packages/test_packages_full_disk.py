"""A disk that runs full at every point of an install, an upgrade and a rollback: the old state or the new, never between."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages import disk
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.packages import InstallRequest

from .parts import FileServer, packed, payload, sha256, tree, weight, write_package

pytestmark = pytest.mark.slow

OLD, NEW = payload(300_000, seed=1), payload(400_000, seed=2)
LEFT = [0, 4_096, 16_384, 65_536, 200_000, 350_000, 500_000, 700_000, 900_000, 1_100_000, 1_400_000]
"""Bytes that are free when it begins: each ends it somewhere else."""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 8 MB. The look before the leap is taken away: what is tested is running full in the middle."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this user cannot mount a small disk")
    monkeypatch.setattr(disk, "free_bytes", lambda path: 1 << 40)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    for version, data in (("1.0.0", OLD), ("2.0.0", NEW)):
        more = weight("n", "nets/n", sha256(data))
        root = tmp_path / "hub/lab/many" / version
        write_package(root, name="many", vendor="lab", version=version, environment="host", more=more)
        (root / "nets").mkdir()
        (root / "nets/n").write_bytes(data)
        (root / "files").mkdir()
        for number in range(10):
            (root / f"files/{number}").write_bytes(payload(20_000, seed=number))
    return tmp_path / "hub"


def fill(small: Path, left: int) -> None:
    """Leave so many bytes."""
    with (small / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            pass
        filler.truncate(max(0, filler.tell() - left))


def works(service: PackageService, version: str, data: bytes) -> None:
    """The version is there, whole."""
    assert [each.version for each in service.installed()] == [version]
    spec = service.run_spec(SolverName("lab", "many", "detect"))
    assert Path(spec.weights["n"]).read_bytes() == data and spec.version == version
    root = Path(spec.root)
    assert all((root / f"files/{number}").read_bytes() == payload(20_000, seed=number) for number in range(10))


@pytest.mark.parametrize("left", LEFT)
def test_an_upgrade_on_a_disk_that_runs_full(small: Path, hub: Path, left: int) -> None:
    home = Home(small / "home")
    home.make()
    state = open_state(home)
    service = PackageService(home, state, hub)
    service.install("many==1.0.0", Progress())
    service.prove("lab/many", "1.0.0")
    before = tree(home)
    fill(small, left)
    try:
        service.install("many==2.0.0", Progress())
    except (RefusedError, sqlite3.OperationalError) as error:
        assert "no disk space" in str(error) or "full" in str(error)
        works(service, "1.0.0", OLD)
        assert {path for path in tree(home) if "downloads" not in path} == before
        (small / "filler").unlink()
        service.install("many==2.0.0", Progress())
    else:
        (small / "filler").unlink()
    works(service, "2.0.0", NEW)
    state.close()
    state = open_state(home)
    service = PackageService(home, state, hub)
    service.recover()
    works(service, "2.0.0", NEW)
    assert service.kept("many") == "1.0.0"
    fill(small, 0)
    try:
        service.roll_back("many")
    except (RefusedError, sqlite3.OperationalError):
        works(service, "2.0.0", NEW)
    else:
        works(service, "1.0.0", OLD)
    (small / "filler").unlink()
    service.remove("many")
    assert tree(home) == set()
    state.close()


@pytest.mark.parametrize("left", [16_384, 200_000, 500_000, 900_000])
@pytest.mark.parametrize("kind", ["archive", "linked"])
def test_other_sources_on_a_disk_that_runs_full(small: Path, hub: Path, tmp_path: Path, trusted: FileServer, kind: str, left: int) -> None:
    home = Home(small / "home")
    home.make()
    state = open_state(home)
    service = PackageService(home, state, hub)
    root = write_package(tmp_path / "p", more=weight("n", "nets/n", sha256(NEW)))
    (root / "nets").mkdir()
    (root / "nets/n").write_bytes(NEW)
    request = InstallRequest(str(root), editable=True)
    if kind == "archive":
        request = InstallRequest(trusted.add("p.zip", packed(root, "p.zip")))
    files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    fill(small, left)
    try:
        service.install(request, Progress())
    except (RefusedError, sqlite3.OperationalError):
        assert service.installed() == [] and {path for path in tree(home) if "downloads" not in path} == set()
        (small / "filler").unlink()
        service.install(request, Progress())
    assert [each.ref for each in service.installed()] == ["local/p"]
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == files
    state.close()
