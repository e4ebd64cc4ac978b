"""The same squares, served by a real runner with real workers: suggest, train, stage, measure, promote, and lose a worker."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cvflow_tui.backend.annotation.projects import ProjectService
from cvflow_tui.backend.annotation.solver_provider import Endpoint, SolverProvider
from cvflow_tui.backend.jobs import JobBoard
from cvflow_tui.backend.learning.service import LearningService
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.supervisor import Supervisor
from cvflow_tui.backend.store import open_state
from cvflow_tui.home import Home
from cvflow_tui.model.projects import ProjectSettings, RoundState

from .conftest import OFF, SOLVER, Bench, Squares, square

CODE = """
import json
import cvflow

class Squares(cvflow.Solver):
    def __init__(self):
        self.offset = json.loads(self.checkpoint.read_text())["offset"] if self.checkpoint else 12.0

    def infer(self, image, threshold: float = 0.5):
        box = self.look(image, self.offset)
        size = image.size
        return {"task": "object-detection", "image": {"width": size[0], "height": size[1]},
                "objects": [{"label": "square", "score": 0.9, "box": box}]}

    def train(self, dataset, checkpoint, report):
        offsets = []
        items = [item for item in dataset.items if item.objects]
        for number, item in enumerate(items, start=1):
            offsets.append(item.objects[0][1][0] - self.look(item.image, 0)[0])
            report(number, len(items), loss=0.0)
        checkpoint.write_text(json.dumps({"offset": sum(offsets) / len(offsets)}))
        return {"loss": 0.0}

    def look(self, image, offset):
        x0, y0, x1, y1 = image.open().convert("L").point(lambda value: 255 * (value > 128)).getbbox()
        return [x0 + offset, y0, x1 + offset, y1]
"""


@pytest.fixture
def bench(tmp_path: Path, pictures: Path) -> Iterator[tuple[Bench, Supervisor]]:
    package = tmp_path / "package"
    (package / "squares").mkdir(parents=True)
    (package / "squares" / "solver.py").write_text(CODE)
    home = Home(tmp_path / "home")
    home.make()
    state = open_state(home)
    supervisor = Supervisor(home, state)
    spec = RunSpec(
        "tests/squares", "1.0.0", "detect", str(package), "squares/solver/Squares", "object-detection", sys.executable, ("square",)
    )

    def running(solver: str) -> Endpoint | None:
        found = supervisor.endpoint(solver)
        return None if found is None else Endpoint(*found)

    def endpoint(solver: str) -> Endpoint:
        found = running(solver)
        if found is None:
            supervisor.start(spec, None, True)
            found = running(solver)
        assert found is not None
        return found

    provider = SolverProvider(endpoint, running)
    projects, jobs = ProjectService(home, state, provider), JobBoard()
    learning = LearningService(projects, provider, jobs)
    projects.create("p", [str(pictures)], ["square"], ProjectSettings(SOLVER, 0.4, 6))
    yield Bench(home, Squares(), projects, learning, jobs), supervisor
    jobs.close()
    projects.close()
    provider.close()
    if any(solver.name == SOLVER for solver in supervisor.solvers()):
        supervisor.stop(SOLVER)
    supervisor.close()
    state.close()


@pytest.mark.slow
def test_a_round_over_http(bench: tuple[Bench, Supervisor]) -> None:
    desk, supervisor = bench
    first = desk.projects.open("p", 7)
    assert first.note is None
    assert first.suggestions[0].box.x0 == square(Path(first.picture.path)).x0 + OFF
    job = desk.finish([desk.annotate(number) for number in range(1, 7)][-1])
    assert job.error is None
    assert job.result.state is RoundState.PROMOTED
    assert (job.result.held_back.ap50, job.result.before.ap50) == (pytest.approx(1.0), 0.0)
    (serving,) = supervisor.solvers()
    assert serving.variants == ("p",), "the candidate became what serves, and nothing else stayed loaded"
    fresh = desk.projects.open("p", 8)
    assert fresh.suggestions[0].box == square(Path(fresh.picture.path))
    assert fresh.suggestions[0].checkpoint == "r1"
    assert serving.pid is not None
    process = psutil.Process(serving.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    again = desk.projects.open("p", 9)
    if again.note is not None:  # the solver was found dead while it was asked; the next opening starts it again
        again = desk.projects.open("p", 9)
    assert again.note is None
    assert again.suggestions[0].box == square(Path(again.picture.path)), "a new runner is given the checkpoint that serves"
    assert sorted(path.name for path in (desk.home.projects / "p" / "checkpoints").iterdir()) == ["r1"]
