"""The letter after `g`."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

from cvflow_tui.keymap import PLACES

ANSWERS = {key.letter: key.place for key in PLACES} | {"g": "top"}


class GoTo(ModalScreen[str | None]):
    """Waits for one key: the letter of a place, or `g` again for the top of the list. Any other key puts it away."""

    CSS_PATH = "goto.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key.letter, f"choose('{key.place}')", key.title, id=f"goto.{key.place}") for key in PLACES),
        Binding("g", "choose('top')", "top", id="goto.top"),
        Binding("escape", "choose", "back", id="goto.back"),
    ]

    def compose(self) -> ComposeResult:
        """One line that names the letters."""
        words = "   ".join(f"{key.letter} {key.title}" for key in PLACES)
        yield Static(f"go to   {words}   g top", markup=False)

    def action_choose(self, place: str | None = None) -> None:
        """Dismiss with the place."""
        self.dismiss(place)

    def on_key(self, event: events.Key) -> None:
        """The first key is the answer, whichever it is."""
        event.stop()
        self.action_choose(ANSWERS.get(event.key))

    def on_click(self) -> None:
        """So does the mouse."""
        self.action_choose()
