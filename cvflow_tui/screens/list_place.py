"""A place that is a list: with a filter below it and a pane beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Generic, TypeVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from cvflow_tui.screens.looking_place import BEFORE_ITS_ANSWER, LookingPlace
from cvflow_tui.widgets.filter_line import FilterLine
from cvflow_tui.widgets.virtual_table import VirtualTable

T = TypeVar("T")


class ListPlace(LookingPlace, Generic[T]):
    """A place whose work is a `VirtualTable`. Subclasses compose it with `compose_list` and look with `look`.

    `_moved_to(item)` is called when the cursor moves, `_filtered()` when the filter does, `_open()` for Enter and a second click.
    """

    CSS_PATH = ["list_place.tcss"]  # noqa: RUF012 - as the toolkit has it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", tooltip="Filter the list", id="list.filter"),
        Binding("escape", "clear", "clear", show=False, tooltip="Clear the filter, or put the pane away", id="list.clear"),
    ]

    def compose_list(self, table: VirtualTable[T], pane: Widget) -> Iterator[Widget]:
        """The list with its filter, and the pane at its side."""
        table.id = "list"
        table.empty = BEFORE_ITS_ANSWER
        with Horizontal():
            with Vertical(classes="list"):
                yield table
                yield FilterLine()
            yield pane

    @property
    def table(self) -> VirtualTable[T]:
        """The list."""
        return self.query_one("#list", VirtualTable)

    def action_filter(self) -> None:
        """Open the filter."""
        self.query_one(FilterLine).open()

    def action_clear(self) -> None:
        """Clear the filter; or fold the pane away where it lies over the list."""
        if self.has_class("-side"):
            self.action_toggle_side()
        else:
            self.query_one(FilterLine).action_clear()

    @on(FilterLine.Changed)
    def _take_filter(self, event: FilterLine.Changed) -> None:
        self.table.filter_words = event.words
        self._filtered()

    @on(FilterLine.Closed)
    def _leave_filter(self) -> None:
        self.table.focus()

    @on(VirtualTable.Moved)
    def _take_move(self, event: VirtualTable.Moved) -> None:
        self._moved_to(event.item)

    @on(VirtualTable.Chosen)
    def _take_choice(self) -> None:
        self._open()

    def _filtered(self) -> None:
        """The filter has changed."""

    def _moved_to(self, item: T | None) -> None:
        """The cursor stands on `item`, or on nothing."""

    def _open(self) -> None:
        """Do what Enter does."""
