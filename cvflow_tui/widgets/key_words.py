"""A dialog's line of keys, `Enter go   Esc back`: read by eyes, pressed by the mouse."""

from __future__ import annotations

from textual import events
from textual.widgets import Static

from cvflow_tui.widgets.cells import width_of

GAP = "   "
"""Between two keys."""
NAMES = {"Enter": "enter", "Esc": "escape", "Tab": "tab"}
"""The spelled keys that a dialog's line has; a single character is its own key."""


class KeyWords(Static):
    """Keys with what they do, three spaces between two; a click on one presses it."""

    def __init__(self, words: str, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(words, id=id, classes=classes, markup=False)
        self._words = words

    def say(self, words: str) -> None:
        """Other keys."""
        self._words = words
        self.update(words)

    def key_at(self, x: int) -> str | None:
        """The key that a click in this column presses."""
        at = width_of(self._words) - width_of(self._words.lstrip())
        for part in self._words.strip().split(GAP):
            end = at + width_of(part)
            if at <= x < end:
                key, _, word = part.partition(" ")
                return NAMES.get(key, key if len(key) == 1 and key.isalpha() and word else None)
            at = end + len(GAP)
        return None

    def on_click(self, event: events.Click) -> None:
        """Press the key under the mouse."""
        if (key := self.key_at(event.x)) is not None:
            self.app.simulate_key(key)
