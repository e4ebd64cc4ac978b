"""What an install has downloaded is not fetched again: after an import that fails, a call-off, a disk that was full."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.store import Database
from cvflow_tui.home import Home
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.packages import InstallRequest

from .parts import SOLVER, FileServer, Watching, payload, sha256, tree, weight, write_package, write_wheel

DATA = payload(3_000_000)


def make(tmp_path: Path, server: FileServer, source: str, *, digest: bool = True) -> Path:
    """A package whose weight comes from the server."""
    more = weight("n", server.add("n", DATA), sha256(DATA) if digest else None)
    return write_package(tmp_path / "p", source=source + SOLVER, more=more)


def kept(home: Home) -> list[str]:
    return sorted(path.suffix for path in (home.staging / "downloads").iterdir())


def nothing_is_installed(service: PackageService, home: Home, state: Database) -> bool:
    return tree(home) == set() and service.installed() == [] and state.rows("SELECT * FROM weights") == []


def test_a_module_that_is_missing_is_told_before_any_weight_comes(
    service: PackageService, home: Home, state: Database, tmp_path: Path, trusted: FileServer, pip_of_the_test: Path
) -> None:
    write_wheel(pip_of_the_test, "toy", "1.0", {"toy.py": b"x = 1"})
    root = make(tmp_path, trusted, "import toy\n")
    with pytest.raises(PackageError, match="--with toy"):
        service.install(str(root), Progress())
    assert trusted.gets("n") == [] and nothing_is_installed(service, home, state)
    service.install(InstallRequest(str(root), requirements=("toy",)), Progress())
    assert len(trusted.gets("n")) == 1 and kept(home) == []


def test_a_class_that_reads_its_weight_at_the_import_is_installed(service: PackageService, tmp_path: Path, trusted: FileServer) -> None:
    service.install(str(make(tmp_path, trusted, 'open("pretrained/n", "rb").close()\n')), Progress())
    assert len(trusted.gets("n")) == 1


@pytest.mark.parametrize("digest", [True, False])
def test_an_import_that_fails_later_costs_no_second_download(
    service: PackageService, home: Home, state: Database, tmp_path: Path, trusted: FileServer, digest: bool
) -> None:
    root = make(tmp_path, trusted, 'raise RuntimeError("not today")\n', digest=digest)
    with pytest.raises(PackageError, match="not today"):
        service.install(str(root), Progress())
    assert kept(home) == [""] and nothing_is_installed(service, home, state)
    assert [entry.bytes for entry in service.storage.usage().entries if entry.kind == "download"] == [pytest.approx(len(DATA), abs=8192)]
    (root / "parts/solver.py").write_text(SOLVER)
    service.install(str(root), Progress())
    assert len(trusted.gets("n")) == 1 and kept(home) == []


def test_called_off_nothing_is_installed_and_what_arrived_is_kept_until_it_is_pruned(
    service: PackageService, home: Home, state: Database, tmp_path: Path, trusted: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cvflow_tui.backend.packages.meter.INTERVAL", 0.0)
    root = make(tmp_path, trusted, "")
    with pytest.raises(Cancelled):
        service.install(str(root), Watching("downloading n", after=1_000_000))
    assert kept(home) == [".json", ".part"] and nothing_is_installed(service, home, state)
    assert [entry.kind for entry in service.storage.prune(Progress()).entries] == ["download"]
    assert kept(home) == []
    with pytest.raises(Cancelled):
        service.install(InstallRequest(str(root), discard=True), Watching("downloading n", after=1_000_000))
    assert kept(home) == [] and nothing_is_installed(service, home, state)
