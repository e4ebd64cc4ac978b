"""The last ten minutes of a solver, second by second."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.backend.runtime.runner.history import SECONDS, History
from cvflow_tui.backend.runtime.runner.stats import Stats
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.model.errors import NotFoundError
from tests.runtime.helpers import Site, until


@given(st.lists(st.lists(st.tuples(st.floats(0, 10), st.booleans()), max_size=20), max_size=20))
def test_every_request_is_in_one_second(seconds: list[list[tuple[float, bool]]]) -> None:
    stats = Stats()
    history = History(stats, lambda: (12.5, 1000), lambda: 3)
    for requests in seconds:
        for duration, failed in requests:
            stats.count(duration, 500 if failed else 200, "infer")
        history.take()
    told = history.told()
    assert told["requests"] == [len(requests) for requests in seconds]
    assert told["errors"] == [sum(failed for _, failed in requests) for requests in seconds]
    for requests, p50, p95 in zip(seconds, told["p50"], told["p95"], strict=True):
        ordered = sorted(round(duration * 1000, 3) for duration, _ in requests)
        assert (p50, p95) == ((ordered[len(ordered) // 2], ordered[int(0.95 * len(ordered))]) if ordered else (None, None))
    assert told["waiting"] == [3] * len(seconds)


def test_it_holds_ten_minutes() -> None:
    history = History(Stats(), lambda: (0.0, 0), lambda: 0)
    for _ in range(SECONDS + 50):
        history.take()
    assert {len(column) for column in history.told().values()} == {SECONDS}


def test_it_is_asked_of_a_running_solver(site: Site, spec_of: Callable[..., RunSpec], picture: bytes) -> None:
    client = site.start(spec_of("Slow"))
    threads = [threading.Thread(target=client.infer, args=(picture, "?seconds=0.3")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    client.infer(picture, "?seconds=nonsense")

    def whole() -> bool:
        return sum(point.requests for point in site.supervisor.history("tests/demo/slow").points) == 5

    until(whole)
    points = site.supervisor.history("tests/demo/slow").points
    assert [point.age for point in points] == sorted((point.age for point in points), reverse=True)
    assert max(point.p95 or 0 for point in points) >= 300
    assert max(point.waiting for point in points) >= 1
    assert all(point.rss > 10_000_000 for point in points)
    assert client.send("GET", "/_cvflow/history").status == 403, "with the control token only"
    site.supervisor.stop("tests/demo/slow")
    with pytest.raises(NotFoundError):
        site.supervisor.history("tests/demo/slow")
