"""The dialogs with the mouse alone: plan, install, cancel, close; and what stands behind a failure."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.pilot import Pilot

from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.jobs import JobState
from cvflow_tui.screens.dialogs import AskLine
from cvflow_tui.screens.help import HelpScreen
from cvflow_tui.screens.infer import ResultScreen
from cvflow_tui.screens.install import InstallScreen
from cvflow_tui.screens.place import Place
from cvflow_tui.widgets.key_words import KeyWords
from cvflow_tui.widgets.virtual_table import VirtualTable
from tests.app.conftest import SIZES, OpenApp, screen_text, settle, wait_until
from tests.app.fake_client import FakeClient


async def click_words(pilot: Pilot[Any], words: str) -> None:
    """Click on the screen where these words stand."""
    lines = screen_text(pilot.app).splitlines()
    y = next(number for number, line in reversed(list(enumerate(lines))) if words in line)
    await pilot.click(offset=(lines[y].index(words) + 1, y))
    await settle(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_a_package_is_installed_with_the_mouse_alone(open_app: OpenApp, client: FakeClient, size: tuple[int, int]) -> None:
    async with open_app(client, "hub", size) as (app, pilot):
        await pilot.click(VirtualTable, offset=(8, 2), times=2)
        await wait_until(pilot, lambda: "Enter install" in screen_text(app))
        await click_words(pilot, "Enter install")
        await wait_until(pilot, lambda: "Installed." in screen_text(app))
        await click_words(pilot, "Enter close")
        await wait_until(pilot, lambda: isinstance(app.screen, Place))
        assert client.called("install")
        assert client.hub["cvflow/face_utility"].summary.installed is not None


async def test_an_install_is_cancelled_with_the_mouse_alone(open_app: OpenApp, client: FakeClient) -> None:
    client.install_gate = asyncio.Event()
    async with open_app(client) as (app, pilot):
        await pilot.click(VirtualTable, offset=(8, 2), times=2)
        await wait_until(pilot, lambda: "Enter install" in screen_text(app))
        await click_words(pilot, "Enter install")
        await wait_until(pilot, lambda: "Esc cancel" in screen_text(app))
        await click_words(pilot, "Esc cancel")
        await wait_until(pilot, lambda: "Cancelled, nothing was installed." in screen_text(app))
        assert [job.state for job in client.board.values()] == [JobState.CANCELLED]


async def test_a_plan_is_put_away_with_the_mouse_and_beside_the_words_nothing_happens(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client) as (app, pilot):
        await pilot.click(VirtualTable, offset=(8, 2), times=2)
        await wait_until(pilot, lambda: "Enter install" in screen_text(app))
        keys = app.screen.query_one(KeyWords)
        await pilot.click(keys, offset=(len("Enter install") + 1, 0))
        await settle(pilot)
        assert isinstance(app.screen, InstallScreen)
        assert not client.called("install")
        await click_words(pilot, "Esc back")
        await wait_until(pilot, lambda: isinstance(app.screen, Place))


async def test_a_class_that_does_not_import_shows_the_rest_on_t(open_app: OpenApp, client: FakeClient) -> None:
    last = "ModuleNotFoundError: No module named 'nothing'"
    client.install_gate = asyncio.Event()
    async with open_app(client) as (app, pilot):
        await pilot.press("i")
        await wait_until(pilot, lambda: "Enter install" in screen_text(app))
        await pilot.press("t", "enter")  # there is no rest yet
        await wait_until(pilot, lambda: bool(client.board))
        (job,) = client.board
        detail = f'Traceback (most recent call last):\n  File "m.py", line 1, in <module>\n    [b]import nothing\x1b[31m\n{last}\n'
        await client.change(job, state=JobState.FAILED, error=f"class m/S cannot be imported: {last}", detail=detail, code="package")
        await wait_until(pilot, lambda: "t the rest" in screen_text(app))
        assert "Traceback" not in screen_text(app)
        await pilot.press("t")
        await settle(pilot)
        shown = screen_text(app)
        assert 'File "m.py", line 1, in <module>' in shown
        assert "[b]import nothing" in shown
        assert "\x1b" not in shown
        await click_words(pilot, "t the rest")
        assert "Traceback" not in screen_text(app)
        await click_words(pilot, "Enter close")
        await wait_until(pilot, lambda: isinstance(app.screen, Place))


async def test_a_failed_start_says_where_the_rest_is(open_app: OpenApp, client: FakeClient) -> None:
    client.fail["start_solver"] = PackageError("it failed to start: ValueError: no", detail="Traceback …")
    async with open_app(client, "packages", (160, 45)) as (app, pilot):
        await pilot.press("down", "s")
        await wait_until(pilot, lambda: "ValueError: no (the rest: cvflow logs cvflow/nanodet/detect)" in screen_text(app))


async def test_a_result_and_the_help_are_put_away_with_the_mouse(open_app: OpenApp, client: FakeClient, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "dog.png")
    await client.start_solver("cvflow/nanodet/detect")
    async with open_app(client, "monitor") as (app, pilot):
        app.last_picture = str(tmp_path / "dog.png")
        await click_words(pilot, "i infer")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        await click_words(pilot, "Enter go")
        await wait_until(pilot, lambda: isinstance(app.screen, ResultScreen))
        await click_words(pilot, "Esc back")
        await wait_until(pilot, lambda: isinstance(app.screen, Place))
        await click_words(pilot, "? help")
        await wait_until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await click_words(pilot, "Esc puts this away")
        await wait_until(pilot, lambda: isinstance(app.screen, Place))


def test_a_click_finds_the_key_under_it() -> None:
    words = KeyWords(" Esc back   ↑ ↓ scroll   t the rest")
    assert [words.key_at(x) for x in (0, 1, 8, 9, 11, 12, 14, 24, 25, 34, 35)] == [
        None,
        "escape",
        "escape",
        None,
        None,
        None,
        None,
        None,
        "t",
        "t",
        None,
    ]
