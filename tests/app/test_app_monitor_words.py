"""Monitor: what it says is so, and what it does not know yet it does not say."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from textual.app import App

from cvflow_tui.model.errors import RemoteError
from cvflow_tui.model.solvers import LogChunk, RunningSolver, SolverState
from cvflow_tui.screens.help import HelpScreen
from cvflow_tui.screens.monitor import MonitorScreen
from cvflow_tui.screens.monitor_log import LogPanel
from cvflow_tui.widgets.log_view import LogView
from tests.app.conftest import SERVED as NAME
from tests.app.conftest import OpenApp, screen_text, settle, wait_until
from tests.app.fake_client import FakeClient


def row_of(app: App[Any], name: str) -> str:
    return next(line for line in screen_text(app).splitlines() if name in line)


class SlowLogs(FakeClient):
    """The fake daemon, whose logs answer when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def solver_log(
        self, name: str, *, offset: int | None = None, limit: int = 65536, wait: float = 0.0, file: str = "", until: int | None = None
    ) -> LogChunk:
        await self.gate.wait()
        if (error := self.fail.pop("log", None)) is not None:
            raise error
        return await super().solver_log(name, offset=offset, limit=limit, wait=wait, file=file, until=until)


async def test_a_log_says_that_it_is_read_until_its_first_answer(open_app: OpenApp) -> None:
    client = SlowLogs()
    await client.start_solver(NAME)
    async with open_app(client, "monitor") as (app, pilot):
        await wait_until(pilot, lambda: "reading …" in screen_text(app))
        assert "It has said nothing yet." not in screen_text(app)
        client.gate.set()
        await wait_until(pilot, lambda: "line 60" in screen_text(app))
        assert "reading …" not in screen_text(app)


async def test_an_empty_log_says_so_once_it_was_read(open_app: OpenApp) -> None:
    client = SlowLogs()
    await client.start_solver(NAME)
    client.logs[NAME] = ""
    async with open_app(client, "monitor") as (app, pilot):
        await wait_until(pilot, lambda: "reading …" in screen_text(app))
        client.gate.set()
        await wait_until(pilot, lambda: "It has said nothing yet." in screen_text(app))


async def test_a_log_that_could_not_be_read_is_read_when_it_is_come_to_again(open_app: OpenApp) -> None:
    client = SlowLogs()
    await client.start_solver(NAME)
    client.fail["log"] = RemoteError("the disk does not answer")
    client.gate.set()
    async with open_app(client, "monitor") as (app, pilot):
        await wait_until(pilot, lambda: "It could not be read." in screen_text(app))
        client.change_solver(NAME, lambda solver: replace(solver, rate=9.9))
        await wait_until(pilot, lambda: "line 60" in screen_text(app))


async def test_a_solver_without_a_process_has_no_figures(open_app: OpenApp, serving: FakeClient) -> None:
    def failed(state: SolverState) -> None:
        gone = RunningSolver("cvflow/nanodet", "detect", state, error="no weights")
        serving.change_solver(NAME, lambda solver: gone)

    failed(SolverState.FAILED)
    async with open_app(serving, "monitor", (130, 36)) as (app, pilot):
        await wait_until(pilot, lambda: "✗ failed" in screen_text(app))
        assert row_of(app, "✗ failed").split()[-8:] == ["–"] * 8
        failed(SolverState.BACKOFF)
        await wait_until(pilot, lambda: "◐ backoff" in screen_text(app))
        assert row_of(app, "◐ backoff").split()[-8:] == ["–"] * 8
        await pilot.press("o")
        await settle(pilot)
        assert "up 0 s" not in screen_text(app)


async def test_what_has_the_focus_is_marked(open_app: OpenApp, serving: FakeClient) -> None:
    async with open_app(serving, "monitor", (80, 24)) as (app, pilot):
        await wait_until(pilot, lambda: "line 60" in screen_text(app))
        head = app.screen.query_one(LogPanel).query_one("#log-head")
        before = head.styles.background
        assert " log of" in screen_text(app) and "▸ log of" not in screen_text(app)
        await pilot.press("tab")
        assert isinstance(app.focused, LogView)
        await wait_until(pilot, lambda: "▸ log of" in screen_text(app))
        assert head.styles.background != before
        await pilot.press("tab")
        await wait_until(pilot, lambda: "▸ log of" not in screen_text(app))
        assert head.styles.background == before


async def test_all_names_lose_their_vendor_or_none_and_stand_in_order(open_app: OpenApp, client: FakeClient) -> None:
    for name in ("lab/badstart/detect", "cvflow/nanodet/detect", "local/a-chatty-one-with-words/detect"):
        await client.start_solver(name)
    async with open_app(client, "monitor", (80, 24)) as (app, pilot):
        await wait_until(pilot, lambda: "badstart/detect" in screen_text(app))
        await pilot.press("greater_than_sign")

        def listed() -> list[str]:
            return [line[1:].split()[0] for line in screen_text(app).splitlines() if "● ready" in line]

        await wait_until(pilot, lambda: listed()[1:] == ["badstart/detect", "nanodet/detect"])
        assert listed()[0].startswith("a-ch") and listed()[0].endswith("/detect")
        await pilot.resize_terminal(60, 15)
        await wait_until(pilot, lambda: len({*listed()}) == 3 and "p50" not in screen_text(app))
        await pilot.resize_terminal(130, 36)
        await wait_until(
            pilot, lambda: listed() == ["cvflow/nanodet/detect", "lab/badstart/detect", "local/a-chatty-one-with-words/detect"]
        )


@pytest.mark.parametrize("place", ["hub", "packages", "monitor", "projects"])
async def test_the_help_speaks_in_the_words_of_the_app(open_app: OpenApp, serving: FakeClient, place: str) -> None:
    async with open_app(serving, place, (120, 60)) as (app, pilot):
        await settle(pilot)
        told = HelpScreen.of(app.screen)
        await app.push_screen(told)
        text = told.text().plain
        assert "To the next part of the screen" in text and "To the part before it" in text
        assert "Focus" not in text and "`" not in text


async def test_a_solver_that_ended_and_comes_back_is_told_of(open_app: OpenApp, serving: FakeClient) -> None:
    async with open_app(serving, "monitor", (80, 24)) as (app, pilot):
        await wait_until(pilot, lambda: "2 solvers running" in screen_text(app))
        serving.change_solver(NAME, lambda solver: replace(solver, state=SolverState.BACKOFF, restarts=1))
        await wait_until(pilot, lambda: f"{NAME} ended unexpectedly and is started again" in screen_text(app))
        assert "◐ backoff" in screen_text(app) and isinstance(app.screen, MonitorScreen) and "◐ backoff: " in app.screen.ABOUT
        # One that is back before anybody looked is told of too.
        serving.change_solver("cvflow/mobilenet/classify", lambda solver: replace(solver, restarts=1))
        await wait_until(pilot, lambda: "mobilenet/classify was started again (1 restart)" in screen_text(app))


async def test_one_that_starts_does_not_run_yet(open_app: OpenApp, serving: FakeClient) -> None:
    serving.change_solver(NAME, lambda solver: replace(solver, state=SolverState.STARTING))
    async with open_app(serving, "monitor", (80, 24)) as (app, pilot):
        await wait_until(pilot, lambda: "1 solver running · 6.8 requests a second · 1 starting" in screen_text(app))
