"""A real round on real pictures, ended in the middle by everything that can end one: nothing is left of it, and the next one works."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from cvflow_tui.backend.client import find_daemon
from cvflow_tui.home import Home
from cvflow_tui.model.projects import Draw, PictureState, ProjectSettings, ProjectStatus, Round, RoundState, SetState
from tests.path.conftest import DATA, Cvflow
from tests.path.test_path_learning import client_of, voc_truth

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not (DATA / "bccd").is_dir(), reason="the annotated pictures of bccd are not here"),
]

PICTURES = 6
SECONDS = 60.0
KEPT = {"project.db", "project.db-wal", "project.db-shm", "labels.toml"}


@dataclass
class Desk:
    """A project of annotated micrographs, and `cvflow train` in the middle of a round."""

    cvflow: Cvflow
    train: subprocess.Popen[str] | None = None

    @property
    def project(self) -> Path:
        return self.cvflow.home / "projects" / "cells"

    def status(self) -> ProjectStatus:
        async def ask() -> ProjectStatus:
            async with client_of(self.cvflow) as client:
                return await client.project("cells")

        return asyncio.run(ask())

    def begin(self, step: str) -> None:
        """Begin to train; returns once the round has come so far."""
        command = [sys.executable, "-m", "cvflow_tui", "train", "cells"]
        self.train = subprocess.Popen(
            command, env=self.cvflow.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        asyncio.run(self._reach(step))

    async def _reach(self, step: str) -> None:
        deadline = time.monotonic() + SECONDS
        async with client_of(self.cvflow) as client:
            while time.monotonic() < deadline:
                if job_id := (await client.project("cells")).running_round:
                    job = await client.job(job_id)
                    assert not job.state.is_over, f"the round was over before it came to {step}: {job.error}"
                    if job.step == step and (job.done > 0 or step != "fine-tuning"):
                        return
                await asyncio.sleep(0.02)
        raise AssertionError(f"the round did not come to {step}")

    def ended(self) -> tuple[int, str]:
        """Exit status and output of `cvflow train`."""
        assert self.train is not None
        output, _ = self.train.communicate(timeout=SECONDS)
        return self.train.returncode, output

    def runner(self) -> int:
        (solver,) = self.cvflow.json("ps")
        return int(solver["pid"])

    def daemon(self) -> int:
        address = find_daemon(Home(self.cvflow.home))
        assert address is not None
        return address.pid

    def workers(self) -> list[int]:
        """Live processes that hold or teach a model of this home, by the mark they bear."""
        found = []
        for process in psutil.process_iter():
            try:
                mine = str(self.cvflow.home) in process.environ().get("CVFLOW_RUN", "") and "CVFLOW_WORKER" in process.environ()
                if mine and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found

    def files(self) -> set[str]:
        """What lies in the project's folder beside its database and the cache of what the network saw."""
        found = {str(path.relative_to(self.project)) for path in self.project.rglob("*") if path.is_file() or path.name.startswith(".")}
        return {name for name in found if not (name.startswith("cache/features/") and name.endswith(".npz"))} - KEPT


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    cvflow = Cvflow(tmp_path_factory.mktemp("killed") / "home")
    cvflow.ok("install", "nanodet", "--yes")
    pictures = sorted((DATA / "bccd/BCCD/JPEGImages").resolve().glob("*.jpg"))[:PICTURES]

    async def annotate() -> None:
        async with client_of(cvflow) as client:
            settings = ProjectSettings(solver=str(await client.resolve("nanodet")), round_every=0)
            await client.create_project("cells", [str(path) for path in pictures], ["RBC", "WBC", "Platelets"], settings=settings)
            for position in range(1, PICTURES + 1):
                view = await client.open_picture("cells", position)
                for label, box in voc_truth(Path(view.picture.name).stem):
                    await client.act("cells", view.picture.id, Draw(label, box))
                await client.act("cells", view.picture.id, SetState(PictureState.ANNOTATED))

    asyncio.run(annotate())
    yield Desk(cvflow)
    cvflow.run("daemon", "stop", "--solvers")
    for process in cvflow.processes():
        process.kill()


@pytest.fixture
def desk(shared: Desk) -> Iterator[Desk]:
    """The same project for all: each test's first round is the one after another test's end."""
    shared.cvflow.ok("start", "nanodet")
    yield shared
    if shared.train is not None and shared.train.poll() is None:
        shared.train.kill()
        shared.train.wait()


def until(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def last(desk: Desk) -> Round:
    """The last round; a daemon that was killed is started anew for it."""
    desk.cvflow.ok("project", "list")
    return desk.status().rounds[-1]


def only_what_serves_is_left(desk: Desk) -> None:
    """No half-made checkpoint, no dataset, no process beside those that hold the package's model and the project's, if it has one."""
    kept = {f"checkpoints/{each.checkpoint}" for each in desk.status().rounds if each.checkpoint}
    assert desk.files() == kept
    until(lambda: len(desk.workers()) <= 1 + bool(kept), "more than what serves is there")


def the_next_round_works(desk: Desk) -> None:
    told = desk.cvflow.json("train", "cells")
    assert told["state"] in ("promoted", "kept old"), told
    only_what_serves_is_left(desk)


def test_the_daemon_is_killed(desk: Desk) -> None:
    desk.begin("fine-tuning")
    os.kill(desk.daemon(), signal.SIGKILL)
    code, said = desk.ended()
    assert (code, "Traceback" in said) == (5, False), said
    assert (last(desk).state, last(desk).reason) == (RoundState.FAILED, "the process ended while the round was running")
    only_what_serves_is_left(desk)
    the_next_round_works(desk)


def test_the_daemon_is_killed_while_a_candidate_is_measured(desk: Desk) -> None:
    desk.begin("measuring on held-back pictures")
    os.kill(desk.daemon(), signal.SIGKILL)
    assert desk.ended()[0] == 5
    assert last(desk).state is RoundState.FAILED
    until(lambda: "cells.candidate" not in desk.cvflow.json("ps")[0]["variants"], "a dead daemon's candidate stays in memory")
    only_what_serves_is_left(desk)


def test_the_runner_is_killed(desk: Desk) -> None:
    desk.begin("fine-tuning")
    runner, workers = desk.runner(), desk.workers()
    os.kill(runner, signal.SIGKILL)
    code, said = desk.ended()
    assert code == 5
    assert "ended, or answers no more, while it learned; see: cvflow logs" in said
    assert last(desk).state is RoundState.FAILED
    assert last(desk).reason in said
    assert not set(workers) & set(desk.workers())
    assert list(Path("/dev/shm").glob(f"cvflow-{runner}-*")) == []
    only_what_serves_is_left(desk)
    the_next_round_works(desk)


def test_the_command_is_killed_and_the_round_goes_on(desk: Desk) -> None:
    desk.begin("fine-tuning")
    assert desk.train is not None
    desk.train.kill()
    desk.ended()
    assert [job["kind"] for job in desk.cvflow.json("jobs")] == ["round"], "it is the daemon's, and can be seen"
    until(lambda: desk.status().running_round is None, "the round did not end")
    assert last(desk).state in (RoundState.PROMOTED, RoundState.KEPT_OLD)
    only_what_serves_is_left(desk)


def test_ctrl_c_calls_the_round_off(desk: Desk) -> None:
    desk.begin("fine-tuning")
    assert desk.train is not None
    desk.train.send_signal(signal.SIGINT)
    code, said = desk.ended()
    assert code == 130
    assert "cancelled; nothing was kept" in said
    assert (last(desk).state, last(desk).reason) == (RoundState.CANCELLED, "called off")
    only_what_serves_is_left(desk)
    the_next_round_works(desk)


def test_the_daemon_is_stopped_with_its_solvers(desk: Desk) -> None:
    desk.begin("fine-tuning")
    runner = desk.runner()
    desk.cvflow.ok("daemon", "stop", "--solvers")
    code, said = desk.ended()
    assert (code != 0, "Traceback" in said) == (True, False), said
    assert desk.workers() == []
    assert desk.cvflow.processes() == []
    assert list(Path("/dev/shm").glob(f"cvflow-{runner}-*")) == []
    assert (last(desk).state, last(desk).reason) == (RoundState.CANCELLED, "called off")
    only_what_serves_is_left(desk)
    the_next_round_works(desk)
