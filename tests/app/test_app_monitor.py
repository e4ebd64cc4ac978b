"""Monitor: numbers that live, a log that follows and waits, a picture through a solver."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from textual.events import MouseScrollUp

from cvflow_tui.model.errors import RemoteError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.results import DetectedObject, Result
from cvflow_tui.model.solvers import RunningSolver, SolverState
from cvflow_tui.screens.dialogs import AskLine, Choice
from cvflow_tui.screens.infer import ResultScreen, listed, summary_of
from cvflow_tui.screens.place import Place
from cvflow_tui.widgets.image_canvas.still import PictureView
from cvflow_tui.widgets.line_input import LineInput
from cvflow_tui.widgets.log_view import LogView
from cvflow_tui.widgets.path_suggester import PathSuggester
from cvflow_tui.widgets.virtual_table import VirtualTable
from tests.app.conftest import SERVED as NAME
from tests.app.conftest import SIZES, OpenApp, is_open, screen_text, settle, shows, wait_until
from tests.app.fake_client import FakeClient, classification


async def test_every_number_of_a_solver(open_app: OpenApp, serving: FakeClient) -> None:
    for size in SIZES:
        async with open_app(serving, "monitor", size) as (app, pilot):
            await wait_until(pilot, shows(app, "line 60"))
            row = next(line for line in screen_text(app).splitlines() if line.startswith("▸"))
            for part in ("● ready", "41000", "12 %", "184 MB", "3.4", "31 ms", "45 ms", *(["2000", "1:02 h"] if size[0] > 110 else [])):
                assert part in row
            status = next(line for line in screen_text(app).splitlines() if "2 solvers running · 6.8 requests a second" in line)
            assert "pid" not in status
            head = next(line for line in screen_text(app).splitlines() if f"log of {NAME}" in line)
            assert ("pid 2000, up 1:02 h" in head) == (size[0] < 110)


async def test_at_80_columns_a_name_loses_its_vendor_not_its_solver(open_app: OpenApp, serving: FakeClient) -> None:
    async with open_app(serving, "monitor", (80, 24)) as (app, pilot):
        await wait_until(pilot, lambda: " mobilenet/classify " in screen_text(app))


async def test_numbers_live_once_a_second_and_only_while_shown(open_app: OpenApp, serving: FakeClient) -> None:
    async with open_app(serving, "monitor") as (app, pilot):
        serving.change_solver(NAME, lambda solver: replace(solver, rate=9.9))
        await wait_until(pilot, lambda: "9.9" in screen_text(app))
        await pilot.press("f1")
        await wait_until(pilot, lambda: isinstance(app.screen, Place) and app.screen.PLACE == "hub")
        await settle(pilot)
        asked = len(serving.called("solvers"))
        await pilot.pause(1.3)
        assert len(serving.called("solvers")) == asked
        await pilot.press("f3")
        await wait_until(pilot, lambda: len(serving.called("solvers")) > asked)


@pytest.mark.parametrize("runs", [False, True])
async def test_it_asks_at_the_pace_of_its_clock(
    open_app: OpenApp, serving: FakeClient, monkeypatch: pytest.MonkeyPatch, runs: bool
) -> None:
    """Neither an empty table nor a row that is another at every look may have it look again at once."""
    if not runs:
        await serving.stop_solver(NAME)
    told = serving.solvers

    async def solvers() -> list[RunningSolver]:
        return [replace(each, requests=len(serving.called("solvers"))) for each in await told()]

    monkeypatch.setattr(serving, "solvers", solvers)
    async with open_app(serving, "monitor") as (_, pilot):
        await wait_until(pilot, lambda: len(serving.called("solvers")) > 1)
        asked = len(serving.called("solvers"))
        await asyncio.sleep(2.5)
        assert len(serving.called("solvers")) - asked <= 4


async def test_the_log_follows_waits_when_scrolled_and_follows_again(open_app: OpenApp, serving: FakeClient) -> None:
    async with open_app(serving, "monitor") as (app, pilot):
        view = app.screen.query_one(LogView)
        await wait_until(pilot, lambda: "line 60" in screen_text(app))
        await serving.log(NAME, "one [b]more[/b]\n")
        await wait_until(pilot, lambda: "one [b]more[/b]" in screen_text(app))
        await pilot.press("tab", "up", "up")
        assert not view.following
        await serving.log(NAME, "new 1\nnew 2\n")
        await wait_until(pilot, lambda: "2 new lines · End follows" in screen_text(app))
        assert "new 2" not in screen_text(app)
        await pilot.press("end")
        await wait_until(pilot, lambda: "new 2" in screen_text(app) and "following" in screen_text(app))
        assert view.new_lines == 0


async def test_the_wheel_pauses_and_a_click_on_the_note_follows(open_app: OpenApp, serving: FakeClient) -> None:
    async with open_app(serving, "monitor") as (app, pilot):
        view = app.screen.query_one(LogView)
        await wait_until(pilot, lambda: "line 60" in screen_text(app))
        await pilot._post_mouse_events([MouseScrollUp], LogView, button=0)
        await settle(pilot)
        assert not view.following
        await serving.log(NAME, "late\n")
        await wait_until(pilot, lambda: "1 new line ·" in screen_text(app))
        await pilot.click(LogView, offset=(5, view.size.height - 1))
        await wait_until(pilot, lambda: view.following and "late" in screen_text(app))


async def test_search_in_the_log(open_app: OpenApp, serving: FakeClient) -> None:
    async with open_app(serving, "monitor") as (app, pilot):
        await wait_until(pilot, lambda: "line 60" in screen_text(app))
        await pilot.press("slash", *"served in 30", "enter")
        await settle(pilot)
        assert "9 of 9 “served in 30”" in screen_text(app)
        await pilot.press("N", "N")
        await settle(pilot)
        assert "7 of 9 “served in 30”" in screen_text(app)
        await pilot.press("n", "n", "n")
        await settle(pilot)
        assert "1 of 9 “served in 30”" in screen_text(app)
        assert "line 2: served in 30 ms" in screen_text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert "“served in 30”" not in screen_text(app)


async def test_wrap_shows_the_end_of_long_lines(open_app: OpenApp, serving: FakeClient) -> None:
    await serving.log(NAME, f"{'long ' * 40}tail\n")
    async with open_app(serving, "monitor") as (app, pilot):
        await wait_until(pilot, lambda: "long long" in screen_text(app))
        assert "tail" not in screen_text(app)
        await pilot.press("w")
        await settle(pilot)
        assert "tail" in screen_text(app)
        assert "wrapped" in screen_text(app)


async def test_a_long_log_is_fetched_backwards_as_it_is_scrolled(open_app: OpenApp, serving: FakeClient) -> None:
    serving.logs[NAME] = "".join(f"entry {number:05} {'x' * 60}\n" for number in range(2000))
    async with open_app(serving, "monitor") as (app, pilot):
        view = app.screen.query_one(LogView)
        await wait_until(pilot, lambda: "entry 01999" in screen_text(app))
        assert len(view.lines) < 2000
        await pilot.press("tab", "home")
        await wait_until(pilot, lambda: len(view.lines) > 1000)
        await pilot.press("home")
        await wait_until(pilot, lambda: len(view.lines) == 2000)
        assert view.lines == serving.logs[NAME].splitlines()


async def test_a_log_that_begins_anew_is_shown_anew(open_app: OpenApp, serving: FakeClient) -> None:
    async with open_app(serving, "monitor") as (app, pilot):
        await wait_until(pilot, lambda: "line 60" in screen_text(app))
        serving.logs[NAME] = "fresh start\n"
        await serving.log(NAME, "")
        await pilot.press("down", "up")  # another solver's log and back
        await wait_until(pilot, lambda: "fresh start" in screen_text(app))
        assert "line 60" not in screen_text(app)


async def test_stop_and_restart(open_app: OpenApp, serving: FakeClient) -> None:
    async with open_app(serving, "monitor") as (app, pilot):
        await pilot.press("r")
        await wait_until(pilot, lambda: f"{NAME} serves on port 41000" in screen_text(app))
        assert serving.called("restart_solver") == [(NAME,)]
        table = app.screen.query_one(VirtualTable)
        serving.change_solver(NAME, partial(replace, rate=0.0))
        await wait_until(pilot, lambda: table.items[0].rate == 0)
        await pilot.press("home", "x")
        await wait_until(pilot, lambda: table.shown == 1)


@pytest.mark.parametrize("place", ["monitor", "packages"])
async def test_what_is_being_used_is_stopped_after_asking(open_app: OpenApp, client: FakeClient, place: str) -> None:
    await client.start_solver(NAME)
    client.change_solver(NAME, partial(replace, rate=12.34))
    async with open_app(client, place) as (app, pilot):
        table = app.screen.query_one(VirtualTable)
        await wait_until(pilot, lambda: table.shown > 0)
        await pilot.press("s")
        await wait_until(pilot, is_open(app, Choice))
        assert f"Stop {NAME}?" in screen_text(app) and "It gets 12.3 requests a second." in screen_text(app)
        await pilot.press("enter")  # the cursor stands on "keep serving"
        await wait_until(pilot, is_open(app, Place))
        assert not client.called("stop_solver")
        await pilot.press("s")
        await wait_until(pilot, is_open(app, Choice))
        await pilot.press("y")
        await wait_until(pilot, lambda: client.called("stop_solver") == [(NAME,)])


async def test_no_solver_says_what_to_do(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client, "monitor") as (app, pilot):
        await wait_until(pilot, lambda: "F2 shows what is installed; s starts a solver there." in screen_text(app))
        await pilot.press("i", "s", "r", "enter", "n", "w")
        await settle(pilot)
        assert isinstance(app.screen, Place)


async def test_a_daemon_that_is_gone_is_said_once(open_app: OpenApp, serving: FakeClient) -> None:
    async with open_app(serving, "monitor") as (app, pilot):
        before = len(app._notifications)
        for _ in range(2):
            serving.fail["solvers"] = RemoteError("the daemon cannot be reached")
            await wait_until(pilot, lambda: "solvers" not in serving.fail)
            await wait_until(pilot, lambda: "the daemon cannot be reached" in screen_text(app))
        assert len(app._notifications) - before <= 2


@pytest.mark.parametrize("size", SIZES)
async def test_a_picture_through_a_solver(
    open_app: OpenApp, serving: FakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "dog.png")
    async with open_app(serving, "monitor", size) as (app, pilot):
        await pilot.press("i")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        await pilot.press("enter")
        assert "type the path of a picture" in screen_text(app)
        await pilot.press(*"./no.png", "enter")
        await wait_until(pilot, lambda: "./no.png: no such file" in screen_text(app))
        assert isinstance(app.screen, AskLine)
        await pilot.press("ctrl+u", *"./d")
        await pilot.press("tab", "enter")
        await wait_until(pilot, lambda: isinstance(app.screen, ResultScreen))
        await settle(pilot)
        text = screen_text(app)
        assert "dog.png 64x48" in text
        assert ".91  dog" in text
        assert ".52  cat" in text
        assert "2 objects" in text
        assert any(glyph in text for glyph in "▀▄█▌▐")
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(app.screen, Place))
        await pilot.press("i")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        assert app.screen.query_one(LineInput).value == "./dog.png"


async def test_a_result_is_looked_at_closely(open_app: OpenApp, serving: FakeClient, tmp_path: Path) -> None:
    Image.new("RGB", (640, 480), "teal").save(tmp_path / "dog.png")
    async with open_app(serving, "monitor", (120, 36)) as (app, pilot):
        app.last_picture = str(tmp_path / "dog.png")
        await pilot.press("i")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, ResultScreen))
        await settle(pilot)
        view = app.screen.query_one(PictureView)

        def seen() -> Box:
            assert view.viewport is not None
            return view.viewport.visible

        whole = seen()
        await pilot.press("plus", "plus")
        await settle(pilot)
        closer = seen()
        assert closer.width < whole.width / 1.5
        await pilot.press("l")
        await settle(pilot)
        moved = seen()
        assert (moved.x0 > closer.x0, moved.width, moved.y0) == (True, closer.width, closer.y0)
        await pilot.press("f")
        await settle(pilot)
        assert seen() == whole


async def test_a_file_that_is_no_picture_is_one_line(open_app: OpenApp, serving: FakeClient, tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_text("no picture")
    async with open_app(serving, "monitor") as (app, pilot):
        app.last_picture = str(tmp_path / "x.jpg")
        await pilot.press("i")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(app.screen, Place) and "no picture that can be read" in screen_text(app))


async def test_a_failed_solver_runs_nothing(open_app: OpenApp, serving: FakeClient) -> None:
    serving.change_solver(NAME, lambda solver: replace(solver, state=SolverState.FAILED, error="no weights"))
    async with open_app(serving, "monitor") as (app, pilot):
        await pilot.press("i")
        await wait_until(pilot, lambda: f"{NAME} is failed: r starts it again" in screen_text(app))


def test_a_summary_of_every_kind_of_result() -> None:
    assert summary_of(classification()) == "tabby .71"
    assert summary_of(replace(classification(), classes=(), raw={"classes": []})) == "nothing found"
    assert summary_of(replace(classification(), classes=(), raw={"mean": 114.6})) == "answered"
    assert summary_of(replace(classification(), classes=(), caption="a [b]cat")) == "a [b]cat"
    assert summary_of(replace(classification(), classes=(), embedding=(0.1, 0.2))) == "2 numbers"


async def test_paths_complete(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "cat.jpg").touch()
    (tmp_path / "pictures" / "a.txt").touch()
    (tmp_path / "pictures" / ".hidden.jpg").touch()
    pictures = PathSuggester(frozenset({".jpg"}))
    assert await pictures.get_suggestion(f"{tmp_path}/pic") == f"{tmp_path}/pictures/"
    assert await pictures.get_suggestion(f"{tmp_path}/pictures/") == f"{tmp_path}/pictures/cat.jpg"
    assert await pictures.get_suggestion(f"{tmp_path}/pictures/.h") == f"{tmp_path}/pictures/.hidden.jpg"
    assert await pictures.get_suggestion(f"{tmp_path}/pictures/a") is None
    assert await pictures.get_suggestion(f"{tmp_path}/nowhere/x") is None
    assert await PathSuggester(folders_only=True).get_suggestion(f"{tmp_path}/pictures/") is None


async def test_a_path_longer_than_its_line_shows_its_end(open_app: OpenApp, serving: FakeClient) -> None:
    async with open_app(serving, "monitor") as (app, pilot):
        await pilot.press("i")
        await wait_until(pilot, lambda: isinstance(app.screen, AskLine))
        app.screen.query_one(LineInput).insert_text_at_cursor("/" + "folder/" * 20 + "the-end.pn")
        await pilot.press("g")
        await wait_until(pilot, lambda: "folder/the-end.png" in screen_text(app))


def test_the_list_of_a_result_stands_in_columns() -> None:
    objects = tuple(
        DetectedObject(label, 0.5, Box(left, 20, left + 100, 90)) for label, left in (("person", 5), ("cat", 1234), ("traffic light", 60))
    )
    lines = listed(Result({}, objects=objects)).plain.splitlines()
    assert len({line.index("100x70") for line in lines}) == 1
