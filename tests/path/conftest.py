"""A home of one's own for each test, with the real program, and nothing left running after it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.forking import forge

DATA = Path(__file__).resolve().parents[2] / "../shared/data"


@dataclass(frozen=True)
class Cvflow:
    """The command line against one home folder."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CVFLOW_HOME": str(self.home)}

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return forge().run(arguments, self.environment, timeout)

    def ok(self, *arguments: str, timeout: float = 120) -> str:
        done = self.run(*arguments, timeout=timeout)
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def json(self, *arguments: str, timeout: float = 120) -> Any:
        return json.loads(self.ok(*arguments, "--json", timeout=timeout))

    def processes(self) -> list[psutil.Process]:
        """Every live process that works for this home."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("CVFLOW_HOME") == str(self.home) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture
def cvflow(tmp_path: Path) -> Iterator[Cvflow]:
    program = Cvflow(tmp_path / "home")
    yield program
    program.run("daemon", "stop", "--solvers")
    for process in program.processes():
        process.kill()


@pytest.fixture(scope="session")
def photographs() -> Path:
    """The folder of real photographs that scikit-image ships."""
    return Path(str(pytest.importorskip("skimage").__file__)).parent / "data"
