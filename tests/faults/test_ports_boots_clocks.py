"""Ports that others took, machines that went down, clocks that jump, daemons that come in twos."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from cvflow_tui.backend.runtime.revival import Revival
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.supervisor import Supervisor
from cvflow_tui.backend.store import open_state
from cvflow_tui.model.errors import NotFoundError, PackageError, RefusedError
from cvflow_tui.model.solvers import SolverState
from tests.faults.conftest import Habit
from tests.runtime.helpers import Site, alive, holder, until, workers

pytestmark = pytest.mark.slow


def goes_down(site: Site) -> None:
    """The machine loses power: every process is gone, and the next boot has another id."""
    running = site.supervisor.solvers()
    site.supervisor.close()
    for solver in running:
        assert solver.pid is not None
        everyone = [solver.pid, *workers(solver.pid)]
        os.kill(solver.pid, signal.SIGKILL)
        until(partial(_none_lives, everyone))
    state = open_state(site.home)
    with state.write() as connection:
        connection.execute("UPDATE runs SET boot_id = 'an earlier boot', error = NULL")
    state.close()
    site.supervisor = Supervisor(site.home, open_state(site.home))


def comes_up(site: Site, habit: Habit) -> Revival:
    """A daemon begins."""

    def spec_of(name: str) -> RunSpec:
        kinds = {"sleeper": "Sleeper", "telling": "Telling", "second": "Sleeper", "refused": "Refused"}
        if (solver := name.rpartition("/")[2]) not in kinds:
            raise NotFoundError(f"{name} is not installed")
        return replace(habit(kinds[solver]), solver=solver)

    site.supervisor.adopt()
    revival = Revival(site.supervisor, spec_of)
    revival.begin(site.supervisor.rebooted)
    revival.join(60)
    return revival


def _none_lives(pids: Iterable[int]) -> bool:
    return not any(map(alive, pids))


def test_what_ran_when_the_machine_went_down_runs_again_where_it_was(site: Site, habit: Habit, picture: bytes) -> None:
    before = site.supervisor.start(habit("Sleeper"))
    goes_down(site)
    comes_up(site, habit)
    (after,) = site.supervisor.solvers()
    assert (after.name, after.state, after.port) == (before.name, SolverState.READY, before.port)
    assert after.pid != before.pid
    assert site.client(after.name).infer(picture).status == 200


def test_it_does_not_where_that_was_set(site: Site, habit: Habit) -> None:
    site.supervisor.settings.change("tests/demo/sleeper", {"restore": "off"})
    site.supervisor.start(habit("Sleeper"))
    goes_down(site)
    comes_up(site, habit)
    assert site.supervisor.solvers() == []


def test_it_comes_back_elsewhere_where_its_port_was_taken_meanwhile(site: Site, habit: Habit) -> None:
    before = site.supervisor.start(habit("Sleeper"))
    goes_down(site)
    assert before.port is not None
    with holder(before.port):
        comes_up(site, habit)
        (after,) = site.supervisor.solvers()
    assert after.state is SolverState.READY
    assert after.port != before.port


def test_a_fixed_port_that_was_stolen_is_told_with_who_has_it(site: Site, habit: Habit) -> None:
    port = site.supervisor.start(habit("Sleeper")).port
    assert port is not None
    site.supervisor.settings.change("tests/demo/sleeper", {"port": str(port), "autostart": "on"})
    site.supervisor.stop("tests/demo/sleeper")
    with holder(port):
        with pytest.raises(RefusedError, match=rf"port {port} is in use by .*\(pid {os.getpid()}\)"):
            site.supervisor.start(habit("Sleeper"))
        comes_up(site, habit)
        (seen,) = site.supervisor.solvers()
        assert seen.state is SolverState.FAILED
        assert seen.error is not None and f"(pid {os.getpid()})" in seen.error
    assert site.supervisor.start(habit("Sleeper")).port == port, "started by hand once the port is free"


def test_a_stranger_at_the_port_of_a_run_is_not_taken_for_it(site: Site, habit: Habit) -> None:
    """A daemon died before it wrote down its runner's pid; the port now belongs to one who says that it is that runner."""
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as victim:
        told = json.dumps({"state": "ready", "package": "tests/demo", "solver": "sleeper", "id": victim.pid}).encode()

        class Stranger(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                return

        with http.server.HTTPServer(("127.0.0.1", 0), Stranger) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            state = open_state(site.home)
            with state.write() as connection:
                spec = str(site.home.specification("tests/demo/sleeper"))
                sql = "INSERT INTO runs (name, version, spec, token, port, started_at) VALUES ('tests/demo/sleeper', '1', ?, 't', ?, 0)"
                connection.execute(sql, (spec, server.server_port))
            assert site.supervisor.adopt() == []
            assert site.supervisor.start(habit("Sleeper")).state is SolverState.READY
            site.supervisor.stop("tests/demo/sleeper")
            server.shutdown()
        assert victim.poll() is None, "whom the stranger named is left alone"
        victim.kill()


def test_they_start_in_their_order_and_one_that_fails_holds_up_none(site: Site, habit: Habit) -> None:
    settings = site.supervisor.settings
    settings.change("tests/demo/sleeper", {"autostart": "on", "after": "tests/demo/refused,tests/demo/second"})
    settings.change("tests/demo/second", {"autostart": "on", "after": "tests/demo/telling"})
    settings.change("tests/demo/refused", {"autostart": "on"})
    settings.change("tests/demo/telling", {"autostart": "on"})
    settings.change("tests/demo/removed", {"autostart": "on"})
    settings.set_variable("tests/demo/refused", "API_KEY", "hunter2hunter2")
    comes_up(site, habit)
    seen = {each.solver: each.state for each in site.supervisor.solvers()}
    ready = SolverState.READY
    assert seen == {"telling": ready, "second": ready, "sleeper": ready, "refused": SolverState.FAILED}
    began = [each.solver for each in sorted(site.supervisor.solvers(), key=lambda each: -each.uptime) if each.state is ready]
    assert began == ["telling", "second", "sleeper"]


def test_a_version_that_became_ready_is_told_once(site: Site, habit: Habit) -> None:
    told: list[tuple[str, str]] = []
    site.supervisor.close()
    site.supervisor = Supervisor(site.home, open_state(site.home), lambda package, version: told.append((package, version)))
    with pytest.raises(PackageError):
        site.supervisor.start(habit("Refused"))
    assert told == []
    site.supervisor.start(habit("Sleeper"), wait=False)
    until(lambda: told)
    site.supervisor.start(habit("Telling"))
    site.supervisor.start(replace(habit("Telling"), solver="other", version="2.0"))
    assert told == [("tests/demo", "1.2.3"), ("tests/demo", "2.0")]


CLOCK = """
import os, time
_true = time.time
def _told():
    try:
        with open(os.environ["CVFLOW_TEST_CLOCK"]) as file:
            return _true() + float(file.read() or 0)
    except OSError:
        return _true()
time.time = _told
"""


@pytest.mark.parametrize("jump", [86400.0 * 365, -86400.0 * 365])
def test_a_clock_that_jumps_a_year_changes_nothing(
    site: Site, habit: Habit, picture: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(CLOCK)
    clock = tmp_path / "clock"
    clock.write_text("0")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("CVFLOW_TEST_CLOCK", str(clock))
    name = "tests/demo/sleeper"
    site.supervisor.settings.change(name, {"call_timeout": "30s", "keep_alive": "1h"})
    client = site.start(habit("Sleeper"))
    before = client.status()
    statuses: list[int] = []
    asking = threading.Thread(target=lambda: statuses.append(client.infer(picture, "?seconds=2").status))
    asking.start()
    until(lambda: client.status()["state"] == "busy")
    clock.write_text(str(jump))
    import time

    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + jump)
    asking.join(30)
    assert statuses == [200], "no call is overdue because the clock says so"
    told = client.status()
    assert (told["restarts"], told["asleep"], told["workers"][0]["pid"]) == (0, False, before["workers"][0]["pid"])
    assert 0 < told["uptime"] < 120
    assert 0 < told["rate"] <= 10
    until(lambda: site.supervisor.history(name).points)
    assert all(0 <= point.age < 120 for point in site.supervisor.history(name).points)
    site.supervisor.close()
    site.supervisor = Supervisor(site.home, open_state(site.home))
    assert [(each.name, each.pid) for each in site.supervisor.adopt()] == [(name, told["id"])], "it is known again"
    site.supervisor.stop(name)
    assert not alive(told["id"])


def test_of_daemons_that_begin_at_once_one_serves_and_the_others_say_who(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cvflow_tui", "daemon", "run", "--json"]
    environment = {**os.environ, "CVFLOW_HOME": str(tmp_path / "home")}
    begun = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
        for _ in range(3)
    ]
    try:
        until(lambda: sum(each.poll() is not None for each in begun) == 2, 60)
        (serving,) = [each for each in begun if each.poll() is None]
        for each in begun:
            if each is not serving:
                assert each.returncode == 4
                _, told = each.communicate(timeout=10)
                assert "daemon" in told and "Traceback" not in told
        assert serving.stdout is not None
        assert json.loads(serving.stdout.readline())["pid"] == serving.pid
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(30) == 0
    finally:
        for each in begun:
            if each.poll() is None:
                each.kill()
            each.communicate()
