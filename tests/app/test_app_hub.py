"""Hub: the list, the pane, the install dialog."""

from __future__ import annotations

import asyncio

import pytest

from cvflow_tui.model.errors import NotFoundError, PackageError
from cvflow_tui.model.jobs import JobState
from cvflow_tui.screens.dialogs import AskLine
from cvflow_tui.screens.install import InstallScreen
from cvflow_tui.screens.place import Place
from cvflow_tui.widgets.package_pane import PackagePane
from cvflow_tui.widgets.virtual_table import VirtualTable
from tests.app.conftest import SIZES, OpenApp, screen_text, settle, wait_until
from tests.app.fake_client import FakeClient


async def test_the_list_shows_names_tasks_sizes_and_what_is_installed(open_app: OpenApp, client: FakeClient) -> None:
    for size in SIZES:
        async with open_app(client, "hub", size) as (app, _):
            text = screen_text(app)
            assert "✓  cvflow/nanodet" in text
            assert "detection +2" in text
            assert "101 MB" in text
            assert ("BSD-3-Clause" in text) == (size[0] > 100), "at 80 columns the pane tells the licence"
            assert "80 everyday objects, 3" in text
            assert "5 packages · 2 installed" in text


async def test_markup_and_escapes_in_a_package_are_shown_literally(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client, "hub", (160, 45)) as (app, pilot):
        await pilot.press("down", "down", "down")
        await settle(pilot)
        text = screen_text(app)
        assert "[red]not red[/red] nor this" in text
        assert "\x1b" not in text


async def test_filter_with_keys_alone(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client) as (app, pilot):
        await pilot.press("slash", *"landmarks")
        await settle(pilot)
        table = app.screen.query_one(VirtualTable)
        assert table.current is client.hub["cvflow/face_utility"].summary
        assert table.shown == 1
        assert "1 of 5 packages" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert table.has_focus
        await pilot.press("escape")
        await settle(pilot)
        assert table.shown == 5
        await pilot.press("slash", *"!cvflow", "escape")
        await settle(pilot)
        assert table.shown == 5


async def test_the_pane_shows_readme_solvers_parameters_weights(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client, "hub", (160, 45)) as (app, pilot):
        text = screen_text(app)
        for part in (
            "threshold float = 0.3",
            "nanodet.onnx",
            "checked by sha256",
            "numpy>=1.26",
            "runs on the app's own Python",
            "• reads JPEG",
        ):
            assert part in text
        await pilot.click(VirtualTable, offset=(10, 2))
        await wait_until(pilot, lambda: "in an environment of its own" in screen_text(app))
        pane = app.screen.query_one(PackagePane)
        assert pane.detail is not None
        assert pane.detail.summary.ref == "cvflow/face_utility"


async def test_install_shows_the_plan_then_progress_then_the_end(open_app: OpenApp, client: FakeClient) -> None:
    client.install_gate = asyncio.Event()
    async with open_app(client) as (app, pilot):
        await pilot.press("down", "i")
        await wait_until(pilot, lambda: "a new virtualenv with 2 requirements" in screen_text(app))
        text = screen_text(app)
        for part in ("hub:cvflow/face_utility", "101 MB", "203 MB of 52.0 GB free", "face_utility.onnx", "3  make the environment"):
            assert part in text
        assert not client.called("install")
        await pilot.press("enter")
        await wait_until(pilot, lambda: "2.0 kB of 4.1 kB · 1.2 MB/s · 2 s left" in screen_text(app))
        client.install_gate.set()
        await wait_until(pilot, lambda: "Installed." in screen_text(app))
        await wait_until(pilot, lambda: "5 packages · 3 installed" in screen_text(app))
        assert isinstance(app.screen, InstallScreen), "the list knows while the dialog is still open"
        await pilot.press("enter")
        await wait_until(pilot, lambda: "cvflow/face_utility is installed" in screen_text(app))
        assert "✓  cvflow/face_utility" in screen_text(app)


@pytest.mark.parametrize("key", ["escape", "c"])
async def test_an_install_is_cancelled_without_a_trace(open_app: OpenApp, client: FakeClient, key: str) -> None:
    client.install_gate = asyncio.Event()
    async with open_app(client) as (app, pilot):
        await pilot.press("down", "enter")
        await wait_until(pilot, lambda: "Enter install" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: "fetch the files" in screen_text(app) and "Esc cancel" in screen_text(app))
        await pilot.press(key)
        await wait_until(pilot, lambda: "Cancelled, nothing was installed." in screen_text(app))
        assert [job.state for job in client.board.values()] == [JobState.CANCELLED]
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, Place))
        assert client.hub["cvflow/face_utility"].summary.installed is None


async def test_what_cannot_be_installed_says_why_and_offers_no_way_on(open_app: OpenApp, client: FakeClient) -> None:
    client.problems = ("needs Python >=3.13, this is 3.11",)
    async with open_app(client) as (app, pilot):
        await pilot.press("i")
        await wait_until(pilot, lambda: "needs Python >=3.13" in screen_text(app))
        assert "Enter install" not in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert not client.called("install")
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, Place))


async def test_a_plan_or_an_install_that_fails_is_one_line(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client) as (app, pilot):
        client.fail["plan_install"] = PackageError("cvpm.toml line 3: no [package]", detail="Traceback")
        await pilot.press("i")
        await wait_until(pilot, lambda: "cvpm.toml line 3: no [package]" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, Place))
        client.install_gate = asyncio.Event()
        await pilot.press("i")
        await wait_until(pilot, lambda: "Enter install" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: bool(client.board))
        (job,) = client.board
        await client.change(job, state=JobState.FAILED, error="nanodet.onnx: sha256 is [b]wrong", code="package")
        await wait_until(pilot, lambda: "nanodet.onnx: sha256 is [b]wrong" in screen_text(app))


async def test_another_source(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client) as (app, pilot):
        await pilot.press("s")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        await pilot.press(*"hub:lab/ocr-lite", "enter")
        await wait_until(pilot, lambda: isinstance(app.screen, InstallScreen) and "lab/ocr-lite 3.1.4" in screen_text(app))
        assert client.called("plan_install") == [("hub:lab/ocr-lite",)]


async def test_an_empty_hub_says_what_to_do(open_app: OpenApp) -> None:
    async with open_app(FakeClient([])) as (app, pilot):
        await wait_until(pilot, lambda: "s installs from another source" in screen_text(app))
        await pilot.press("i", "enter", "down")
        assert isinstance(app.screen, Place)


async def test_a_hub_that_fails_is_one_line(open_app: OpenApp, client: FakeClient) -> None:
    client.fail["hub_packages"] = NotFoundError("the hub's folder /x is not there")
    async with open_app(client) as (app, pilot):
        await wait_until(pilot, lambda: "the hub's folder /x is not there" in screen_text(app))
        await pilot.press("r")
        await wait_until(pilot, lambda: "cvflow/nanodet" in screen_text(app))


async def test_a_long_plan_keeps_its_keys_on_a_small_screen(open_app: OpenApp, client: FakeClient) -> None:
    client.plan_environment = "a new virtualenv with 3 requirements, whose sizes the index tells only as they come"
    client.plan_steps = tuple(f"step {number}, which takes more words than one line of this dialog holds" for number in range(1, 9))
    async with open_app(client) as (app, pilot):
        await pilot.press("down", "i")
        await wait_until(pilot, lambda: "Enter install   Esc back" in screen_text(app))
        lines = screen_text(app).splitlines()
        first = next(number for number, line in enumerate(lines) if "a new virtualenv with" in line)
        assert lines[first + 1].index("index") == lines[first].index("a new"), "what is wrapped stands under itself"
        assert "step 8" not in screen_text(app)
        await pilot.press(*["down"] * 20)
        await wait_until(pilot, lambda: "step 8" in screen_text(app))
