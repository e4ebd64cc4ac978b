"""A table of any length: only the rows in view are ever made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cvflow_tui.model.text import one_line
from cvflow_tui.widgets.cells import cut, fit, width_of
from cvflow_tui.widgets.table_order import Order

T = TypeVar("T")
GAP = 2
"""Blank cells between two columns."""
NARROWEST = 4
"""Cells that a column which takes what is left has at least."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with a look: `look` is `muted`, `good`, `bad`, `warn`, `accent`, `strong` or empty."""

    text: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column: how a row becomes a cell, how wide it is, how it sorts.

    `width` in cells; 0 takes what is left (shared between all such columns). `least`: down to how many cells it gives way where the
    others have no room, the first column before the next; of a column that takes what is left: what the others give way for; 0 says
    that it gives nothing. `hide_below`: the table's width under which the column is not shown. `shorten`: what becomes of text that
    is too long. Text from outside needs no cleaning: the table does it.
    """

    title: str
    cell: Callable[[T], str | Cell]
    width: int = 0
    align: str = "left"
    sort: Callable[[T], Any] | None = None
    hide_below: int = 0
    shorten: Callable[[str, int], str] = cut
    least: int = 0


def _clean(text: str) -> str:
    # Spaces in front are an indent that was meant.
    return text if text.isprintable() else one_line(text, 400)


class VirtualTable(ScrollView, Generic[T], can_focus=True, inherit_bindings=False):
    """Rows with a cursor, sorting and a filter; 100,000 rows cost what 40 do.

    `search` gives the text of a row that the filter looks at. The rows may be any sequence, also one that fetches as it is read;
    an item that is None is drawn as a row still to come.
    """

    HELP_TITLE: ClassVar[str] = "in the list"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False, tooltip="One row up", id="table.up"),
        Binding("down,j", "move(1)", "down", show=False, tooltip="One row down", id="table.down"),
        Binding("pageup,ctrl+u", "page(-1)", "page up", show=False, tooltip="A page up", id="table.page_up"),
        Binding("pagedown,ctrl+d", "page(1)", "page down", show=False, tooltip="A page down", id="table.page_down"),
        Binding("home", "jump(0)", "top", show=False, tooltip="The first row (also g g)", id="table.top"),
        Binding("end,G", "jump(-1)", "bottom", show=False, tooltip="The last row", id="table.bottom"),
        Binding("enter", "choose", "open", show=False, tooltip="Open the row", id="table.choose"),
        Binding("less_than_sign", "sort(-1)", "sort", show=False, tooltip="Sort by the column to the left", id="table.sort_left"),
        Binding("greater_than_sign", "sort(1)", "sort", show=False, tooltip="Sort by the column to the right", id="table.sort_right"),
        Binding("equals_sign", "turn", "turn", show=False, tooltip="Turn the order round", id="table.turn"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--head",
        "table--cursor",
        "table--cursor-blurred",
        "table--muted",
        "table--good",
        "table--bad",
        "table--warn",
        "table--accent",
        "table--strong",
        "table--empty",
    }
    DEFAULT_CSS = """
    VirtualTable { height: 1fr; width: 1fr; background: $background; }
    VirtualTable > .table--head { color: $muted; text-style: bold; }
    VirtualTable > .table--cursor { background: $cursor-row; text-style: bold; }
    VirtualTable > .table--cursor-blurred { background: $cursor-row-blurred; }
    VirtualTable > .table--muted { color: $muted; }
    VirtualTable > .table--good { color: $success; }
    VirtualTable > .table--bad { color: $error; }
    VirtualTable > .table--warn { color: $warning; }
    VirtualTable > .table--accent { color: $accent; }
    VirtualTable > .table--strong { text-style: bold; }
    VirtualTable > .table--empty { color: $muted; }
    """

    class Moved(Message):
        """The cursor stands on another row; `item` is None where there is none."""

        def __init__(self, table: VirtualTable[Any], item: Any) -> None:
            super().__init__()
            self.table = table
            self.item = item

        @property
        def control(self) -> VirtualTable[Any]:
            """The table."""
            return self.table

        def can_replace(self, message: Message) -> bool:
            """Only the last of many moves is worth a pane."""
            return isinstance(message, VirtualTable.Moved) and message.table is self.table

    class Chosen(Message):
        """Enter, or a second click, on a row."""

        def __init__(self, table: VirtualTable[Any], item: Any) -> None:
            super().__init__()
            self.table = table
            self.item = item

        @property
        def control(self) -> VirtualTable[Any]:
            """The table."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column[T]],
        *,
        search: Callable[[T], str] | None = None,
        key: Callable[[T], Any] | None = None,
        empty: str = "Nothing here.",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self.empty = empty
        """What an empty table says: what to do next."""
        self.filtered_empty = "Nothing matches. Esc clears the filter."
        self._key = key
        self._order: Order[T] = Order((), search)
        self._cursor = 0

    # -- what it holds

    @property
    def items(self) -> Sequence[T]:
        """All rows, unfiltered, in the order they were given."""
        return self._order.items

    @items.setter
    def items(self, items: Sequence[T]) -> None:
        self.show(items)

    def show(self, items: Sequence[T]) -> None:
        """Show other rows; the cursor stays on the same row (by `key`) where it is still there."""
        if self._update(items):
            return
        kept = self._key(self.current) if self._key and self.current is not None else None
        self._order.replace(items, self._sorter())
        if kept is not None and self._key:
            self._cursor = self._order.position(lambda item: self._key is not None and self._key(item) == kept, self._cursor)
        self._settle()

    def _update(self, items: Sequence[T]) -> bool:
        """Redraw only the rows that changed, where the same rows stand in the same order; whether that was enough."""
        old, key = self._order.items, self._key
        if key is None or len(items) != len(old) or len(items) > 1000 or self._order.is_changed or not items:
            return False
        if any(key(before) != key(after) for before, after in zip(old, items, strict=True)):
            return False
        changed = [row for row, (before, after) in enumerate(zip(old, items, strict=True)) if before != after]
        self._order.replace(items, None)
        for row in changed:
            self._redraw(row)
        if self._cursor in changed:
            self.post_message(self.Moved(self, self.current))
        return True

    @property
    def shown(self) -> int:
        """Rows that pass the filter."""
        return len(self._order)

    @property
    def current(self) -> T | None:
        """The row under the cursor."""
        return self._order[self._cursor] if 0 <= self._cursor < len(self._order) else None

    @property
    def cursor(self) -> int:
        """Where the cursor stands among the rows shown, from 0."""
        return self._cursor

    @cursor.setter
    def cursor(self, row: int) -> None:
        row = max(0, min(row, len(self._order) - 1))
        if row == self._cursor:
            self._bring_into_view()
            return
        before, self._cursor = self._cursor, row
        if not self._bring_into_view():
            self._redraw(before)
            self._redraw(row)
        self.post_message(self.Moved(self, self.current))

    @property
    def filter_words(self) -> str:
        """The filter: words that must all occur; a word after `!` must not."""
        return self._order.query

    @filter_words.setter
    def filter_words(self, query: str) -> None:
        if query != self._order.query:
            self._order.filter(query)
            self._cursor = 0
            self.scroll_to(0, 0, animate=False, immediate=True, force=True)
            self._settle()

    def sort_again(self) -> None:
        """Make the order anew: what a column sorts by has changed, though the rows have not."""
        self.sort_by(self._order.sort_column, reverse=self._order.reverse)

    def width_of(self, number: int) -> int:
        """Cells that a column has now; 0 where it is not shown."""
        return dict(self._widths()).get(number, 0)

    def sort_by(self, column: int | None, *, reverse: bool = False) -> None:
        """Sort by a column (an index into `columns`), or None for the order the rows came in."""
        kept = self.current
        self._order.sort_column, self._order.reverse = column, reverse
        self._order.sort(self._sorter())
        if kept is not None:
            self._cursor = self._order.position(lambda item: item is kept, 0)
        self._settle()

    def _sorter(self) -> Callable[[T], Any] | None:
        column = self._order.sort_column
        return None if column is None else self.columns[column].sort

    def _settle(self) -> None:
        self._cursor = max(0, min(self._cursor, len(self._order) - 1))
        self.virtual_size = Size(0, len(self._order) + 1)
        self._bring_into_view()
        self.refresh()
        self.post_message(self.Moved(self, self.current))

    # -- moving

    @property
    def _page(self) -> int:
        return max(1, self.scrollable_content_region.height - 1)

    def _bring_into_view(self) -> bool:
        """Scroll so that the cursor shows; whether that moved anything."""
        top = round(self.scroll_offset.y)
        wanted = min(max(top, self._cursor - self._page + 1), self._cursor)
        if wanted == top or not self.is_attached:
            return False
        self.scroll_to(0, wanted, animate=False, immediate=True, force=True)
        self.refresh()
        return True

    def _redraw(self, row: int) -> None:
        line = row - round(self.scroll_offset.y) + 1
        if 1 <= line <= self._page:
            self.refresh(Region(0, line, self.size.width, 1))

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.cursor += rows

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.cursor += pages * self._page

    def action_jump(self, row: int) -> None:
        """Move the cursor to a row; -1 is the last."""
        self.cursor = row if row >= 0 else len(self._order) - 1

    def action_choose(self) -> None:
        """Open the row under the cursor."""
        if self.current is not None:
            self.post_message(self.Chosen(self, self.current))

    def action_turn(self) -> None:
        """Turn the order round."""
        self.sort_by(self._order.sort_column, reverse=not self._order.reverse)

    def action_sort(self, step: int) -> None:
        """Sort by the next column that sorts, or by none after the last."""
        able: list[int | None] = [None, *(number for number, column in enumerate(self.columns) if column.sort)]
        here = able.index(self._order.sort_column) if self._order.sort_column in able else 0
        self.sort_by(able[(here + step) % len(able)])

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a second one opens; a click on a title sorts by it."""
        spot = event.get_content_offset(self)
        if spot is None:
            return
        if spot.y == 0:
            self._sort_at(spot.x)
            return
        row = spot.y - 1 + round(self.scroll_offset.y)
        if row < len(self._order):
            self.cursor = row
            if event.chain == 2:
                self.action_choose()

    def _sort_at(self, x: int) -> None:
        at = 1
        for number, width in self._widths():
            if at <= x < at + width and self.columns[number].sort:
                again = self._order.sort_column == number
                self.sort_by(number, reverse=again and not self._order.reverse)
                return
            at += width + GAP

    # -- drawing

    def _widths(self) -> list[tuple[int, int]]:
        """(column, cells) of the columns that are shown."""
        total = self.scrollable_content_region.width
        able = [number for number, column in enumerate(self.columns) if column.hide_below <= total]
        width = {number: self.columns[number].width for number in able}
        free = [number for number in able if width[number] == 0]
        room = total - GAP * (len(able) - 1) - 2 - sum(width.values())
        short = sum(max(NARROWEST, self.columns[number].least) for number in free) - room
        for number in able:
            if short > 0 and width[number] > (least := self.columns[number].least) > 0:
                given = min(short, width[number] - least)
                width[number], short, room = width[number] - given, short - given, room + given
        share, rest = divmod(max(0, room), len(free)) if free else (0, 0)
        for place, number in enumerate(free):
            width[number] = max(NARROWEST, share + (1 if place < rest else 0))
        return list(width.items())

    def render_line(self, y: int) -> Strip:
        """One line: the titles, a row, or what an empty table says."""
        width = self.scrollable_content_region.width
        base = self.rich_style
        if y == 0:
            return self._head(base).adjust_cell_length(width, base)
        if not len(self._order):
            return self._empty(y, width, base)
        row = y - 1 + round(self.scroll_offset.y)
        if row >= len(self._order):
            return Strip.blank(width, base)
        style = base
        if row == self._cursor:
            style = base + self.get_component_rich_style("table--cursor" if self.has_focus else "table--cursor-blurred")
        return self._row(self._order[row], style, row == self._cursor).adjust_cell_length(width, style)

    def _head(self, base: Style) -> Strip:
        style = base + self.get_component_rich_style("table--head", partial=True)
        segments = [Segment(" ", style)]
        for number, width in self._widths():
            column = self.columns[number]
            mark = ("↓" if self._order.reverse else "↑") if number == self._order.sort_column else ""
            title = f"{fit(column.title, min(width_of(column.title), width - 1))}{mark}" if mark else column.title
            segments += [Segment(fit(title, width, column.align), style), Segment(" " * GAP, style)]
        return Strip(segments)

    def _row(self, item: T | None, style: Style, here: bool) -> Strip:
        # The mark keeps the cursor visible where colours are not. Sixteen colours have none that all the others can be read upon.
        plain = here and self.app.current_theme.ansi
        segments = [Segment("▸" if here else " ", style)]
        for number, width in self._widths():
            column = self.columns[number]
            cell = column.cell(item) if item is not None else "…"
            text, look = (cell.text, cell.look) if isinstance(cell, Cell) else (cell, "")
            cell_style = style + self.get_component_rich_style(f"table--{look}", partial=True) if look and not plain else style
            segments += [Segment(fit(_clean(text), width, column.align, column.shorten), cell_style), Segment(" " * GAP, style)]
        return Strip(segments)

    def _empty(self, y: int, width: int, base: Style) -> Strip:
        lines = (self.filtered_empty if self._order.query else self.empty).split("\n")
        text = lines[y - 2] if 2 <= y < 2 + len(lines) else ""
        style = base + self.get_component_rich_style("table--empty", partial=True)
        return Strip([Segment(f" {text}", style)]).adjust_cell_length(width, base)

    def on_focus(self) -> None:
        """The cursor's row looks different in the widget that has the keys."""
        self._redraw(self._cursor)

    def on_blur(self) -> None:
        """And again when it has not."""
        self._redraw(self._cursor)
