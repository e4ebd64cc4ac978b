"""Fixtures of the runtime's tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import SOLVERS, Site, close_site, make_picture, open_site


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("package")
    (root / "demo").mkdir()
    (root / "demo" / "solvers.py").write_text(SOLVERS)
    return root


@pytest.fixture(scope="session")
def spec_of(package: Path) -> Callable[..., RunSpec]:
    def make(kind: str, **changes: Any) -> RunSpec:
        spec = RunSpec(
            package="tests/demo",
            version="1.2.3",
            solver=kind.lower(),
            root=str(package),
            class_path=f"demo/solvers/{kind}",
            task="object-detection",
            python=sys.executable,
        )
        return replace(spec, **changes)

    return make


@pytest.fixture(scope="session")
def picture() -> bytes:
    return make_picture()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = open_site(tmp_path / "home")
    yield made
    close_site(made)


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One home for a module's tests, so that they need not each start a solver."""
    made = open_site(tmp_path_factory.mktemp("home"))
    yield made
    close_site(made)
