"""One home with the real program for a module's tests; a package is installed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.path.conftest import Cvflow

REMOTE = 5

URLS: dict[tuple[Cvflow, str], str] = {}
"""Where a home's solvers listen."""


@pytest.fixture(scope="session")
def photographs() -> Path:
    """The folder of real photographs that scikit-image ships."""
    skimage = pytest.importorskip("skimage", reason="the demo extra is not installed")
    return Path(str(skimage.__file__)).parent / "data"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cvflow]:
    """The command line against a home of the module's own; nothing is left running."""
    program = Cvflow(tmp_path_factory.mktemp("bundled") / "home")
    yield program
    program.run("daemon", "stop", "--solvers")
    for process in program.processes():
        process.kill()


@pytest.fixture(scope="module")
def installed(program: Cvflow) -> Callable[..., Cvflow]:
    """Installs a bundled package and starts its solvers; skips where the package index can't be reached."""

    def install(package: str, *solvers: str) -> Cvflow:
        done = program.run("install", package, "--yes", timeout=300)
        if done.returncode == REMOTE:
            pytest.skip(f"the package index can't be reached: {done.stderr.strip().splitlines()[-1]}")
        assert done.returncode == 0, done.stderr
        for solver in solvers:
            started = program.json("start", f"{package}/{solver}")
            assert started["state"] == "ready"
            URLS[program, f"{package}/{solver}"] = started["url"]
        return program

    return install


def ask(program: Cvflow, picture: Path, solver: str, **parameters: Any) -> Any:
    """A running solver's answer, from its port."""
    reply = httpx.post(f"{URLS[program, solver]}/infer", params=parameters, content=picture.read_bytes(), timeout=60)
    assert reply.status_code == 200, reply.text
    return reply.json()
