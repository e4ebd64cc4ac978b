"""A script that a package wants to run at its installation: read first, then allowed or not."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from cvflow_tui.model.packages import Script
from cvflow_tui.model.text import clean, one_line
from cvflow_tui.widgets.key_words import KeyWords


class ScriptScreen(ModalScreen[str | None]):
    """The whole text of a script. Dismissed with its digest where it may run, or None."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "allow", "allow", tooltip="Allow exactly this text to run at the installation", id="script.allow"),
        Binding("escape,q,n", "dismiss(None)", "back", tooltip="It does not run", id="script.back"),
    ]

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    def compose(self) -> ComposeResult:
        """What it is, its text, the keys."""
        script = self._script
        with Vertical(classes="dialog"):
            yield Static(one_line(f"{script.name} · runs {script.when} the requirements", 120), classes="dialog-title", markup=False)
            yield Static(f"sha256 {script.sha256}", classes="dialog-text", markup=False)
            with VerticalScroll(classes="install-text"):
                yield Static(clean(script.text).rstrip() or "It is empty.", markup=False)
            yield KeyWords("Esc back" if script.allowed else "a allow   Esc back", classes="dialog-keys")

    def on_mount(self) -> None:
        """The arrows move the text."""
        self.query_one(".install-text").focus()

    def action_allow(self) -> None:
        """It may run."""
        self.dismiss(None if self._script.allowed else self._script.sha256)
