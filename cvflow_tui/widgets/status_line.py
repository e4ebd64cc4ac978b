"""The one line above the keys that says where things stand."""

from __future__ import annotations

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from cvflow_tui.model.text import one_line
from cvflow_tui.widgets.cells import cut


class StatusLine(Widget):
    """One line of plain text; markup in it is shown as it is. Longer text is cut with an ellipsis."""

    DEFAULT_CSS = """
    StatusLine { height: 1; width: 1fr; color: $muted; }
    StatusLine.-error { color: $error; text-style: bold; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = ""

    @property
    def text(self) -> str:
        """What it says now."""
        return self._text

    def say(self, text: str, *, error: bool = False) -> None:
        """Show `text`. Nothing is drawn when it says this already."""
        text = one_line(text, 400)
        if text == self._text and self.has_class("-error") is error:
            return
        self._text = text
        self.set_class(error, "-error")
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        return Strip([Segment(" " + cut(self._text, width - 2), self.rich_style)]).adjust_cell_length(width, self.rich_style)
