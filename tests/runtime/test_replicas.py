"""Several workers behind one port."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.model.solvers import SolverState
from tests.runtime.helpers import Client, Reply, Site, alive, until, workers

Specs = Callable[..., RunSpec]


def crew(site: Site, spec: RunSpec, replicas: int) -> Client:
    site.supervisor.settings.change(spec.name, {"replicas": str(replicas)})
    client = site.start(spec)
    until(lambda: client.status()["replicas_ready"] == replicas)
    return client


def status_once(client: Client, *, replicas_ready: int) -> dict[str, Any]:
    """The very status that says so: in the next one all may be different."""
    told: dict[str, Any] = {}

    def is_so() -> bool:
        told.clear()
        told.update(client.status())
        return bool(told["replicas_ready"] == replicas_ready)

    until(is_so)
    return told


def ask_at_once(client: Client, picture: bytes, count: int, query: str = "") -> list[Reply]:
    replies: list[Reply] = []
    threads = [threading.Thread(target=lambda: replies.append(client.infer(picture, query))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(replies) == count
    return replies


def test_they_share_the_work_and_are_seen_one_by_one(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = crew(site, spec_of("Slow"), 3)
    runner = client.status()["id"]
    assert len(workers(runner)) == 3
    replies = ask_at_once(client, picture, 9, "?seconds=0.3")
    assert [reply.status for reply in replies] == [200] * 9
    told = client.status()
    assert sorted(worker["pid"] for worker in told["workers"]) == workers(runner)
    assert [worker["requests"] for worker in told["workers"]] == [3, 3, 3], "whoever has least to do gets the next"
    assert all(worker["rss"] > 1_000_000 for worker in told["workers"])
    (seen,) = site.supervisor.solvers()
    assert (seen.replicas, seen.replicas_ready, len(seen.workers)) == (3, 3, 3)


def test_one_that_dies_leaves_the_others_serving(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = crew(site, spec_of("Slow"), 2)
    runner = client.status()["id"]
    first, second = (worker["pid"] for worker in client.status()["workers"])
    os.kill(first, signal.SIGKILL)
    until(lambda: not alive(first))
    told = status_once(client, replicas_ready=1)
    assert (told["state"], told["error"]) == ("ready", "its process was killed by SIGKILL")
    assert {reply.status for reply in ask_at_once(client, picture, 4, "?seconds=0")} == {200}
    until(lambda: client.status()["replicas_ready"] == 2)
    told = client.status()
    assert (told["restarts"], told["error"]) == (1, None)
    assert second in workers(runner) and first not in workers(runner)


def test_what_waits_is_not_lost_with_the_worker_of_another(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = crew(site, spec_of("Slow"), 2)
    victim = client.status()["workers"][0]["pid"]
    replies: list[Reply] = []
    threads = [threading.Thread(target=lambda: replies.append(client.infer(picture, "?seconds=0.5"))) for _ in range(10)]
    for thread in threads:
        thread.start()
    until(lambda: client.status()["waiting"] == 10)
    os.kill(victim, signal.SIGKILL)
    for thread in threads:
        thread.join(60)
    count = Counter(reply.status for reply in replies)
    assert count[503] <= 2, "what it worked on, and what it had been sent ahead"
    assert count[200] == 10 - count[503]
    assert count[503] >= 1


def test_each_batches_for_itself(site: Site, spec_of: Specs, picture: bytes) -> None:
    client = crew(site, spec_of("Batched", batch=4), 2)
    replies = ask_at_once(client, picture, 24)
    assert {reply.status for reply in replies} == {200}
    sizes = Counter(reply.json["together"] for reply in replies)
    assert max(sizes) > 1 and max(sizes) <= 4
    assert all(worker["requests"] >= 4 for worker in client.status()["workers"])


def test_stop_ends_them_all(site: Site, spec_of: Specs) -> None:
    client = crew(site, spec_of("Parent"), 3)
    runner = client.status()["id"]
    everyone = [runner, *workers(runner)]
    assert len(everyone) == 7, "a runner, three workers and what each of them started"
    assert site.supervisor.stop("tests/demo/parent").state is SolverState.STOPPED
    assert [pid for pid in everyone if alive(pid)] == []


def test_a_lane_that_is_closed_as_its_worker_is_attached_leaves_no_worker(spec_of: Specs) -> None:
    import asyncio

    from cvflow_tui.backend.runtime.runner.lane import Lane
    from cvflow_tui.backend.runtime.runner.logfile import LogFile

    async def rush(turns: int) -> int:
        lane = Lane(spec_of("Echo"), LogFile(None), "rushed")
        lane.open()
        replica = lane.replicas[0]
        while replica._spawned is None and replica.pid is None:  # noqa: ASYNC110 - the very moment is what is looked for
            await asyncio.sleep(0)
        begun = replica._spawned or replica._link
        assert begun is not None
        process = begun.process
        for _ in range(turns):
            await asyncio.sleep(0)
        await lane.close()
        return process.pid

    for turns in range(6):
        assert not alive(asyncio.run(rush(turns)))
