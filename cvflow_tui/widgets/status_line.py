"""The one line above the keys that says where things stand."""

from __future__ import annotations

from rich.segment import Segment
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from cvflow_tui.model.text import clean
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
        self._hold: Timer | None = None
        self._waiting: str | None = None

    @property
    def text(self) -> str:
        """What it says now."""
        return self._text

    def say(self, text: str, *, error: bool = False, hold: float = 0.0) -> bool:
        """Show `text`, for at least `hold` seconds against `say_below`; returns whether it said something else before."""
        text = _plain(text)
        self._waiting = None
        if self._hold is not None:
            self._hold.stop()
        self._hold = self.set_timer(hold, self._let_go) if hold else None
        return self._show(text, error)

    def say_below(self, text: str) -> None:
        """Show `text` once nothing that was said with `hold` stands before it: for what refreshes by itself."""
        if self._hold is None:
            self._show(_plain(text), False)
        else:
            self._waiting = _plain(text)

    def _let_go(self) -> None:
        self._hold = None
        if self._waiting is not None:
            self._show(self._waiting, False)
            self._waiting = None

    def _show(self, text: str, error: bool) -> bool:
        if text == self._text and self.has_class("-error") is error:
            return False
        self._text = text
        self.set_class(error, "-error")
        self.refresh()
        return True

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        return Strip([Segment(" " + cut(self._text, width - 2), self.rich_style)]).adjust_cell_length(width, self.rich_style)


def _plain(text: str) -> str:
    """One clean line; runs of spaces stay, they are what parts the facts on it."""
    return " ".join(clean(text[:1000]).splitlines()).replace("\t", " ")
