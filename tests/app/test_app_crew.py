"""Workers and sleep of a solver, versions of a package: what a command tells, the screens tell too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cvflow_tui.model.packages import HubVersion
from cvflow_tui.model.solvers import SolverState, WorkerStatus
from cvflow_tui.screens.install import InstallScreen
from cvflow_tui.screens.versions import VersionsScreen
from cvflow_tui.widgets.solver_looks import state_cell
from tests.app.conftest import SERVED as NAME
from tests.app.conftest import SIZES, OpenApp, screen_text, wait_until
from tests.app.fake_client import FakeClient

WORKERS = (
    WorkerStatus("ready", 3001, 184_000_000, 70),
    WorkerStatus("busy", 3002, 190_000_000, 58),
    WorkerStatus("backoff", None, 0, 0, 3, "no memory for weights"),
)


async def test_the_state_counts_workers_and_knows_sleep(serving: FakeClient) -> None:
    solver = serving.running[NAME]
    assert state_cell(solver).text == "● ready"
    some = state_cell(replace(solver, replicas=3, replicas_ready=2))
    assert (some.text, some.look) == ("● ready 2/3", "warn")
    assert state_cell(replace(solver, replicas=3, replicas_ready=3)).look == "good"
    assert state_cell(replace(solver, asleep=True)).text == "◌ asleep"
    assert state_cell(replace(solver, asleep=True, state=SolverState.FAILED)).text == "✗ failed"


@pytest.mark.parametrize("size", SIZES)
async def test_every_worker_in_the_monitor(open_app: OpenApp, serving: FakeClient, size: tuple[int, int]) -> None:
    serving.change_solver(NAME, lambda solver: replace(solver, replicas=3, replicas_ready=2, workers=WORKERS))
    async with open_app(serving, "monitor", size) as (app, pilot):
        await wait_until(pilot, lambda: "● ready 2/3" in screen_text(app))
        if size[0] < 100:
            assert "3002" not in screen_text(app)
            await pilot.press("o")
        await wait_until(pilot, lambda: "3002" in screen_text(app))
        lines = screen_text(app).splitlines()
        assert any("◉ busy" in line and "190 MB" in line and "58" in line for line in lines)
        assert any("no memory for weights" in line for line in lines)
        await pilot.press("o")
        await wait_until(pilot, lambda: "3002" not in screen_text(app))
        serving.change_solver(NAME, lambda solver: replace(solver, asleep=True, replicas=1, workers=()))
        await wait_until(pilot, lambda: "◌ asleep" in screen_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_packages_tell_it_too(open_app: OpenApp, serving: FakeClient, size: tuple[int, int]) -> None:
    serving.change_solver(NAME, lambda solver: replace(solver, replicas=3, replicas_ready=2))
    serving.change_solver("cvflow/mobilenet/classify", lambda solver: replace(solver, asleep=True))
    async with open_app(serving, "packages", size) as (app, pilot):
        await wait_until(pilot, lambda: "● ready 2/3" in screen_text(app) and "◌ asleep" in screen_text(app))
        assert "port 41000" in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_another_version_than_the_newest_is_chosen(open_app: OpenApp, client: FakeClient, size: tuple[int, int]) -> None:
    client.older = (HubVersion("0.9.0", "hub:cvflow/nanodet==0.9.0", 3_000_000),)
    async with open_app(client, "hub", size) as (app, pilot):
        if size[0] < 100:
            await pilot.press("o")
        await wait_until(pilot, lambda: "✓ 1.0.0  2026-01-31 · 3.7 MB" in screen_text(app) and "0.9.0  3.0 MB" in screen_text(app))
        await pilot.press("v")
        await wait_until(pilot, lambda: isinstance(app.screen, VersionsScreen) and "✓ installed" in screen_text(app))
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: isinstance(app.screen, InstallScreen))
        await wait_until(pilot, lambda: client.called("plan_install") == [("hub:cvflow/nanodet==0.9.0",)])
