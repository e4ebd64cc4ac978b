"""How the screens look, at both sizes, on frozen data. `pytest tests/app/test_app_snapshots.py --snapshot-update` after looking at them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from textual.pilot import Pilot

from cvflow_tui.app import CvflowApp
from cvflow_tui.model.solvers import SolverState
from cvflow_tui.model.storage import DiskEntry, Pruning
from tests.app.conftest import SIZES, app_with, settle
from tests.app.fake_client import FakeClient

SnapCompare = Callable[..., bool]


def serving() -> FakeClient:
    """Two solvers: one ready, one that failed."""
    client = FakeClient()
    for name in ("cvflow/nanodet/detect", "cvflow/mobilenet/classify"):
        asyncio.run(client.start_solver(name))
    client.change_solver(
        "cvflow/mobilenet/classify",
        lambda solver: replace(solver, state=SolverState.FAILED, port=None, pid=None, error="mobilenet.onnx: no such file"),
    )
    entries = (
        DiskEntry("package", "cvflow/nanodet 1.0.0", 65_536),
        DiskEntry("environment", "3f", 400_000_000),
        DiskEntry("weight", "nanodet.onnx", 3_720_000),
    )
    client.goes = Pruning(entries, sum(entry.bytes for entry in entries), shared=390_000_000)
    return client


def ready(*keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Wait for the daemon and the first list, then press keys."""

    async def run(pilot: Pilot[Any]) -> None:
        await cast(CvflowApp, pilot.app).when_ready()
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)

    return run


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "160x45"])
@pytest.mark.parametrize("place", ["hub", "packages", "monitor"])
def test_places(snap_compare: SnapCompare, place: str, size: tuple[int, int]) -> None:
    assert snap_compare(app_with(serving(), place), terminal_size=size, run_before=ready("down"))


def test_hub_pane_over_the_list(snap_compare: SnapCompare) -> None:
    assert snap_compare(app_with(FakeClient()), terminal_size=(80, 24), run_before=ready("o"))


def test_install_plan(snap_compare: SnapCompare) -> None:
    assert snap_compare(app_with(FakeClient()), terminal_size=(80, 24), run_before=ready("down", "i"))


def test_remove(snap_compare: SnapCompare) -> None:
    assert snap_compare(app_with(serving(), "packages"), terminal_size=(80, 24), run_before=ready("x"))


def test_help(snap_compare: SnapCompare) -> None:
    assert snap_compare(app_with(serving(), "monitor"), terminal_size=(80, 24), run_before=ready("question_mark"))


@pytest.mark.parametrize("theme", ["cvflow-light", "cvflow-ansi"])
def test_themes(snap_compare: SnapCompare, theme: str) -> None:
    app = app_with(serving(), "packages")
    app.theme = theme
    assert snap_compare(app, terminal_size=(80, 24), run_before=ready("x"))


def test_without_colours(snap_compare: SnapCompare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app_with(serving(), "packages"), terminal_size=(80, 24), run_before=ready("down"))
