"""kill -9 of worker, runner and daemon at each moment: what is left can always be found, started and stopped, and nothing else is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest

from cvflow_tui.backend.runtime.marks import bearers
from cvflow_tui.backend.runtime.supervisor import Supervisor
from cvflow_tui.backend.runtime.worker import RUN_MARK
from cvflow_tui.backend.store import open_state
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.solvers import SolverState
from tests.faults.conftest import Habit
from tests.runtime.helpers import Reply, Site, alive, until, workers

MOMENTS = ("starting", "ready", "busy", "stopping")


def marked(site: Site, name: str) -> set[int]:
    return bearers(RUN_MARK, str(site.home.specification(name)))


def at_moment(site: Site, habit: Habit, picture: bytes, moment: str) -> tuple[int, list[threading.Thread]]:
    """A solver that is at that moment; its runner's pid, and who still asks."""
    begun = site.supervisor.start(habit("Sleeper"), wait=moment != "starting")
    assert begun.pid is not None
    threads: list[threading.Thread] = []
    if moment in ("busy", "stopping"):
        client = site.client(begun.name)

        def ask() -> Reply | None:
            try:
                return client.infer(picture, "?seconds=5")
            except OSError:
                return None

        threads.append(threading.Thread(target=ask))
        threads[0].start()
        until(lambda: client.status()["state"] == "busy")
    if moment == "stopping":
        os.kill(begun.pid, signal.SIGTERM)
    if moment == "starting":
        until(lambda: workers(begun.pid or 0))
    return begun.pid, threads


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_runner_takes_its_workers_along_and_can_be_started_again(site: Site, habit: Habit, picture: bytes, moment: str) -> None:
    runner, threads = at_moment(site, habit, picture, moment)
    everyone = marked(site, "tests/demo/sleeper")
    assert len(everyone) >= 2
    os.kill(runner, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in everyone))
    for thread in threads:
        thread.join(30)
    again = site.supervisor.start(habit("Sleeper"))
    assert (again.state, again.pid != runner) == (SolverState.READY, True)
    site.supervisor.stop(again.name)
    assert marked(site, "tests/demo/sleeper") == set()
    assert list(site.home.runs.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_worker_is_replaced_or_ends_with_its_runner(site: Site, habit: Habit, picture: bytes, moment: str) -> None:
    runner, threads = at_moment(site, habit, picture, moment)
    (worker,) = workers(runner)
    os.kill(worker, signal.SIGKILL)
    for thread in threads:
        thread.join(30)
    if moment == "stopping":
        until(lambda: not alive(runner))
    else:
        client = site.client("tests/demo/sleeper")
        until(lambda: client.status()["state"] == "ready" and workers(runner) not in ([], [worker]), 30)
        assert client.infer(picture).status == 200
    site.supervisor.stop("tests/demo/sleeper")
    assert marked(site, "tests/demo/sleeper") == set()


DAEMON = textwrap.dedent(
    """
    import sys, threading, time
    from pathlib import Path
    from cvflow_tui.backend.runtime.spec import RunSpec
    from cvflow_tui.backend.runtime.supervisor import Supervisor
    from cvflow_tui.backend.store import open_state
    from cvflow_tui.home import Home

    home = Home(Path(sys.argv[1]))
    supervisor, spec = Supervisor(home, open_state(home)), RunSpec.load(Path(sys.argv[2]))
    if sys.argv[3] != "starting":
        supervisor.start(spec)
        if sys.argv[3] == "stopping":
            threading.Thread(target=supervisor.stop, args=(spec.name,)).start()
    else:
        threading.Thread(target=supervisor.start, args=(spec,)).start()
    print("now", flush=True)
    time.sleep(1000)
    """
)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["starting", "ready", "stopping"])
@pytest.mark.parametrize("pause", [0.0, 0.05, 0.3])
def test_whatever_a_killed_daemon_was_at_the_next_one_finds_or_forgets(
    site: Site, habit: Habit, tmp_path: Path, moment: str, pause: float
) -> None:
    spec_file = tmp_path / "spec.json"
    habit("Sleeper").save(spec_file)
    command = [sys.executable, "-c", DAEMON, str(site.home.root), str(spec_file), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "now\n"
        threading.Event().wait(pause)
        daemon.kill()
        daemon.wait()
    site.supervisor = Supervisor(site.home, open_state(site.home))
    found = site.supervisor.adopt()
    if found:
        until(lambda: site.supervisor.solvers()[0].state in (SolverState.READY, SolverState.FAILED) if site.supervisor.solvers() else True)
    try:
        assert site.supervisor.start(habit("Sleeper")).state is SolverState.READY
    except CvflowError as error:  # the old one was still going down
        assert "ended" in error.message or "stopped" in error.message, error.message
        assert site.supervisor.start(habit("Sleeper")).state is SolverState.READY
    site.supervisor.stop("tests/demo/sleeper")
    assert marked(site, "tests/demo/sleeper") == set()
    assert site.supervisor.solvers() == []


@pytest.mark.slow
def test_a_fork_bomb_ends_with_its_solver(site: Site, habit: Habit, picture: bytes) -> None:
    client = site.start(habit("Bomb"))
    assert client.infer(picture).status == 200
    until(lambda: len(marked(site, "tests/demo/bomb")) == 42, 40)
    bomb = marked(site, "tests/demo/bomb")
    assert len({os.getsid(pid) for pid in bomb}) > 30, "sessions of their own"
    site.supervisor.stop("tests/demo/bomb")
    assert [pid for pid in bomb if alive(pid)] == []
    assert not [child for child in psutil.Process().children(recursive=True) if child.pid in bomb and alive(child.pid)]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["the worker is killed", "the solver is stopped"])
def test_what_hides_from_everybody_ends_with_its_worker(site: Site, habit: Habit, picture: bytes, how: str) -> None:
    client = site.start(habit("Hider"))
    hidden = [int(client.infer(picture).json["caption"]) for _ in range(2)]
    runner = psutil.Process(site.supervisor.solvers()[0].pid)
    assert [psutil.Process(pid).ppid() for pid in hidden] == [runner.pid] * 2
    if how == "the solver is stopped":
        site.supervisor.stop("tests/demo/hider")
    else:
        workers = [child for child in runner.children() if child.pid not in hidden]
        for worker in workers:
            worker.kill()
        until(lambda: client.infer(picture).status == 200, 15)
    until(lambda: not any(map(psutil.pid_exists, hidden)), 15)


@pytest.mark.slow
def test_what_was_left_behind_and_ended_is_no_zombie(site: Site, habit: Habit, picture: bytes) -> None:
    client = site.start(habit("Hider"))
    hidden = [int(client.infer(picture, "?seconds=0").json["caption"]) for _ in range(3)]
    until(lambda: not any(map(psutil.pid_exists, hidden)), 15)
    assert client.infer(picture, "?seconds=0").status == 200
