"""`^p`: everything that can be done right now, found by a few letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static

from cvflow_tui.commands import Command, at_once, matching, of_daemon
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.text import one_line
from cvflow_tui.widgets.key_words import KeyWords
from cvflow_tui.widgets.line_input import LineInput
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable

if TYPE_CHECKING:
    from cvflow_tui.app import CvflowApp

GROUP = 8
"""Cells of a group's name."""


@dataclass(frozen=True, slots=True)
class Line:
    """A command, with the name of its group where it is the first of it."""

    command: Command
    heads: bool


COLUMNS: tuple[Column[Line], ...] = (
    Column("", lambda line: Cell(line.command.group if line.heads else "", "muted"), GROUP),
    Column("", lambda line: line.command.title, 0),
    Column("", lambda line: Cell(line.command.key, "accent"), 7, "right"),
)


class Palette(ModalScreen[Command | None]):
    """Dismissed with the command that was chosen, or None. What needs the daemon joins in as it comes."""

    CSS_PATH = ["dialogs.tcss", "palette.tcss"]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+p", "dismiss(None)", "back", tooltip="Back", id="palette.back"),
        Binding("up", "move(-1)", "up", show=False, tooltip="One command up", id="palette.up"),
        Binding("down", "move(1)", "down", show=False, tooltip="One command down", id="palette.down"),
        Binding("pageup", "page(-1)", "page up", show=False, tooltip="A page up", id="palette.page_up"),
        Binding("pagedown", "page(1)", "page down", show=False, tooltip="A page down", id="palette.page_down"),
    ]

    def __init__(self, below: Screen[Any]) -> None:
        """`below` is the screen whose keys are meant."""
        super().__init__()
        self._below = below
        self._commands: list[Command] = []

    @property
    def cvflow(self) -> CvflowApp:
        """The app, with its type."""
        return cast("CvflowApp", self.app)

    @property
    def table(self) -> VirtualTable[Line]:
        """The list."""
        return self.query_one(VirtualTable)

    def compose(self) -> ComposeResult:
        """What is typed, what it finds, the keys."""
        with Vertical(classes="dialog palette"):
            with Horizontal(classes="palette-line"):
                yield Static(">", markup=False)
                yield LineInput(placeholder="what to do: a few letters of it")
            yield VirtualTable[Line](COLUMNS, empty="Nothing is called like this.")
            yield KeyWords("Enter do it   Esc back", classes="dialog-keys")

    async def on_mount(self) -> None:
        """Show what there is, and ask the daemon for more."""
        self.table.can_focus = False  # the keys are the line's, whatever the mouse clicks
        self.query_one(LineInput).focus()
        self._commands = at_once(self.cvflow, self._below)
        self._show("")
        if self.cvflow.client_ready:
            self.run_worker(self._ask(), group="palette")

    async def _ask(self) -> None:
        try:
            more = await of_daemon(self.cvflow)
        except CvflowError as error:
            self.cvflow.notify(one_line(error.message), severity="error", markup=False)
            return
        # Before the app's own lines, which are the same everywhere.
        last = next((at for at, command in enumerate(self._commands) if command.group == "app"), len(self._commands))
        self._commands[last:last] = more
        self._show(self.query_one(LineInput).value, stay=True)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        """Find."""
        event.stop()
        self._show(event.value)

    def _show(self, query: str, *, stay: bool = False) -> None:
        """Show what is found; the cursor goes to the first of it unless it is to stay where it is."""
        kept = self.table.current.command if stay and self.table.current else None
        found = matching(self._commands, query)
        heads = [at == 0 or found[at - 1].group != command.group for at, command in enumerate(found)]
        self.table.show([Line(command, head) for command, head in zip(found, heads, strict=True)])
        self.table.cursor = found.index(kept) if kept in found else 0

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        """Enter takes what the cursor is on."""
        event.stop()
        if (line := self.table.current) is not None:
            self.dismiss(line.command)

    @on(VirtualTable.Chosen)
    def _clicked(self, event: VirtualTable.Chosen) -> None:
        """So does the mouse."""
        self.dismiss(event.item.command)

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.table.cursor += rows

    def action_page(self, pages: int) -> None:
        """Move it by what is in view."""
        self.table.action_page(pages)
