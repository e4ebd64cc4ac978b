"""The list of a picture's objects: number, line pattern in the class' colour, label, verdict, score, cursor."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cvflow_tui.model.text import one_line
from cvflow_tui.screens.annotate.rows import Key, Row
from cvflow_tui.screens.annotate.words import fraction
from cvflow_tui.widgets.cells import fit

VERDICT, SCORE, CURSOR = 9, 4, 2
"""Cells of the columns on the right."""
SOLID, DASHED = "━", "┅"
"""What a person stands behind is drawn solid, what a solver proposes is dashed: in the list as on the picture."""


class ObjectList(ScrollView, can_focus=False):
    """The rows of a picture; a click selects (`Picked`)."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"objects--muted", "objects--cursor", "objects--good", "objects--accent"}
    DEFAULT_CSS = """
    ObjectList { height: 1fr; width: 1fr; background: $background; }
    ObjectList > .objects--muted { color: $muted; }
    ObjectList > .objects--good { color: $success; }
    ObjectList > .objects--accent { color: $accent; }
    ObjectList > .objects--cursor { background: $cursor-row; text-style: bold; }
    """

    class Picked(Message):
        """An object was clicked."""

        def __init__(self, key: Key) -> None:
            super().__init__()
            self.key = key

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[Row, ...] = ()
        self._selected: Key | None = None
        self._colors: dict[str, str] = {}
        self._empty = ""

    def show(self, rows: tuple[Row, ...], selected: Key | None, colors: dict[str, str], empty: str) -> None:
        """Show these rows; `colors` gives `#rrggbb` by label, `empty` is what an empty list says."""
        if (rows, selected, colors, empty) == (self._rows, self._selected, self._colors, self._empty):
            return
        self._rows, self._selected, self._colors, self._empty = rows, selected, colors, empty
        self.virtual_size = Size(0, len(rows))
        at = next((index for index, row in enumerate(rows) if row.key == selected), None)
        height = self.scrollable_content_region.height
        if at is not None and height:
            top = round(self.scroll_offset.y)
            self.scroll_to(0, min(max(top, at - height + 1), at), animate=False, immediate=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One object."""
        width = self.scrollable_content_region.width
        base = self.rich_style
        muted = base + self.get_component_rich_style("objects--muted", partial=True)
        index = y + round(self.scroll_offset.y)
        if not self._rows:
            lines = self._empty.split("\n")
            return Strip([Segment(lines[y] if y < len(lines) else "", muted)]).adjust_cell_length(width, base)
        if index >= len(self._rows):
            return Strip.blank(width, base)
        row = self._rows[index]
        return self._line(row, row.key == self._selected, width, base)

    def _line(self, row: Row, here: bool, width: int, base: Style) -> Strip:
        style = base + self.get_component_rich_style("objects--cursor", partial=True) if here else base
        quiet = style + self.get_component_rich_style("objects--muted", partial=True)
        text = quiet if row.is_declined else style
        sample = style + Style(color=self._colors.get(row.label), bold=True)
        digits = max(2, len(str(len(self._rows))))
        label = max(4, width - digits - 3 - VERDICT - 2 - SCORE - CURSOR)
        return Strip(
            [
                Segment(fit(str(row.number), digits, "right"), text),
                Segment(" ", style),
                Segment(DASHED if row.annotation is None else SOLID, sample),
                Segment(" ", style),
                Segment(fit(one_line(row.label), label), text + Style(strike=row.is_declined)),
                Segment(fit(row.verdict, VERDICT, "right"), self._verdict_style(row, style, quiet)),
                Segment("  ", style),
                Segment(fit(fraction(row.score) if row.score is not None else "", SCORE), quiet if row.is_declined else style),
                Segment(" ◂" if here else "  ", style),
            ]
        ).adjust_cell_length(width, style)

    def _verdict_style(self, row: Row, style: Style, quiet: Style) -> Style:
        if row.is_undecided:
            return style + self.get_component_rich_style("objects--accent", partial=True)
        if row.annotation is not None and row.annotation.origin in ("accepted", "fixed"):
            return style + self.get_component_rich_style("objects--good", partial=True)
        return quiet

    def on_click(self, event: events.Click) -> None:
        """Select the object under the mouse."""
        spot = event.get_content_offset(self)
        index = spot.y + round(self.scroll_offset.y) if spot is not None else -1
        if 0 <= index < len(self._rows):
            self.post_message(self.Picked(self._rows[index].key))
