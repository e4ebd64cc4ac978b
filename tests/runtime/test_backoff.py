"""Restarts with back-off: the pauses, and a real worker that dies again and again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.backend.runtime.logs import log_path
from cvflow_tui.backend.runtime.runner.backoff import CALM, FIRST, LONGEST, Backoff
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.solvers import SolverState
from tests.runtime.helpers import Client, Site, until, workers

SOURCE = """
import os
from pathlib import Path

class Mortal:
    def infer(self, image):
        os._exit(3)

class Picky:
    def infer(self, image, bad: bool = False):
        if bad:
            os._exit(3)
        return {"caption": "ok"}

class Stillborn:
    def __init__(self):
        with Path("born").open("a") as file:
            file.write("x")
        os._exit(4)
"""


def _is_ready_after(client: Client, restarts: int) -> bool:
    told = client.status()
    return bool(told["state"] == "ready" and told["restarts"] == restarts)


@given(st.lists(st.floats(0, CALM, exclude_max=True), max_size=100))
def test_pauses_double_up_to_a_minute_while_workers_die_young(lives: list[float]) -> None:
    backoff = Backoff()
    pauses = []
    for seconds in lives:
        backoff.lived(seconds)
        pauses.append(backoff.next())
    assert pauses == [min(LONGEST, FIRST * 2.0**number) for number in range(len(lives))]


def test_a_worker_that_lived_a_minute_wipes_the_slate() -> None:
    backoff = Backoff()
    assert [backoff.next() for _ in range(4)] == [1.0, 2.0, 4.0, 8.0]
    backoff.lived(CALM)
    assert [backoff.next() for _ in range(2)] == [1.0, 2.0]


@pytest.fixture
def mortal(tmp_path: Path, spec_of: Callable[..., RunSpec]) -> Callable[[str], RunSpec]:
    folder = tmp_path / "package"
    (folder / "demo").mkdir(parents=True)
    (folder / "demo" / "solvers.py").write_text(SOURCE)
    return lambda kind: spec_of(kind, root=str(folder))


@pytest.mark.slow
def test_a_worker_that_dies_at_each_request_comes_back_later_each_time(
    site: Site, mortal: Callable[[str], RunSpec], picture: bytes
) -> None:
    client = site.start(mortal("Mortal"))
    runner = int(client.status()["id"])
    seen = set(workers(runner))
    for number in (1, 2):
        assert client.infer(picture).status == 503
        until(lambda: (told := client.status())["state"] == "backoff" and told["error"] == "its process ended with status 3")
        assert workers(runner) == []
        refused = client.infer(picture)
        assert (refused.status, refused.headers["retry-after"]) == (503, str(number)), "the pause, and not a second as ever"
        until(partial(_is_ready_after, client, number))
        (worker,) = workers(runner)
        assert worker not in seen
        seen.add(worker)
    assert int(client.status()["id"]) == runner, "the port's owner never changed"
    log = log_path(site.home, "tests/demo/mortal").read_text()
    assert log.index("again in 1 s") < log.index("again in 2 s")


@pytest.mark.slow
def test_requests_that_a_worker_cannot_bear_do_not_keep_it_away_longer_each_time(
    site: Site, mortal: Callable[[str], RunSpec], picture: bytes
) -> None:
    client = site.start(mortal("Picky"))
    for number in (1, 2):
        assert client.infer(picture).status == 200
        assert client.infer(picture, "?bad=true").status == 503
        until(partial(_is_ready_after, client, number))
    log = log_path(site.home, "tests/demo/picky").read_text()
    assert log.count("again in 1 s") == 2


@pytest.mark.slow
def test_a_worker_that_never_gets_up_is_a_failed_start_that_leaves_nothing(
    site: Site, mortal: Callable[[str], RunSpec], tmp_path: Path
) -> None:
    with pytest.raises(PackageError, match=r"tests/demo/stillborn failed to start: its process .*4.* while it loaded"):
        site.supervisor.start(mortal("Stillborn"))
    assert len((tmp_path / "package" / "born").read_text()) > 1, "one death may be an accident"
    assert [each.state for each in site.supervisor.solvers()] == [SolverState.FAILED]
