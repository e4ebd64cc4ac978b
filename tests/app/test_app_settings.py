"""How a solver runs, changed in the app: settings with their words, variables whose values nobody sees again."""

from __future__ import annotations

import pytest

from cvflow_tui.model.setting_words import MEANINGS
from cvflow_tui.model.settings import setting_names
from cvflow_tui.screens.dialogs import AskLine
from cvflow_tui.screens.place import Place
from cvflow_tui.screens.solver_settings import SettingsScreen
from tests.app.conftest import SERVED, SIZES, OpenApp, screen_text, wait_until
from tests.app.fake_client import FakeClient


def test_every_setting_has_words() -> None:
    assert tuple(MEANINGS) == setting_names()


@pytest.mark.parametrize("size", SIZES)
async def test_a_setting_is_changed_and_holds_from_a_restart_on(open_app: OpenApp, serving: FakeClient, size: tuple[int, int]) -> None:
    async with open_app(serving, "monitor", size) as (app, pilot):
        await wait_until(pilot, lambda: "nanodet" in screen_text(app))
        await pilot.press("up", "e")
        await wait_until(pilot, lambda: isinstance(app.screen, SettingsScreen) and "replicas" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        await pilot.press("ctrl+u", *"many", "enter")
        await wait_until(pilot, lambda: "give a whole number" in screen_text(app))
        await pilot.press("ctrl+u", "3", "enter")
        await wait_until(pilot, lambda: "r restarts it, for: replicas" in screen_text(app))
        await pilot.press("r")
        await wait_until(pilot, lambda: bool(serving.called("restart_solver")))
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, Place) and "was restarted" in screen_text(app))
    assert serving.chosen[SERVED] == {"replicas": "3"}


async def test_a_setting_is_taken_back(open_app: OpenApp, serving: FakeClient) -> None:
    serving.chosen[SERVED] = {"replicas": "4"}
    async with open_app(serving, "monitor") as (app, pilot):
        await wait_until(pilot, lambda: "nanodet" in screen_text(app))
        await pilot.press("up", "e")
        await wait_until(pilot, lambda: isinstance(app.screen, SettingsScreen) and "replicas" in screen_text(app))
        await pilot.press("d")
        await wait_until(pilot, lambda: serving.chosen[SERVED] == {})


async def test_what_is_not_set_begins_empty_and_empty_takes_back(open_app: OpenApp, serving: FakeClient) -> None:
    async with open_app(serving, "monitor") as (app, pilot):
        await wait_until(pilot, lambda: "nanodet" in screen_text(app))
        await pilot.press("up", "e")
        await wait_until(pilot, lambda: isinstance(app.screen, SettingsScreen) and "memory" in screen_text(app))
        await pilot.press("down", "down", "enter")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        await pilot.press(*"2G", "enter")
        await wait_until(pilot, lambda: serving.chosen[SERVED] == {"memory": "2G"})
        await wait_until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        await pilot.press("ctrl+u", "enter")
        await wait_until(pilot, lambda: serving.chosen[SERVED] in ({}, {"memory": ""}))


async def test_a_variables_value_is_never_on_the_screen(open_app: OpenApp, serving: FakeClient) -> None:
    seen = ""
    async with open_app(serving, "monitor", (120, 40)) as (app, pilot):
        await wait_until(pilot, lambda: "nanodet" in screen_text(app))
        await pilot.press("up", "e")
        await wait_until(pilot, lambda: isinstance(app.screen, SettingsScreen) and "replicas" in screen_text(app))
        await pilot.press("v")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        await pilot.press(*"9lives", "enter")
        await wait_until(pilot, lambda: "letters, digits and _" in screen_text(app))
        await pilot.press("ctrl+u", *"API_KEY", "enter")
        await wait_until(pilot, lambda: "never shown again" in " ".join(screen_text(app).split()))
        await pilot.press(*"hunter2")
        seen += screen_text(app)
        await pilot.press("enter")
        await wait_until(pilot, lambda: "API_KEY" in screen_text(app) and "(set)" in screen_text(app))
        seen += screen_text(app)
        await pilot.press("end", "d")
        await wait_until(pilot, lambda: not serving.secrets)
    assert serving.called("set_variable") == [(SERVED, "API_KEY", "hunter2")]
    assert "hunter2" not in seen
