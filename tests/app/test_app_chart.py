"""The monitor's chart: what was measured stands where it belongs in time, and what was not stays empty."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.model.solvers import Figures
from cvflow_tui.widgets.solver_chart import LANES, SolverChart, blocks, columns, troubled
from tests.app.conftest import SERVED as NAME
from tests.app.conftest import OpenApp, screen_text, wait_until
from tests.app.fake_client import FakeClient

RATE, P95 = LANES[0], LANES[1]


def second(age: float, requests: int = 0, p95: float | None = None, errors: int = 0) -> Figures:
    return Figures(age, requests, errors, p95, p95, 12.0, 180_000_000, 0)


def test_seconds_stand_where_they_belong() -> None:
    points = (second(599.0, 4), second(301.0, 2), second(0.5, 9))
    assert columns(points, RATE, 10) == [0.4, None, None, None, 0.2, None, None, None, None, 0.9]


def test_a_column_is_the_largest_of_its_seconds() -> None:
    points = (second(1.0, 4, 30.0), second(0.5, 2, 90.0))
    assert columns(points, RATE, 10)[-1] == 0.6
    assert columns(points, P95, 10)[-1] == 90.0


def test_requests_a_second_are_those_of_the_ten_before_as_the_table_counts_them() -> None:
    # A request every second and a half, for two minutes.
    points = tuple(second(float(age), 1 if age % 3 else 0) for age in range(120, 0, -1))
    values = columns(points, RATE, 600)
    assert {value for value in values[-100:] if value is not None} == {0.6, 0.7}
    # Seconds in which nobody looked bring none.
    assert columns((second(30.0, 8), second(1.0, 2)), RATE, 600)[-2] == 0.2
    assert columns((second(9.5, 8), second(0.0, 2)), RATE, 600)[-1] == 1.0


async def test_the_chart_tells_the_rate_of_the_table_its_highest_column_and_its_span(open_app: OpenApp, serving: FakeClient) -> None:
    # In the last ten seconds 6, in the ten before 10: a busy second is no rate.
    points = [second(float(age), 1) for age in range(20, 10, -1)] + [second(float(age), 1 if age < 7 else 0) for age in range(10, 0, -1)]
    serving.history[NAME] = tuple(points)
    async with open_app(serving, "monitor", (80, 24)) as (app, pilot):
        await wait_until(pilot, lambda: "0.6 · most 1.0 in 10 min" in screen_text(app))
        line = next(line for line in screen_text(app).splitlines() if "in 10 min" in line)
        assert line.count("█") == 1


def test_seconds_without_an_answer_have_no_latency() -> None:
    assert columns((second(0.5, 0, None),), P95, 4) == [None] * 4


def test_errors_mark_their_piece() -> None:
    assert troubled((second(599.0, 1, errors=1), second(0.0, 1)), 10) == {0}


def test_blocks_reach_from_the_ground_to_the_top() -> None:
    assert blocks([None, 0.0, 5.0, 10.0], 10.0) == [" ", "▁", "▅", "█"]
    assert blocks([0.0, 0.0], 0.0) == ["▁", "▁"]


@given(st.lists(st.builds(second, st.floats(-1, 5000), st.integers(0, 10_000)), max_size=50), st.integers(1, 300))
def test_every_width_holds_every_history(points: list[Figures], width: int) -> None:
    values = columns(points, RATE, width)
    assert len(values) == len(blocks(values, max((value for value in values if value is not None), default=0.0))) == width


async def test_the_chart_is_of_the_solver_under_the_cursor(open_app: OpenApp, serving: FakeClient) -> None:
    serving.history[NAME] = tuple(second(float(age), 7, 31.0) for age in range(90, 0, -1))
    async with open_app(serving, "monitor", (160, 45)) as (app, pilot):
        await wait_until(pilot, lambda: "31 ms · most 31 ms" in screen_text(app))
        text = screen_text(app)
        assert "7.0 · most 7.0 in 10 min" in text
        assert "180 MB · most 180 MB" in text
        await pilot.press("c")
        await wait_until(pilot, lambda: "most 31 ms" not in screen_text(app))
        await pilot.press("c")
        await wait_until(pilot, lambda: "most 31 ms" in screen_text(app))


async def test_two_lines_are_enough_on_a_small_screen(open_app: OpenApp, serving: FakeClient) -> None:
    serving.history[NAME] = (second(1.0, 7, 31.0),)
    async with open_app(serving, "monitor", (80, 24)) as (app, pilot):
        await wait_until(pilot, lambda: "31 ms · most 31 ms" in screen_text(app))
        assert app.screen.query_one(SolverChart).size.height == 2
        assert all(len(line) <= 80 for line in screen_text(app).split("\n"))
