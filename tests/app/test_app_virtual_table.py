"""The virtual table: rows drawn are rows in view, whatever their number."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult

from cvflow_tui.theme import THEMES
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable
from tests.app.conftest import screen_text, settle


class Rows(App[None]):
    """A table of numbered rows that counts how often a cell is made."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.made = 0
        self.chosen: list[int] = []

    def compose(self) -> ComposeResult:
        def number(row: int) -> str:
            self.made += 1
            return f"row {row}"

        columns: list[Column[int]] = [
            Column("name", number, 14, sort=lambda row: -row),
            Column("odd", lambda row: Cell("odd" if row % 2 else "even", "good"), 0),
            Column("far", lambda row: "wide", 10, hide_below=100),
        ]
        yield VirtualTable[int](columns, search=lambda row: f"row {row}", key=lambda row: row, empty="Nothing.\nDo something.")

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return {"muted": "gray", "cursor-row": "blue", "cursor-row-blurred": "gray"}

    def on_mount(self) -> None:
        self.query_one(VirtualTable).show(range(self.count))

    def on_virtual_table_chosen(self, event: VirtualTable.Chosen) -> None:
        self.chosen.append(event.item)


def table_of(app: App[Any]) -> VirtualTable[int]:
    return app.query_one(VirtualTable)


async def test_a_hundred_thousand_rows_make_only_the_cells_in_view() -> None:
    app = Rows(100_000)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert app.made < 24 * 5
        app.made = 0
        for key in ("end", "pageup", "up", "down"):
            await pilot.press(key)
        assert table_of(app).current == 99_999 - 23
        assert app.made < 24 * 12
        assert "row 99976" in screen_text(app)


async def test_a_move_inside_the_view_redraws_two_rows() -> None:
    app = Rows(1000)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.made = 0
        await pilot.press("down")
        await settle(pilot)
        assert app.made == 2


@pytest.mark.parametrize(("theme", "colours"), [("cvflow-ansi", 1), ("cvflow-dark", 2)])
async def test_the_cursors_row_can_be_read_where_there_are_sixteen_colours(theme: str, colours: int) -> None:
    app = Rows(3)
    for each in THEMES:
        app.register_theme(each)
    app.theme = theme
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        here = table_of(app).render_line(1)
        assert "even" in here.text
        assert len({segment.style.color for segment in here if segment.style and segment.text.strip()}) == colours


async def test_filter_sort_and_the_cursor() -> None:
    app = Rows(1000)
    async with app.run_test(size=(80, 24)) as pilot:
        table = table_of(app)
        table.filter_words = "99 !9 row"
        assert table.shown == 0
        table.filter_words = "99"
        await settle(pilot)
        assert table.shown == 19
        assert table.current == 99
        await pilot.press("greater_than_sign")
        await settle(pilot)
        assert screen_text(app).splitlines()[0].split()[:2] == ["name↑", "odd"]
        assert table.current == 99  # the cursor stays on its row, which is the last one now
        assert table.cursor == 18
        await pilot.press("home")
        assert table.current == 999
        await pilot.press("equals_sign", "home")
        assert table.current == 99
        table.filter_words = "nothing like it"
        await settle(pilot)
        assert table.current is None
        assert "Nothing matches" in screen_text(app)


async def test_mouse() -> None:
    app = Rows(50)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click(VirtualTable, offset=(5, 4))
        assert table_of(app).current == 3
        await pilot.click(VirtualTable, offset=(5, 6), times=2)
        assert app.chosen == [5]
        await pilot.click(VirtualTable, offset=(2, 0))
        await pilot.press("home")
        assert table_of(app).current == 49
        await pilot.click(VirtualTable, offset=(2, 0))
        await pilot.press("home")
        assert table_of(app).current == 0


async def test_the_cursor_stays_on_its_row_when_rows_come_and_go() -> None:
    app = Rows(10)
    async with app.run_test(size=(80, 24)) as pilot:
        table = table_of(app)
        await pilot.press("down", "down", "down")
        table.show([7, 8, 3, 4])
        await settle(pilot)
        assert table.current == 3
        table.show([])
        await settle(pilot)
        assert table.current is None
        assert "Do something." in screen_text(app)


async def test_columns_that_do_not_fit_are_left_out() -> None:
    for width, there in ((80, False), (120, True)):
        app = Rows(3)
        async with app.run_test(size=(width, 10)) as pilot:
            await settle(pilot)
            assert ("wide" in screen_text(app)) is there
            assert all(len(line) <= width for line in screen_text(app).splitlines())


@pytest.mark.parametrize(
    ("width", "cells"),
    [(60, [20, 10, 18, 4]), (48, [16, 10, 10, 4]), (40, [8, 10, 10, 4]), (38, [8, 8, 10, 4]), (34, [8, 6, 8, 4]), (26, [8, 6, 4, 4])],
)
async def test_columns_give_way_to_what_must_be_read(width: int, cells: list[int]) -> None:
    class Tight(Rows):
        def compose(self) -> ComposeResult:
            columns: list[Column[int]] = [
                Column("name", str, 20, least=8),
                Column("state", str, 10, least=6),
                Column("port", str, 0, least=10),
                Column("size", str, 4),
            ]
            yield VirtualTable[int](columns)

    app = Tight(3)
    async with app.run_test(size=(width, 10)) as pilot:
        await settle(pilot)
        assert [cells for _, cells in table_of(app)._widths()] == cells
