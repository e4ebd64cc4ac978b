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

    async def complete(self) -> bool:
        """Take the completion of what is typed, shown already or not. False where there is none or the cursor is not at the end."""
        typed = self.value
        if self.suggester is None or not typed or self.cursor_position != len(typed):
            return False
        suggestion = await self.suggester.get_suggestion(typed)
        if suggestion is None or suggestion == typed or self.value != typed:
            return False
        self.value = suggestion
        self.cursor_position = len(suggestion)
        return True
