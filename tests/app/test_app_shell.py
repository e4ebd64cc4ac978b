"""The shell: places, keys, help, palette, dialogs, errors, leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import pytest
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from cvflow_tui import theme
from cvflow_tui.app import CvflowApp
from cvflow_tui.commands import Command, matching
from cvflow_tui.keymap import PLACES, spell
from cvflow_tui.model.errors import RefusedError, RemoteError
from cvflow_tui.screens.dialogs import AskLine, Choice, Leave
from cvflow_tui.screens.disk_use import DiskScreen
from cvflow_tui.screens.goto import GoTo
from cvflow_tui.screens.help import HelpScreen
from cvflow_tui.screens.palette import Palette
from cvflow_tui.screens.place import Place
from cvflow_tui.widgets.cells import width_of
from cvflow_tui.widgets.key_bar import KeyBar, fitting
from cvflow_tui.widgets.line_input import LineInput
from cvflow_tui.widgets.log_view import LogView
from cvflow_tui.widgets.status_line import StatusLine
from cvflow_tui.widgets.virtual_table import VirtualTable
from tests.app.conftest import SIZES, OpenApp, app_with, is_open, screen_text, settle, shows, wait_until
from tests.app.fake_client import FakeClient

MINE = ("hub", "packages", "monitor")


def _is_at(app: CvflowApp, place: str) -> bool:
    return isinstance(app.screen, Place) and place == app.screen.PLACE


def _was_asked_to_end(client: FakeClient, stop_solvers: bool) -> bool:
    return client.called("shutdown") == [(stop_solvers,)]


async def test_the_first_paint_does_not_wait_for_the_daemon() -> None:
    gate = asyncio.Event()

    async def slow() -> FakeClient:
        await gate.wait()
        return FakeClient()

    app = CvflowApp(slow)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "Waiting for the daemon" in screen_text(app)
        assert not app.client_ready
        with pytest.raises(RefusedError, match="still starting"):
            _ = app.client
        gate.set()
        await wait_until(pilot, lambda: "cvflow/nanodet" in screen_text(app))


async def test_a_daemon_that_does_not_come_up_is_one_line() -> None:
    async def broken() -> FakeClient:
        raise RefusedError("another daemon (pid 7) serves this home folder", detail="Traceback (most recent call last): …")

    app = CvflowApp(broken)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_until(pilot, lambda: "another daemon (pid 7)" in screen_text(app))
        assert "Traceback" not in screen_text(app)


async def test_every_way_to_a_place(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client) as (app, pilot):
        for keys, place in (
            (["f2"], "packages"),
            (["g", "m"], "monitor"),
            (["1"], "hub"),
            (["g", "p"], "packages"),
            (["3"], "monitor"),
            (["f1"], "hub"),
        ):
            await pilot.press(*keys)
            await wait_until(pilot, partial(_is_at, app, place))
        await pilot.click("PlacesBar", offset=(20, 0))
        await wait_until(pilot, lambda: isinstance(app.screen, Place) and app.screen.PLACE == "packages")


async def test_g_and_another_key_stays_and_g_g_goes_to_the_top(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client) as (app, pilot):
        await pilot.press("end", "g")
        assert "go to" in screen_text(app)
        await pilot.press("z")
        await settle(pilot)
        assert "go to" not in screen_text(app)
        assert "▸   lab/ocr-lite" in screen_text(app)
        await pilot.press("g", "g")
        await settle(pilot)
        assert "▸✓  cvflow/nanodet" in screen_text(app)


@pytest.mark.parametrize("burst", [["g", "m", "w"], ["m", "w"], ["f3", "w"], ["3", "w"]])
async def test_keys_typed_while_a_place_comes_are_meant_for_it(open_app: OpenApp, client: FakeClient, burst: list[str]) -> None:
    await client.start_solver("cvflow/nanodet/detect")
    async with open_app(client) as (app, pilot):
        if burst[0] == "m":
            await pilot.press("g")
            await wait_until(pilot, lambda: isinstance(app.screen, GoTo))
        for key in burst:
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await wait_until(pilot, lambda: isinstance(app.screen, Place) and app.screen.PLACE == "monitor")
        await wait_until(pilot, lambda: any(view.wrap for view in app.screen.query(LogView)))
        await settle(pilot)
        assert app.screen_stack == [app.screen]


async def test_the_end_of_the_help_is_reached_and_its_beginning_again(open_app: OpenApp, client: FakeClient) -> None:
    for size in SIZES:
        for key in ("end", "G"):
            async with open_app(client, "monitor", size) as (app, pilot):
                app.post_message(events.Key("question_mark", "?"))
                await wait_until(pilot, is_open(app, HelpScreen))
                app.post_message(events.Key(key, None))
                assert isinstance(app.screen, HelpScreen)
                last = app.screen.text().plain.rstrip().splitlines()[-1].split()[-1]
                await wait_until(pilot, shows(app, last))
                await pilot.press("home")
                await wait_until(pilot, shows(app, "Esc puts this away"))


@pytest.mark.parametrize("place", MINE)
@pytest.mark.parametrize("size", SIZES)
async def test_no_line_is_wider_than_the_screen_and_keys_are_seven_at_most(
    open_app: OpenApp, client: FakeClient, place: str, size: tuple[int, int]
) -> None:
    await client.start_solver("cvflow/nanodet/detect")
    async with open_app(client, place, size) as (app, _):
        app.set_right_status("a very long project name indeed · stranger/with-a-long-package-name ● r144")
        bar = app.screen.query_one(KeyBar)
        assert bar.text.rstrip().endswith("? help")
        assert width_of(bar.text) <= size[0]
        assert bar.text.count("   ") + 1 <= (7 if size[0] < 120 else 10)
        assert all(width_of(line) <= size[0] for line in screen_text(app).splitlines())


def test_the_key_bar_drops_keys_before_it_overflows_and_keeps_help() -> None:
    bindings = [Binding(letter, f"do_{letter}", "a rather long word") for letter in "abcdefghij"] + [
        Binding("question_mark", "app.help", "help")
    ]
    for width in range(20, 200, 7):
        chosen = fitting(bindings, width)
        text = " " + "   ".join(f"{spell(each)} {each.description}" for each in chosen)
        assert width_of(text) <= width
        assert chosen[-1].action == "app.help"
        assert len(chosen) <= (7 if width < 120 else 10)


async def test_a_click_on_a_key_presses_it(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client) as (app, pilot):
        await pilot.click(KeyBar, offset=(app.screen.query_one(KeyBar).text.index("? help"), 0))
        await wait_until(pilot, lambda: isinstance(app.screen, HelpScreen))


async def test_help_comes_from_the_bindings_widget_first(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client) as (app, pilot):
        await pilot.press("question_mark")
        await settle(pilot)
        assert isinstance(app.screen, HelpScreen)
        text = app.screen.text().plain
        assert text.index("in the list") < text.index("in this place") < text.index("everywhere")
        assert "cvflow/nanodet 1.0.0: 80 everyday objects" in text
        assert "One row down" in text
        assert "Show what installing this package will do" in text
        assert "F3" in text
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, Place)


async def test_every_binding_has_an_id_and_says_what_it_does() -> None:
    from cvflow_tui.screens.hub import HubScreen
    from cvflow_tui.screens.monitor import MonitorScreen
    from cvflow_tui.screens.packages import PackagesScreen
    from cvflow_tui.widgets.log_view import LogView
    from cvflow_tui.widgets.virtual_table import VirtualTable

    for owner in (CvflowApp, HubScreen, PackagesScreen, MonitorScreen, VirtualTable, LogView, Choice, AskLine):
        bindings: list[BindingType] = owner.BINDINGS
        for binding in bindings:
            assert isinstance(binding, Binding)
            assert binding.id, binding
            assert binding.tooltip, binding


async def test_an_error_is_one_clean_line_and_one_toast(open_app: OpenApp, client: FakeClient) -> None:
    async with open_app(client) as (app, pilot):
        assert isinstance(app.screen, Place)
        error = RemoteError("hub [b]down[/b]\nsecond \x1b[31mline", detail="Traceback (most recent call last)")
        app.screen.report(error)
        app.screen.report(error)
        await settle(pilot)
        assert app.screen.query_one(StatusLine).text == "hub [b]down[/b] second line"
        shown = screen_text(app)
        assert "Traceback" not in shown
        assert len(app._notifications) == 1


async def test_the_palette_knows_what_can_be_done_now(open_app: OpenApp, client: FakeClient) -> None:
    await client.start_solver("cvflow/nanodet/detect")
    async with open_app(client) as (app, pilot):
        await pilot.press("ctrl+p")
        await wait_until(pilot, lambda: "go to" in screen_text(app))
        await pilot.press(*"stop cvflow")
        await wait_until(pilot, lambda: "Stop cvflow/nanodet/detect" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: client.called("stop_solver") == [("cvflow/nanodet/detect",)])


@pytest.mark.parametrize("size", SIZES)
async def test_the_palette_has_the_keys_of_the_place_and_does_what_they_do(
    open_app: OpenApp, client: FakeClient, size: tuple[int, int]
) -> None:
    async with open_app(client, "packages", size) as (app, pilot):
        await pilot.press("ctrl+p")
        await wait_until(pilot, lambda: "Start the solver" in screen_text(app))
        palette = app.screen
        assert isinstance(palette, Palette)
        first = next(line for line in screen_text(app).splitlines() if "Start the solver" in line)
        assert first.split()[0].strip("▸") == "here" and first.split()[-1] == "s", "its group in front, its key at the end"
        await wait_until(pilot, lambda: len({line.command.group for line in palette.table.items}) == 5)
        assert [line.command.group for line in palette.table.items if line.heads] == [
            *("here", "go to", "solvers", "hub", "app"),
        ]
        # whatever is typed finds; the mouse and the keys move in what was found, and the line keeps the keys
        await pilot.press(*"remove")
        await wait_until(pilot, lambda: palette.table.shown == 1)
        await pilot.press(*["backspace"] * 6, "down", "down", "pagedown", "up")
        assert palette.table.cursor > 3
        assert isinstance(app.focused, LineInput)
        await pilot.press(*"xqzw")
        await wait_until(pilot, lambda: "Nothing is called like this." in screen_text(app))
        await pilot.press("enter", *["backspace"] * 4, *"disk")
        await wait_until(pilot, lambda: palette.table.shown == 1)
        await pilot.press("enter")
        await wait_until(pilot, lambda: "Esc back" in screen_text(app) and isinstance(app.screen, DiskScreen))
        await pilot.press("escape", "ctrl+p", "escape")
        await wait_until(pilot, lambda: app.screen is app.screen_stack[0])
        assert app.focused is app.screen.query_one(VirtualTable), "the list has the keys again"


async def test_the_palette_needs_no_daemon(client: FakeClient) -> None:
    client.fail["solvers"] = RemoteError("the daemon does not answer")
    app = app_with(client, "hub")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await app.when_ready()
        await pilot.press("ctrl+p", *"theme: li")
        await wait_until(pilot, lambda: "Theme: light" in screen_text(app))
        await pilot.press("enter")
        await wait_until(pilot, lambda: app.theme == "cvflow-light")


def test_letters_in_order_find_where_no_word_does() -> None:
    commands = [Command("solvers", title, lambda: None, words=words) for title, words in (("Start a/detect", ""), ("Quit", "leave"))]
    found = {query: [command.title for command in matching(commands, query)] for query in ("", "leave", "stde", "zz", "quit")}
    assert found == {"": ["Start a/detect", "Quit"], "leave": ["Quit"], "stde": ["Start a/detect"], "zz": [], "quit": ["Quit"]}


async def test_leaving_asks_once_only_where_solvers_run_in_an_embedded_daemon(open_app: OpenApp) -> None:
    quiet = FakeClient()
    async with open_app(quiet) as (app, pilot):
        await pilot.press("q")
        await wait_until(pilot, lambda: quiet.called("shutdown") == [(False,)])
    for key, stopped in (("s", True), ("k", False)):
        client = FakeClient()
        await client.start_solver("cvflow/nanodet/detect")
        async with open_app(client) as (app, pilot):
            await pilot.press("ctrl+q")
            await wait_until(pilot, is_open(app, Choice))
            await pilot.press("escape")
            await settle(pilot)
            assert not client.called("shutdown")
            await pilot.press("ctrl+q")
            await wait_until(pilot, is_open(app, Choice))
            assert "cvflow/nanodet/detect" in screen_text(app)
            assert "k keep serving" in screen_text(app) and "s stop it" in screen_text(app) and "Esc stay" in screen_text(app)
            assert "is not started again until a daemon runs" in " ".join(screen_text(app).split())
            await pilot.press(key)
            await wait_until(pilot, partial(_was_asked_to_end, client, stopped))
    alone = FakeClient(embedded=False)
    await alone.start_solver("cvflow/nanodet/detect")
    async with open_app(alone) as (app, pilot):
        await pilot.press("q")
        await wait_until(pilot, app_is_over(app))
    assert not alone.called("shutdown")


def test_the_farewell_names_who_goes_on() -> None:
    assert Leave().farewell == ""
    assert Leave(serving=("a/b/c",)).farewell == "1 solver keeps serving: a/b/c. End it: cvflow stop a/b/c"
    many = Leave(serving=tuple(f"a/b/{number}" for number in range(6))).farewell
    assert many.startswith("6 solvers keep serving: a/b/0, a/b/1, a/b/2, a/b/3 and 2 more.")
    assert "cvflow stop NAME" in many


def app_is_over(app: CvflowApp) -> Callable[[], bool]:
    return lambda: app._exit


async def test_ask_line_says_what_is_wrong_and_stays() -> None:
    app = app_with(FakeClient())
    async with app.run_test(size=(80, 24)) as pilot:
        await app.when_ready()
        answers: list[str | None] = []
        dialog = AskLine("Name [b]it[/b]", check=lambda line: None if line == "good" else f"{line!r} is not good")
        await app.push_screen(dialog, answers.append)
        await pilot.press(*"bad", "enter")
        await settle(pilot)
        assert "'bad' is not good" in screen_text(app)
        assert "Name [b]it[/b]" in screen_text(app)
        await pilot.press("ctrl+a", "ctrl+k", *"good", "enter")
        await settle(pilot)
        assert answers == ["good"]


class Odd(Place):
    """A place whose digits mean something else."""

    PLACE = "projects"
    TITLE_TEXT = "Odd"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("1", "mark", "mark", tooltip="Mark", id="odd.mark")]
    marked = 0
    arrived: ClassVar[list[dict[str, object]]] = []
    readied = 0

    def compose_place(self) -> ComposeResult:
        yield Static("work")
        yield Static("aside", classes="side")

    def arrive(self, **state: object) -> None:
        self.arrived.append(state)

    def on_client_ready(self) -> None:
        self.readied += 1

    def action_mark(self) -> None:
        self.marked += 1


class OddApp(CvflowApp):
    """The app with the odd place for its projects."""

    MODES: ClassVar[dict[str, object]] = {**CvflowApp.MODES, "projects": Odd}


async def test_a_place_hears_of_the_daemon_once_and_of_every_arrival() -> None:
    client = FakeClient()

    async def factory() -> FakeClient:
        return client

    app = OddApp(factory)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.when_ready()
        Odd.arrived.clear()
        app.go("projects", project="one")
        await wait_until(pilot, lambda: Odd.arrived == [{"project": "one"}])
        await pilot.press("1")
        odd = app.screen
        assert isinstance(odd, Odd)
        assert odd.marked == 1
        await pilot.press("f1", "f4")
        await wait_until(pilot, lambda: len(Odd.arrived) == 2 and app.screen is odd)
        assert odd.readied == 1


async def test_side_panes_fold_below_a_hundred_columns_and_o_brings_them_over() -> None:
    client = FakeClient()

    async def factory() -> FakeClient:
        return client

    for width, at_first in ((80, False), (120, True)):
        app = OddApp(factory, "projects")
        async with app.run_test(size=(width, 24)) as pilot:
            await settle(pilot)
            assert ("aside" in screen_text(app)) is at_first
            await pilot.press("o")
            await settle(pilot)
            assert ("aside" in screen_text(app)) is not at_first
            await pilot.press("o")
            await settle(pilot)
            assert ("aside" in screen_text(app)) is at_first


async def test_the_places_are_named_once() -> None:
    for field in ("place", "letter", "function", "digit"):
        values = [getattr(place, field) for place in PLACES]
        assert len(set(values)) == len(values) == 6


def test_a_terminal_of_sixteen_colours_gets_its_own_unless_another_theme_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert theme.chosen("standard") == "cvflow-ansi"
    assert theme.chosen("truecolor") == theme.chosen("256") == "cvflow-dark"
    monkeypatch.setenv("COLORFGBG", "0;15")
    assert theme.chosen("256") == "cvflow-light"
    monkeypatch.setenv("CVFLOW_THEME", "dark")
    assert theme.chosen("standard") == "cvflow-dark"
    monkeypatch.delenv("CVFLOW_THEME")
    monkeypatch.setenv("NO_COLOR", "1")
    assert theme.chosen("standard") == "cvflow-light", "without colours there is nothing to tell apart"


@pytest.mark.parametrize("place", MINE)
async def test_what_is_typed_into_a_line_is_not_told_as_a_key(open_app: OpenApp, client: FakeClient, place: str) -> None:
    await client.start_solver("cvflow/nanodet/detect")
    async with open_app(client, place) as (app, pilot):
        bar = app.screen.query_one(KeyBar)
        assert "/ " in bar.text
        await pilot.press("slash")
        await wait_until(pilot, lambda: "Esc clear" in bar.text)
        assert "/ " not in bar.text and "? " not in bar.text
