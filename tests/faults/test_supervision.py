"""A runner that dies unasked is started again where it was; one that is stopped, or dies too often, or never served, is not."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from cvflow_tui.backend.runtime import keeper, ports, supervisor
from cvflow_tui.backend.runtime.looking import DIED
from cvflow_tui.backend.runtime.revival import Revival
from cvflow_tui.backend.runtime.runner import backoff
from cvflow_tui.backend.runtime.supervisor import Supervisor
from cvflow_tui.backend.store import open_state
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.solvers import RunningSolver, SolverState
from tests.faults.conftest import Habit
from tests.faults.test_kills import marked
from tests.runtime.helpers import Client, Site, alive, holder, until, workers

NAME = "tests/demo/sleeper"
READY = SolverState.READY


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses."""
    monkeypatch.setattr(backoff, "FIRST", 0.05)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that outlast the test."""
    monkeypatch.setattr(backoff, "FIRST", 30.0)


def kill(solver: RunningSolver) -> None:
    assert solver.pid is not None
    everyone = [solver.pid, *workers(solver.pid)]
    os.kill(solver.pid, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in everyone))


def seen(site: Site, accepts: Callable[[RunningSolver], bool]) -> RunningSolver:
    """The solver as the list has it, once it is as it should be."""
    found: RunningSolver = until(lambda: next((each for each in site.supervisor.solvers() if accepts(each)), None), 30)
    return found


def again(site: Site, before: RunningSolver) -> RunningSolver:
    return seen(site, lambda each: each.state is READY and each.pid != before.pid)


def next_daemon(site: Site, habit: Habit) -> Revival:
    site.supervisor.close()
    site.supervisor = Supervisor(site.home, open_state(site.home))
    site.supervisor.adopt()
    revival = Revival(site.supervisor, lambda name: habit("Sleeper"))
    revival.begin(site.supervisor.rebooted, site.supervisor.died)
    revival.join(60)
    return revival


@pytest.mark.slow
@pytest.mark.usefixtures("soon")
def test_a_killed_runner_serves_again_at_its_port_and_the_log_says_why(site: Site, habit: Habit, picture: bytes) -> None:
    told: list[tuple[str, str]] = []
    site.supervisor.close()
    site.supervisor = Supervisor(site.home, open_state(site.home), lambda package, version: told.append((package, version)))
    first = site.supervisor.start(habit("Sleeper"))
    token = site.client(NAME).token
    kill(first)
    second = again(site, first)
    assert (second.port, second.restarts, second.error) == (first.port, 1, None)
    assert site.client(NAME).infer(picture).status == 200
    assert site.client(NAME).token != token
    assert "its runner was killed by SIGKILL; it is started again in" in site.supervisor.log(NAME).text
    assert told == [("tests/demo", "1.2.3")]
    site.supervisor.stop(NAME)
    assert marked(site, NAME) == set()
    assert site.supervisor.solvers() == [] and list(site.home.runs.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("soon")
def test_one_that_dies_too_often_fails_and_says_so(site: Site, habit: Habit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "DEATHS", 2)
    first = site.supervisor.start(habit("Sleeper"))
    kill(first)
    kill(again(site, first))
    failed = seen(site, lambda each: each.state is SolverState.FAILED)
    told = "its runner was killed by SIGKILL, for the 2nd time soon after its start: it is not started again"
    assert failed.error == told
    assert told in site.supervisor.log(NAME).text
    next_daemon(site, habit)
    assert [each.error for each in site.supervisor.solvers()] == [told]
    assert marked(site, NAME) == set()


def test_deaths_far_apart_are_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    kept, pauses = keeper.Keeper(), []
    for pid, lives in enumerate([1, 1, 1, 1 + backoff.CALM, 1, 1, 1, 1], 1):
        kept.follow("a", pid, served=True)
        now += lives
        pauses.append(kept.died("a", "ended"))
    assert pauses == [1, 2, 4, 1, 2, 4, 8, None]
    assert kept.restarts("a") == 7


@pytest.mark.slow
@pytest.mark.usefixtures("late")
def test_while_it_waits_it_is_seen_can_be_stopped_and_started_at_once(site: Site, habit: Habit) -> None:
    first = site.supervisor.start(habit("Sleeper"))
    kill(first)
    waiting = seen(site, lambda each: "again in" in (each.error or ""))
    assert (waiting.state, waiting.pid, waiting.port, waiting.restarts) == (SolverState.BACKOFF, None, None, 1)
    assert site.supervisor.endpoint(NAME) is None
    second = site.supervisor.start(habit("Sleeper"))
    assert (second.state, second.port, second.restarts) == (READY, first.port, 0)
    kill(second)
    seen(site, lambda each: each.state is SolverState.BACKOFF)
    assert site.supervisor.stop(NAME).state is SolverState.STOPPED
    assert site.supervisor.solvers() == [] and list(site.home.runs.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("soon")
def test_a_kill_in_the_middle_of_a_stop_or_a_restart_is_no_reason_to_start_it(site: Site, habit: Habit, picture: bytes) -> None:
    for act in (site.supervisor.stop, lambda name: site.supervisor.restart(habit("Sleeper"))):
        solver = site.supervisor.start(habit("Sleeper"))
        client, pid = site.client(NAME), solver.pid or 0
        asking = threading.Thread(target=_ask, args=(client, picture))
        asking.start()
        until(partial(_somebody_waits, client))
        acting = threading.Thread(target=act, args=(NAME,))
        acting.start()
        time.sleep(0.3)
        os.kill(pid, signal.SIGKILL)
        acting.join(30)
        asking.join(30)
        time.sleep(0.5)
        found = site.supervisor.solvers()
        assert [each.restarts for each in found] == [0] * len(found)
        assert "started again" not in site.supervisor.log(NAME).text
    assert len(found) == 1 and found[0].pid != pid


def _somebody_waits(client: Client) -> bool:
    return bool(client.status()["waiting"])


def _ask(client: Client, picture: bytes) -> None:
    try:
        client.infer(picture, "?seconds=3")
    except OSError:
        return


@pytest.mark.slow
@pytest.mark.usefixtures("soon")
def test_one_that_dies_at_its_first_start_is_not_started_again(site: Site, habit: Habit) -> None:
    begun = site.supervisor.start(habit("Sleeper"), wait=False)
    kill(begun)
    failed = seen(site, lambda each: each.state is SolverState.FAILED)
    assert (failed.error, failed.restarts) == (DIED, 0)
    time.sleep(0.5)
    assert marked(site, NAME) == set()


@pytest.mark.slow
@pytest.mark.usefixtures("soon")
def test_one_whose_port_was_taken_meanwhile_moves_unless_it_must_not(site: Site, habit: Habit, monkeypatch: pytest.MonkeyPatch) -> None:
    first = site.supervisor.start(habit("Sleeper"))
    monkeypatch.setattr(backoff, "FIRST", 1.0)
    kill(first)
    with holder(first.port or 0):
        second = again(site, first)
        assert second.port != first.port
        moved = (
            f"it had port {first.port}, which somebody else has now: it gets another (cvflow set {NAME} port={first.port}: that or none)"
        )
        assert moved in site.supervisor.log(NAME).text
    site.supervisor.settings.change(NAME, {"port": str(second.port)})
    kill(second)
    with holder(second.port or 0):
        waits = seen(site, lambda each: each.state is SolverState.BACKOFF and "in use" in (each.error or ""))
        assert f"port {second.port} is in use by" in (waits.error or "") and "it is started again in" in (waits.error or "")
        failed = seen(site, lambda each: each.state is SolverState.FAILED)
        assert f"port {second.port} is in use by" in (failed.error or "")
        with pytest.raises(RefusedError):
            site.supervisor.start(habit("Sleeper"))


@pytest.mark.slow
@pytest.mark.usefixtures("soon")
def test_one_whose_port_is_free_again_serves_there(site: Site, habit: Habit, monkeypatch: pytest.MonkeyPatch) -> None:
    first = site.supervisor.start(habit("Sleeper"))
    monkeypatch.setattr(backoff, "FIRST", 1.0)
    site.supervisor.settings.change(NAME, {"port": str(first.port)})
    kill(first)
    with holder(first.port or 0):
        seen(site, lambda each: each.state is SolverState.BACKOFF and "in use" in (each.error or ""))
    assert again(site, first).port == first.port


@pytest.mark.slow
def test_a_restart_at_a_port_that_is_taken_leaves_what_serves(site: Site, habit: Habit, picture: bytes) -> None:
    first = site.supervisor.start(habit("Sleeper"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        site.supervisor.settings.change(NAME, {"port": str(port)})
        (warning,) = site.supervisor.report(NAME, "tests/demo").warnings
        with pytest.raises(
            RefusedError, match=rf"is set to have port {port}, which .* has; another: cvflow set {NAME} port=NUMBER"
        ) as refused:
            site.supervisor.restart(habit("Sleeper"))
        assert warning == refused.value.message and f"(pid {os.getpid()})" in warning
        assert site.supervisor.solvers()[0].pid == first.pid
        assert site.client(NAME).infer(picture).status == 200
    assert site.supervisor.report(NAME, "tests/demo").warnings == ()
    assert site.supervisor.restart(habit("Sleeper")).port == port
    assert site.supervisor.report(NAME, "tests/demo").warnings == ()


@pytest.mark.slow
def test_a_port_that_is_taken_in_the_very_moment_of_a_restart_leaves_why(site: Site, habit: Habit, monkeypatch: pytest.MonkeyPatch) -> None:
    site.supervisor.start(habit("Sleeper"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        site.supervisor.settings.change(NAME, {"port": str(taken.getsockname()[1])})
        monkeypatch.setattr(supervisor, "port_owner", lambda port: None)  # nobody had it when it was looked at
        with pytest.raises(RefusedError, match="is in use by"):
            site.supervisor.restart(habit("Sleeper"))
        (failed,) = site.supervisor.solvers()
        assert failed.state is SolverState.FAILED and "is in use by" in (failed.error or "")


def test_to_tell_of_a_port_takes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for settings must not have the port, not even for a moment: a start beside it would find it taken."""

    def listen(*_: object) -> None:
        raise AssertionError("it was listened at")

    monkeypatch.setattr(ports, "listen", listen)
    site.supervisor.settings.change(NAME, {"port": "1"})
    assert site.supervisor.report(NAME, "tests/demo").warnings == ()


@pytest.mark.slow
@pytest.mark.usefixtures("soon")
def test_the_next_daemon_keeps_what_it_finds_and_starts_what_died_meanwhile(site: Site, habit: Habit) -> None:
    first = site.supervisor.start(habit("Sleeper"))
    next_daemon(site, habit)
    assert site.supervisor.solvers()[0].pid == first.pid
    kill(first)
    second = again(site, first)
    assert (second.port, second.restarts) == (first.port, 1)
    site.supervisor.close()
    kill(second)
    next_daemon(site, habit)
    third = again(site, second)
    assert third.port == first.port


@pytest.mark.slow
def test_a_stop_that_a_killed_daemon_had_begun_is_ended_by_the_next(site: Site, habit: Habit) -> None:
    first = site.supervisor.start(habit("Sleeper"))
    site.supervisor.close()
    state = open_state(site.home)
    with state.write() as connection:
        connection.execute("UPDATE runs SET error = 'it is being stopped'")
    state.close()
    next_daemon(site, habit)
    until(lambda: site.supervisor.solvers() == [])
    assert not alive(first.pid or 0) and marked(site, NAME) == set()
