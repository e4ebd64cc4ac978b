"""Homes, a package service over them, and a supervisor that starts what was installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.runtime.supervisor import Supervisor
from cvflow_tui.backend.store import Database
from cvflow_tui.home import Home
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.packages import InstallRequest
from tests.originals.legacy import Legacy, serving
from tests.packages.conftest import home, hub_folder, pip_of_the_test, service, state
from tests.packages.parts import commit_all, git
from tests.runtime.helpers import Client

__all__ = ["home", "hub_folder", "pip_of_the_test", "service", "state"]

Install = Callable[..., str]
Serve = Callable[[str, str], Client]


@pytest.fixture
def install(service: PackageService) -> Install:
    """Commits a folder to git, installs it from there, and gives the package's name."""

    def install(folder: Path, **wishes: Any) -> str:
        if not (folder / ".git").exists() or git(folder, "status", "--porcelain"):
            commit_all(folder)
        detail = service.install(InstallRequest(f"git+file://{folder}", **wishes), Progress())
        return detail.summary.ref

    return install


@pytest.fixture
def supervisor(home: Home, state: Database) -> Iterator[Supervisor]:
    """Of the home folder; nothing of it runs on."""
    supervisor = Supervisor(home, state)
    yield supervisor
    supervisor.stop_all()
    supervisor.close()


@pytest.fixture
def serve(service: PackageService, supervisor: Supervisor) -> Serve:
    """Starts a solver of an installed package; what speaks to its port."""

    def serve(ref: str, solver: str) -> Client:
        name = SolverName.parse(f"{ref}/{solver}")
        supervisor.start(service.run_spec(name))
        endpoint = supervisor.endpoint(str(name))
        assert endpoint is not None
        return Client(int(endpoint[0].rpartition(":")[2]), endpoint[1])

    return serve


@pytest.fixture
def daemon(tmp_path: Path, pip_of_the_test: Path) -> Iterator[Legacy]:
    """A daemon with the original routes, on a home of its own."""
    with serving(tmp_path / "legacy-home") as legacy:
        yield legacy
