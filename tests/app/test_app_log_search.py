"""The monitor's search: of the whole log and its older files, as the daemon finds and reads them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cvflow_tui.backend.runtime.log_search import search
from cvflow_tui.backend.runtime.logs import read_log
from cvflow_tui.model.solvers import LogChunk, LogSearch
from cvflow_tui.screens.dialogs import AskLine
from cvflow_tui.widgets.log_hits import LogHits
from cvflow_tui.widgets.log_view import LogView
from tests.app.conftest import SERVED as NAME
from tests.app.conftest import SIZES, OpenApp, screen_text, settle, wait_until
from tests.app.fake_client import FakeClient
from tests.support.logs import turned_over

ROTATE = 150_000
"""So that a log of a few hundred kilobytes is several files, none of which is loaded at once."""


class WithLogs(FakeClient):
    """The fake daemon, whose logs are files that the real one's code reads."""

    file: Path
    gate: asyncio.Event | None = None

    async def solver_log(
        self, name: str, *, offset: int | None = None, limit: int = 65536, wait: float = 0.0, file: str = "", until: int | None = None
    ) -> LogChunk:
        chunk = read_log(self.file, offset, limit, 0.0, file=file, until=until)
        held = 0.0
        while held < wait and not chunk.text and not chunk.after:
            # As the daemon holds it. Looked for more often, the app would never be idle, which a press of a key waits for.
            await asyncio.sleep(0.1)
            held += 0.1
            chunk = read_log(self.file, offset, limit, 0.0, file=file, until=until)
        return chunk

    async def search_log(
        self, name: str, text: str = "", *, level: str = "debug", since: float | None = None, limit: int = 1000
    ) -> LogSearch:
        self._call("search_log", name, text, level, since)
        if self.gate is not None:
            await self.gate.wait()
        return search(self.file, text, level, since, limit)


def entry(number: int) -> str:
    said = "ERROR: it broke" if number == 40 else "NEEDLE77" if number in (7, 2500) else "goes on"
    return f"entry {number:05} {said} {'x' * 60}"


@pytest.fixture
async def logged(tmp_path: Path) -> WithLogs:
    client = WithLogs()
    client.file = tmp_path / "detect.log"
    turned_over(client.file, (entry(number) for number in range(6000)), ROTATE)
    assert client.file.with_name("detect.log.2").exists()
    await client.start_solver(NAME)
    return client


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_in_an_older_file_is_found_and_shown_with_what_lies_around_it(
    open_app: OpenApp, logged: WithLogs, size: tuple[int, int]
) -> None:
    async with open_app(logged, "monitor", size) as (app, pilot):
        await wait_until(pilot, lambda: "entry 05999" in screen_text(app))
        await pilot.press("slash", *"needle77", "enter")
        await wait_until(pilot, lambda: "2 of 2 “needle77”, n N" in screen_text(app) and "entry 02501" in screen_text(app))
        text = screen_text(app)
        assert "entry 02499" in text and text.count("entry 02500") == 2, "in the list, and in the log"
        assert "paused, End follows" in text
        hits = app.screen.query_one(LogHits)
        assert [line.time is not None for line in hits.items] == [True, True]
        await pilot.press("N")
        await wait_until(pilot, lambda: "1 of 2" in screen_text(app) and "entry 00008" in screen_text(app))
        await pilot.press("n")
        await wait_until(pilot, lambda: "2 of 2" in screen_text(app) and "entry 02501" in screen_text(app))
        await pilot.press("n")
        await wait_until(pilot, lambda: "1 of 2" in screen_text(app) and "entry 00008" in screen_text(app))
        await pilot.press("tab", "end")
        await wait_until(pilot, lambda: "entry 05999" in screen_text(app) and "following" in screen_text(app))
        await pilot.press("escape")
        await wait_until(pilot, lambda: "log of" in screen_text(app) and not hits.display)


async def test_from_a_hit_the_log_is_read_on_to_both_ends(open_app: OpenApp, logged: WithLogs) -> None:
    async with open_app(logged, "monitor", (160, 45)) as (app, pilot):
        view = app.screen.query_one(LogView)
        await pilot.press("slash", *"entry 03000", "enter")
        await wait_until(pilot, lambda: "1 of 1" in screen_text(app) and "entry 03001" in screen_text(app))
        view.focus()
        for _ in range(40):
            if view.lines[0] == entry(0):
                break
            await pilot.press("home")
            await settle(pilot)
        await pilot.press("home")
        await wait_until(pilot, lambda: "entry 00000" in screen_text(app))
        for _ in range(40):
            if view.following:
                break
            view.action_scroll_lines(len(view.lines))
            await settle(pilot)
        assert view.lines == [entry(number) for number in range(6000)]


async def test_a_line_that_fits_is_shown_from_its_beginning(open_app: OpenApp, logged: WithLogs) -> None:
    logged.file.write_text(f"{'x' * 50} haystack {'y' * 300}\n")
    async with open_app(logged, "monitor", (160, 45)) as (app, pilot):
        await pilot.press("slash", *"haystack", "enter")
        await wait_until(pilot, lambda: "1 of 1 “haystack”" in screen_text(app))
        hits = app.screen.query_one(LogHits)
        assert "…xx" not in screen_text(app)
        await pilot.resize_terminal(70, 24)
        await wait_until(pilot, lambda: f"…{'x' * 23} haystack" in screen_text(app))
        assert hits.display


async def test_level_and_time_are_chosen_without_a_word(open_app: OpenApp, logged: WithLogs) -> None:
    async with open_app(logged, "monitor") as (app, pilot):
        await pilot.press("l", "l")
        await wait_until(pilot, lambda: "1 of 1, n N · l warning · t all times" in screen_text(app))
        await wait_until(pilot, lambda: "entry 00039" in screen_text(app) and "entry 00041" in screen_text(app))
        await pilot.press("t")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        await pilot.press(*"soon", "enter")
        await settle(pilot)
        assert "soon: give a time such as 30s" in screen_text(app)
        await pilot.press("ctrl+u", *"1999-01-01", "enter")
        await wait_until(pilot, lambda: "1 of 1, n N · l warning · t since 1999-01-01" in screen_text(app))
        await pilot.press("slash", *"nowhere", "enter")
        await wait_until(pilot, lambda: "no “nowhere” in 4" in screen_text(app))
        await pilot.press("escape")
        await wait_until(pilot, lambda: "log of" in screen_text(app))


async def test_behind_the_last_hit_is_what_came_since(open_app: OpenApp, logged: WithLogs) -> None:
    async with open_app(logged, "monitor") as (app, pilot):
        await pilot.press("slash", *"NEEDLE77", "enter")
        await wait_until(pilot, lambda: "2 of 2" in screen_text(app))
        turned_over(logged.file, ["a third NEEDLE77"], ROTATE)
        await pilot.press("n")
        await wait_until(pilot, lambda: "3 of 3" in screen_text(app) and screen_text(app).count("a third NEEDLE77") == 2)


async def test_a_hit_stays_in_view_when_the_room_shrinks_until_somebody_scrolls(open_app: OpenApp, logged: WithLogs) -> None:
    async with open_app(logged, "monitor", (80, 40)) as (app, pilot):
        view = app.screen.query_one(LogView)
        await pilot.press("slash", *"entry 05999", "enter")
        await wait_until(pilot, lambda: screen_text(app).count("entry 05999 goes") == 2 and not view.following)
        await pilot.resize_terminal(80, 30)
        await wait_until(pilot, lambda: screen_text(app).count("entry 05999 goes") == 2)
        view.focus()
        await pilot.press("home")
        await wait_until(pilot, lambda: screen_text(app).count("entry 05999 goes") == 1)
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert screen_text(app).count("entry 05999 goes") == 1


async def test_a_search_that_takes_long_holds_up_nothing(open_app: OpenApp, logged: WithLogs) -> None:
    logged.gate = asyncio.Event()
    async with open_app(logged, "monitor") as (app, pilot):
        await wait_until(pilot, lambda: "entry 05999" in screen_text(app))
        await pilot.press("slash", *"goes", "enter")
        await wait_until(pilot, lambda: "looking for “goes”" in screen_text(app) and bool(logged.called("search_log")))
        turned_over(logged.file, ["said meanwhile"], ROTATE)
        await wait_until(pilot, lambda: "said meanwhile" in screen_text(app))
        logged.gate.set()
        await wait_until(pilot, lambda: "2000 of the newest 2000 “goes”, n N" in screen_text(app))


async def test_a_log_that_is_turned_over_is_followed_without_a_gap(open_app: OpenApp, logged: WithLogs) -> None:
    async with open_app(logged, "monitor") as (app, pilot):
        view = app.screen.query_one(LogView)
        await wait_until(pilot, lambda: "entry 05999" in screen_text(app))
        turned_over(logged.file, (entry(number) for number in range(6000, 9000)), ROTATE)
        await wait_until(pilot, lambda: "entry 08999" in screen_text(app))
        first = int(view.lines[0].split()[1])
        assert view.lines == [entry(number) for number in range(first, 9000)] and first < 6000


@pytest.mark.parametrize("first", [True, False])
async def test_enter_gives_the_keys_to_the_hits_also_where_they_come_later(open_app: OpenApp, logged: WithLogs, first: bool) -> None:
    async with open_app(logged, "monitor") as (app, pilot):
        await wait_until(pilot, lambda: "entry 05999" in screen_text(app))
        logged.gate = asyncio.Event()
        await pilot.press("slash", *"needle77")
        if first:
            logged.gate.set()
            await wait_until(pilot, lambda: "2 of 2" in screen_text(app))
        await pilot.press("enter")
        logged.gate.set()
        await wait_until(pilot, lambda: app.screen.query_one(LogHits).has_focus)


async def test_who_went_elsewhere_meanwhile_stays_there(open_app: OpenApp, logged: WithLogs) -> None:
    async with open_app(logged, "monitor") as (app, pilot):
        await wait_until(pilot, lambda: "entry 05999" in screen_text(app))
        logged.gate = asyncio.Event()
        await pilot.press("slash", *"needle77", "enter", "shift+tab")
        before = app.screen.focused
        logged.gate.set()
        await wait_until(pilot, lambda: "2 of 2" in screen_text(app))
        assert app.screen.focused is before and not app.screen.query_one(LogHits).has_focus
