"""A worker that hangs, one that grows, one that nobody needs: live processes, and requests that wait meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from typing import Any, cast

import pytest

from cvflow_tui.backend.runtime.link import WorkerLink
from cvflow_tui.backend.runtime.runner.watch import Watch
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.settings import SolverSettings
from tests.faults.conftest import Habit
from tests.runtime.helpers import Client, Reply, Site, alive, until, workers

pytestmark = pytest.mark.slow


def ask_beside(client: Client, picture: bytes, *queries: str) -> tuple[list[Reply], list[threading.Thread]]:
    replies: list[Reply] = []
    threads = [threading.Thread(target=lambda query=query: replies.append(client.infer(picture, query))) for query in queries]
    for thread in threads:
        thread.start()
    return replies, threads


def ready_again(client: Client, but: int) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        told = client.status()
        return told if told["replicas_ready"] == 1 and told["workers"][0]["pid"] != but else None

    found: dict[str, Any] = until(look)
    return found


def test_a_call_that_hangs_is_given_up_with_504_and_its_worker_replaced(site: Site, habit: Habit, picture: bytes) -> None:
    site.supervisor.settings.change("tests/demo/sleeper", {"call_timeout": "1s"})
    client = site.start(habit("Sleeper"))
    (worker,) = workers(client.status()["id"])
    replies, threads = ask_beside(client, picture, "?seconds=600")
    until(lambda: client.status()["state"] == "busy")
    late, late_threads = ask_beside(client, picture, "?seconds=0")
    for thread in threads + late_threads:
        thread.join(30)
    assert [(reply.status, reply.json["error"]) for reply in replies] == [(504, "a call took longer than 1 s (setting call_timeout)")]
    assert late[0].status == 503, "what waited behind it is told to come again"
    until(lambda: not alive(worker))
    told = ready_again(client, worker)
    assert told["restarts"] == 1
    assert client.infer(picture).status == 200


def test_what_waits_behind_a_long_call_is_not_taken_for_hanging(site: Site, habit: Habit, picture: bytes) -> None:
    site.supervisor.settings.change("tests/demo/sleeper", {"call_timeout": "1.5s"})
    client = site.start(habit("Sleeper"))
    replies, threads = ask_beside(client, picture, *["?seconds=0.9"] * 4)
    for thread in threads:
        thread.join(30)
    assert [reply.status for reply in replies] == [200] * 4
    assert client.status()["restarts"] == 0


def test_an_idle_worker_that_does_not_answer_is_replaced(site: Site, habit: Habit, picture: bytes) -> None:
    site.supervisor.settings.change("tests/demo/sleeper", {"call_timeout": "1s"})
    client = site.start(habit("Sleeper"))
    (worker,) = workers(client.status()["id"])
    os.kill(worker, signal.SIGSTOP)
    told = ready_again(client, worker)
    assert told["restarts"] == 1
    assert not alive(worker)
    assert "has not answered" in site.supervisor.log("tests/demo/sleeper").text
    assert client.infer(picture).status == 200


def test_a_worker_that_grows_is_replaced_and_no_request_is_lost(site: Site, habit: Habit, picture: bytes) -> None:
    site.supervisor.settings.change("tests/demo/leaky", {"memory": "200M"})
    client = site.start(habit("Leaky"))
    (worker,) = workers(client.status()["id"])
    replies, threads = ask_beside(client, picture, "?megabytes=400&seconds=2", *["?seconds=0.1"] * 5)
    for thread in threads:
        thread.join(60)
    assert [reply.status for reply in replies] == [200] * 6
    told = ready_again(client, worker)
    assert told["restarts"] == 1
    assert told["error"] is None
    assert not alive(worker)
    assert {reply.json["caption"] for reply in replies} == {str(worker), str(told["workers"][0]["pid"])}, "some waited for the next"
    assert "its limit is 200 MB" in site.supervisor.log("tests/demo/leaky").text


def test_a_solver_that_needs_more_than_it_may_have_fails_with_both_figures(site: Site, habit: Habit) -> None:
    site.supervisor.settings.change("tests/demo/greedy", {"memory": "200M"})
    with pytest.raises(PackageError, match=r"it holds \d+ MB of memory; its limit is 200 MB"):
        site.supervisor.start(habit("Greedy"))
    assert "its limit is 200 MB" in (site.supervisor.solvers()[0].error or "")


def test_a_hard_limit_fails_the_allocation_and_not_the_machine(site: Site, habit: Habit, picture: bytes) -> None:
    site.supervisor.settings.change("tests/demo/leaky", {"address_space": "1G"})
    client = site.start(habit("Leaky"))
    assert client.infer(picture, "?megabytes=10").status == 200
    reply = client.infer(picture, "?megabytes=2000")
    assert (reply.status, reply.json["error"].split(":")[0]) == (500, "MemoryError")
    assert client.infer(picture).status == 200


def test_who_cannot_even_load_within_a_hard_limit_is_told_of_it(site: Site, habit: Habit) -> None:
    site.supervisor.settings.change("tests/demo/greedy", {"address_space": "200M"})
    with pytest.raises(PackageError, match=r"MemoryError.*; its hard limit of memory is 200 MB \(setting address_space\)"):
        site.supervisor.start(habit("Greedy"))


def test_who_ends_while_it_loads_within_a_hard_limit_is_told_of_it(site: Site, habit: Habit) -> None:
    site.supervisor.settings.change("tests/demo/fragile", {"address_space": "200M"})
    with pytest.raises(PackageError, match=r"ended with status 3 while it loaded; its hard limit of memory is 200 MB"):
        site.supervisor.start(habit("Fragile"))


def test_an_idle_solver_gives_its_memory_back_and_the_next_request_waits_for_it(site: Site, habit: Habit, picture: bytes) -> None:
    site.supervisor.settings.change("tests/demo/sleeper", {"keep_alive": "0.4s"})
    client = site.start(habit("Sleeper"))
    runner = client.status()["id"]
    (worker,) = workers(runner)
    told = until(lambda: (status := client.status())["asleep"] and status)
    assert (told["state"], told["replicas_ready"], told["restarts"], told["error"]) == ("ready", 0, 0, None)
    until(lambda: workers(runner) == [])
    assert not alive(worker)
    replies, threads = ask_beside(client, picture, *["?seconds=0.01"] * 6)
    for thread in threads:
        thread.join(30)
    assert [reply.status for reply in replies] == [200] * 6
    assert len({reply.json["caption"] for reply in replies}) == 1
    until(lambda: client.status()["asleep"])
    assert site.supervisor.solvers()[0].asleep


class Ready:
    """A replica that has just become ready, and its link."""

    active = 0
    pid = os.getpid()

    def overdue(self, seconds: float) -> list[asyncio.Future[list[Any]]]:
        return []

    def in_vain(self, seconds: float) -> bool:
        return False

    async def ping(self) -> None:
        return


async def test_who_has_only_just_loaded_is_not_idle_for_as_long_as_that_took() -> None:
    began = time.monotonic()
    verdict = await Watch(Ready(), cast(WorkerLink, Ready()), SolverSettings(keep_alive=0.4), lambda: 100.0).verdict()
    assert verdict.sleep and time.monotonic() - began >= 0.4


def test_a_solver_that_sleeps_can_be_stopped(site: Site, habit: Habit) -> None:
    site.supervisor.settings.change("tests/demo/sleeper", {"keep_alive": "0.2s"})
    client = site.start(habit("Sleeper"))
    runner = client.status()["id"]
    until(lambda: client.status()["asleep"])
    site.supervisor.stop("tests/demo/sleeper")
    assert not alive(runner)
