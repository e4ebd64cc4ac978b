"""What a solver starts behind everybody's back ends with it all the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from cvflow_tui.backend.runtime.spec import RunSpec
from tests.runtime.helpers import Site, alive, until, workers

SOLVER = '''
import os
import signal
import subprocess
import time


class Escapes:
    """Starts processes in sessions of their own; one of them forks twice and listens to no TERM."""

    def __init__(self):
        started = [subprocess.Popen(["sleep", "600"], start_new_session=True).pid]
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                os.write(writing, str(os.getpid()).encode())
                time.sleep(600)
            os._exit(0)
        started.append(int(os.read(reading, 20)))
        print("started", *started, flush=True)

    def infer(self, image):
        return {"caption": "ok"}
'''


@pytest.fixture
def escapes(tmp_path: Path, spec_of: Callable[..., RunSpec]) -> RunSpec:
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "solver.py").write_text(SOLVER)
    return spec_of("Escapes", root=str(tmp_path), class_path="away/solver/Escapes")


def started(site: Site, times: int = 1) -> list[int]:
    """The processes that the solver told of in its log."""

    def told() -> list[list[str]]:
        lines = site.supervisor.log("tests/demo/escapes").text.splitlines()
        return [line.split()[1:] for line in lines if line.startswith("started ")]

    until(lambda: len(told()) >= times)
    return [int(number) for line in told() for number in line]


def test_stop_ends_what_left_the_session(site: Site, escapes: RunSpec) -> None:
    solver = site.supervisor.start(escapes)
    away = started(site)
    assert len([pid for pid in away if alive(pid)]) == 2
    site.supervisor.stop(solver.name)
    assert [pid for pid in away if alive(pid)] == []


def test_a_worker_that_dies_takes_them_along(site: Site, escapes: RunSpec) -> None:
    solver = site.supervisor.start(escapes)
    away = started(site)
    assert solver.pid is not None
    (worker,) = workers(solver.pid)
    os.kill(worker, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in away))
    assert len([pid for pid in started(site, times=2) if alive(pid)]) == 2, "the next worker's are its own"


def test_stop_ends_them_after_the_runner_was_killed(site: Site, escapes: RunSpec) -> None:
    solver = site.supervisor.start(escapes)
    away = started(site)
    assert solver.pid is not None
    os.kill(solver.pid, signal.SIGKILL)
    site.supervisor.stop(solver.name)
    assert [pid for pid in away if alive(pid)] == []
