"""Keys that come at once, as over a slow line or from a hasty hand: each is for what the one before it has made of the screen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual import events
from textual.widgets import Input

from cvflow_tui.app import CvflowApp
from cvflow_tui.screens.dialogs import AskLine
from cvflow_tui.screens.place import Place
from cvflow_tui.screens.solver_settings import SettingsScreen
from tests.app.conftest import SERVED, OpenApp, app_with, screen_text, wait_until
from tests.app.fake_client import FakeClient

NAMES = {" ": "space", "/": "slash", "?": "question_mark"}


def burst(app: CvflowApp, *keys: str) -> None:
    """All of them at once, before the app has looked at the first."""
    for key in keys:
        app.post_message(events.Key(NAMES.get(key, key), key if len(key) == 1 else None))


async def test_what_is_typed_behind_a_slash_is_a_filter(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client, "hub") as (app, pilot):
        burst(app, "/", *"nixo")  # the table would install, open and leave
        await wait_until(pilot, lambda: app.screen.query_one(Input).value == "nixo")
        assert isinstance(app.screen, Place) and "matches. Esc clears" in screen_text(app)
        burst(app, "escape", "escape", "i")
        await wait_until(pilot, lambda: not isinstance(app.screen, Place))
    assert client.called("plan_install")


async def test_a_key_that_opens_a_dialog_and_those_for_it(open_app: OpenApp, serving: FakeClient) -> None:
    async with open_app(serving, "monitor") as (app, pilot):
        await wait_until(pilot, lambda: "nanodet" in screen_text(app))
        await pilot.press("up", "e")
        await wait_until(pilot, lambda: isinstance(app.screen, SettingsScreen) and "replicas" in screen_text(app))
        burst(app, "enter", "backspace", "3", "enter")
        await wait_until(pilot, lambda: serving.chosen.get(SERVED) == {"replicas": "3"})
        burst(app, "enter", "backspace", "4", "0", "left", "backspace", "5", "end", "1", "escape", "down", "enter", *"2", "enter")
        await wait_until(pilot, lambda: serving.chosen.get(SERVED) == {"replicas": "3", "threads": "2"})


EDITS = st.lists(st.sampled_from(["a", "b", " ", "backspace", "delete", "left", "right", "home", "end", "ctrl+u"]), max_size=25)


def edited(keys: list[str]) -> str:
    """What a line holds after these keys."""
    line, at = "", 0
    for key in keys:
        if len(key) == 1:
            line, at = line[:at] + key + line[at:], at + 1
        elif key == "backspace":
            line, at = line[: max(0, at - 1)] + line[at:], max(0, at - 1)
        elif key == "delete":
            line = line[:at] + line[at + 1 :]
        elif key == "ctrl+u":
            line, at = line[at:], 0
        else:
            at = {"left": max(0, at - 1), "right": min(len(line), at + 1), "home": 0, "end": len(line)}[key]
    return line


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=EDITS)
async def test_a_line_holds_what_its_keys_say_however_fast_they_come(keys: list[str]) -> None:
    app = app_with(FakeClient())
    async with app.run_test() as pilot:
        answers: list[Any] = []
        app.push_screen(AskLine("line", check=lambda line: None), answers.append)
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine) and isinstance(app.focused, Input))
        burst(app, *keys, "enter")
        await wait_until(pilot, lambda: bool(answers))
        assert answers == [edited(keys).strip()]


@pytest.mark.parametrize("place", ["hub", "packages", "monitor", "projects"])
async def test_no_key_is_lost_or_waits_long(open_app: OpenApp, serving: FakeClient, place: str) -> None:
    async with open_app(serving, place) as (app, pilot):
        burst(app, *["?", "escape"] * 20, "?")
        await wait_until(pilot, lambda: not isinstance(app.screen, Place))
        assert app.keys_given_up == 0, "each was told to be done; none had to be given up"
