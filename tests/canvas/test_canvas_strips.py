from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from cvflow_tui.widgets.image_canvas import compositor_fix
from cvflow_tui.widgets.image_canvas.colors import DEFAULT, Depth
from cvflow_tui.widgets.image_canvas.grid import BOLD, REVERSE, CellGrid, Row, runs
from cvflow_tui.widgets.image_canvas.strips import CellStrip

COLORS = st.one_of(st.just(DEFAULT), st.integers(0, 0xFFFFFF))
CELLS = st.lists(
    st.tuples(st.sampled_from("▀▄ab +人"), COLORS, COLORS, st.sampled_from([0, BOLD, REVERSE, BOLD | REVERSE])), min_size=1, max_size=12
)
CONSOLE = Console(color_system="truecolor", force_terminal=True)


def _row(cells: list[tuple[str, int, int, int]], depth: Depth = Depth.TRUE) -> Row:
    grid = CellGrid.blank(len(cells) * 2, 1)
    column = 0
    for text, fg, bg, attrs in cells:
        column += grid.write(column, 0, text, fg, bg, attrs)
    return Row(grid, 0, depth)


def _shown(ansi: str, columns: int) -> list[tuple[object, ...]]:
    """What a terminal shows: (character, fg, bg, bold, reverse) of each cell."""
    screen = pyte.Screen(columns, 1)
    pyte.Stream(screen).feed(ansi)
    cells = [screen.buffer[0][column] for column in range(columns)]
    # The foreground of a space is never seen (unless it's reversed).
    return [(cell.data, cell.fg if cell.data.strip() or cell.reverse else None, cell.bg, cell.bold, cell.reverse) for cell in cells]


@given(CELLS, st.data())
def test_a_cell_strip_shows_what_a_strip_of_its_segments_would(cells: list[tuple[str, int, int, int]], data: st.DataObject) -> None:
    row = _row(cells)
    start = data.draw(st.integers(0, row.length))
    end = data.draw(st.integers(start, row.length))
    strip = CellStrip(row).crop(start, end)
    assert strip.cell_length == end - start
    plain = Strip(list(strip))
    assert plain.cell_length == end - start
    assert _shown(strip.render(CONSOLE), 30) == _shown(plain.render(Console(color_system="truecolor", force_terminal=True)), 30)


@given(CELLS, st.data())
def test_dividing_and_joining_loses_nothing(cells: list[tuple[str, int, int, int]], data: st.DataObject) -> None:
    row = _row([cell for cell in cells if cell[0] != "人"] or [("a", 1, 2, 0)])
    strip = CellStrip(row)
    cuts = sorted(data.draw(st.sets(st.integers(1, row.length))) | {row.length})
    pieces = strip.divide(cuts)
    assert [piece.cell_length for piece in pieces] == np.diff([0, *cuts]).tolist()
    joined = Strip.join(pieces)
    assert joined.text == strip.text
    assert _shown(joined.render(CONSOLE), 30) == _shown(strip.render(CONSOLE), 30)


def test_a_strip_is_short_where_colours_repeat() -> None:
    row = _row([("▀", 0x102030, 0x405060, 0)] * 40)
    assert CellStrip(row, 0, 40).render(CONSOLE) == "\x1b[38;2;16;32;48;48;2;64;80;96m" + "▀" * 40 + "\x1b[0m"


@pytest.mark.parametrize(("depth", "allowed"), [(Depth.PALETTE, r"(38|48);5;\d+"), (Depth.STANDARD, r"\d{2,3}"), (Depth.NONE, "never")])
def test_a_poorer_terminal_is_sent_only_what_it_knows(depth: Depth, allowed: str) -> None:
    row = _row([("▀", 0x8040C0, 0x10F020, 0), ("a", DEFAULT, 0xFFFFFF, 0), ("▄", 0x123456, 0x654321, 0)], depth)
    for parameters in re.findall(r"\x1b\[([\d;]+)m", row.ansi(0, row.length)):
        for part in re.split(r";(?=[34]8;)|(?<![58]);", parameters):
            assert part in ("0", "39", "49") or re.fullmatch(allowed, part), part


def test_runs_are_the_changed_cells_by_row() -> None:
    changed = np.zeros((3, 6), bool)
    changed[0, 1:3] = changed[0, 5] = changed[2, :] = True
    assert runs(changed) == [(0, 1, 3), (0, 5, 6), (2, 0, 6)]


# The compositor fix


@pytest.fixture
def stock_compositor() -> Iterator[None]:
    compositor_fix.uninstall()
    yield
    compositor_fix.uninstall()


@pytest.mark.usefixtures("stock_compositor")
def test_it_installs_on_the_version_it_was_tried_with_and_can_be_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CVFLOW_COMPOSITOR", raising=False)
    stock = ChopsUpdate.render_segments
    assert compositor_fix.install()
    assert compositor_fix.install(), "again is no harm"
    assert ChopsUpdate.render_segments is compositor_fix.render_segments
    compositor_fix.uninstall()
    assert ChopsUpdate.render_segments is stock


@pytest.mark.usefixtures("stock_compositor")
def test_it_stays_off_when_told_or_on_another_version_or_when_the_class_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVFLOW_COMPOSITOR", "stock")
    assert not compositor_fix.install()
    monkeypatch.delenv("CVFLOW_COMPOSITOR")
    monkeypatch.setattr(compositor_fix, "version", lambda name: "9.0.1")
    assert not compositor_fix.install()
    monkeypatch.setattr(compositor_fix, "version", lambda name: "8.2.8")
    monkeypatch.setattr(compositor_fix, "_stock", lambda update, console: "something else")
    assert not compositor_fix.install()
    assert not compositor_fix.is_installed()


def test_the_self_check_sees_a_painter_that_paints_something_else() -> None:
    stock = compositor_fix._stock
    assert compositor_fix.paints_alike(stock, compositor_fix.render_segments)
    assert not compositor_fix.paints_alike(stock, lambda update, console: compositor_fix.render_segments(update, console).replace("e", "E"))
    assert not compositor_fix.paints_alike(stock, lambda update, console: "")


@given(st.data())
def test_both_paint_the_same_cells_inside_the_spans_and_ours_touches_no_other(data: st.DataObject) -> None:
    text = data.draw(st.text(st.sampled_from("abcxyz 人日"), min_size=30, max_size=30))
    strip = Strip([Segment(text[:7]), Segment(text[7:])])
    width = strip.cell_length
    x1 = data.draw(st.integers(0, width - 1))
    x2 = data.draw(st.integers(x1 + 1, width))
    update = ChopsUpdate([{0: strip}], [(0, x1, x2)], [[width]])

    def shown(sent: str) -> list[str]:
        screen = pyte.Screen(80, 1)
        pyte.Stream(screen).feed("." * 79 + sent)
        return [screen.buffer[0][column].data for column in range(80)]

    ours, stock = shown(compositor_fix.render_segments(update, CONSOLE)), shown(compositor_fix._stock(update, CONSOLE))
    assert ours[x1:x2] == stock[x1:x2]
    # One cell further left only where a wide character begins there.
    assert all(cell == "." for cell in ours[: max(0, x1 - 1)])


def test_a_marker_far_right_sends_a_cell_and_not_a_row() -> None:
    update = ChopsUpdate([{0: Strip([Segment("x" * 160)])}], [(0, 150, 151)], [[160]])
    console = Console(color_system="truecolor", force_terminal=True)
    assert console._color_system is ColorSystem.TRUECOLOR
    assert len(compositor_fix._stock(update, console)) > 150
    assert compositor_fix.render_segments(update, console) == "\x1b[1;151Hx"
