"""A one-line input that neither blinks nor takes three lines."""

from __future__ import annotations

from typing import Any

from textual.widgets import Input


class LineInput(Input):
    """An Input of one line without a border. Its cursor stands still: a blink is bytes on an idle line."""

    DEFAULT_CSS = """
    LineInput, LineInput:focus {
        height: 1;
        border: none;
        padding: 0 1;
        background: $panel;
    }
    """

    def __init__(self, value: str = "", **options: Any) -> None:
        super().__init__(value, compact=True, select_on_focus=False, **options)
        self.cursor_blink = False
