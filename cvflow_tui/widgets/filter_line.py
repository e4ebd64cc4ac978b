"""The line that `/` opens under a list."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from cvflow_tui.widgets.line_input import LineInput


class FilterLine(Horizontal):
    """Hidden until `open`; says every change (`Changed`), and `Closed` when Enter keeps or Esc clears the filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "clear", tooltip="Clear the filter and go back to the list", id="filter.clear"),
        Binding("down", "keep", "list", show=False, tooltip="Keep the filter and go back to the list", id="filter.keep"),
    ]
    DEFAULT_CSS = """
    FilterLine { height: 1; width: 1fr; display: none; background: $panel; }
    FilterLine.-open { display: block; }
    FilterLine > Static { width: 2; color: $accent; text-style: bold; padding: 0 0 0 1; }
    FilterLine > LineInput { width: 1fr; padding: 0; }
    """

    class Changed(Message):
        """The filter is another now."""

        def __init__(self, line: FilterLine, words: str) -> None:
            super().__init__()
            self.line = line
            self.words = words

        @property
        def control(self) -> FilterLine:
            """The line."""
            return self.line

    class Closed(Message):
        """The line gives the keys back; `kept` is False where Esc cleared it."""

        def __init__(self, line: FilterLine, kept: bool) -> None:
            super().__init__()
            self.line = line
            self.kept = kept

        @property
        def control(self) -> FilterLine:
            """The line."""
            return self.line

    def __init__(self, placeholder: str = "words that must all occur; !word must not", id: str | None = None) -> None:
        super().__init__(id=id)
        self._placeholder = placeholder

    def compose(self) -> ComposeResult:
        """A slash and the input."""
        yield Static("/", markup=False)
        yield LineInput(placeholder=self._placeholder)

    @property
    def query_text(self) -> str:
        """What is typed."""
        return self.query_one(LineInput).value

    def open(self) -> None:
        """Show the line and take the keys."""
        self.add_class("-open")
        self.query_one(LineInput).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say it."""
        event.stop()
        self.post_message(self.Changed(self, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter keeps the filter."""
        event.stop()
        self.action_keep()

    def action_keep(self) -> None:
        """Go back to the list; an empty line goes away."""
        self.set_class(bool(self.query_text), "-open")
        self.post_message(self.Closed(self, True))

    def action_clear(self) -> None:
        """Clear and go back to the list."""
        self.query_one(LineInput).value = ""
        self.remove_class("-open")
        self.post_message(self.Closed(self, False))
