"""How a solver is to run: its settings and environment variables, each changed where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.setting_words import MEANINGS
from cvflow_tui.model.settings import NOTHING, SettingsReport, Variable, read_setting, setting_names, write_setting
from cvflow_tui.model.text import one_line
from cvflow_tui.screens.dialogs import AskLine
from cvflow_tui.screens.table_dialog import TableDialog
from cvflow_tui.widgets.key_words import KeyWords
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

KEYS = "Enter change   d as it comes   v variable   r restart   Esc back"


@dataclass(frozen=True, slots=True)
class Row:
    """A setting, or an environment variable (with whose it is), and what is said of it."""

    name: str
    value: str
    meaning: str
    chosen: bool = False
    owner: str | None = None


def rows_of(report: SettingsReport, variables: list[Variable]) -> list[Row]:
    """The settings, then the variables that the solver is given."""
    rows = [
        Row(name, write_setting(name, getattr(report.settings, name)), MEANINGS[name][1], name in report.chosen) for name in setting_names()
    ]
    return rows + [Row(each.name, "(set)", f"environment variable of {each.owner}", True, each.owner) for each in variables]


COLUMNS: tuple[Column[Row], ...] = (
    Column("setting", lambda row: Cell(row.name, "strong" if row.chosen else ""), 13),
    Column("value", lambda row: Cell(row.value, "accent" if row.chosen else "muted"), 8),
    Column("", lambda row: Cell(row.meaning, "muted"), 0),
)


class SettingsScreen(TableDialog[bool]):
    """Lists and changes a solver's settings. Dismissed with whether it was restarted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "reset", "as it comes", tooltip="Take the setting back, or forget the variable", id="settings.reset"),
        Binding("v", "variable", "variable", tooltip="Give its workers an environment variable", id="settings.env"),
        Binding("r", "restart", "restart", tooltip="Start it again with the settings as they are now", id="settings.restart"),
        Binding("escape,q", "back", "back", tooltip="Back", id="settings.back"),
        Binding("question_mark", "app.help", "help", tooltip="The keys", id="settings.help"),
    ]

    def __init__(self, client: DaemonClient, solver: str) -> None:
        super().__init__()
        self._client, self._solver = client, solver
        self._package = solver.rpartition("/")[0]
        self._restarted = False

    def compose(self) -> ComposeResult:
        """Title, table, what needs a restart, the keys."""
        with Vertical(classes="dialog table-dialog"):
            yield Static(one_line(f"How {self._solver} runs", 100), classes="dialog-title", markup=False)
            yield VirtualTable[Row](COLUMNS, key=lambda row: (row.owner, row.name), empty="Asking …", id="settings")
            yield Static("", id="meaning", markup=False)
            yield Static("", id="told", markup=False)
            yield KeyWords(KEYS, classes="dialog-keys")

    @property
    def table(self) -> VirtualTable[Row]:
        """The rows."""
        return self.query_one("#settings", VirtualTable)

    def on_mount(self) -> None:
        """Ask."""
        self.table.focus()
        self.attempt(self._look())

    async def _look(self, report: SettingsReport | None = None) -> None:
        report = report or await self._client.settings(self._solver)
        self.table.show(rows_of(report, await self._client.variables(self._solver) + await self._of_package()))
        if report.warnings:
            self.say("; ".join(report.warnings))
        elif report.running and report.restart_for:
            self.say(f"r restarts it, for: {', '.join(report.restart_for)}")
        else:
            self.say("" if report.running else "it is not running: what you set holds from its next start")

    def on_virtual_table_moved(self, event: VirtualTable.Moved) -> None:
        """The whole of what the row means, which its column may be too narrow for."""
        row: Row | None = event.item
        self.query_one("#meaning", Static).update(one_line(f"{row.meaning} · {row.value}") if row else "")

    async def _of_package(self) -> list[Variable]:
        return [each for each in await self._client.variables(self._package) if each.owner == self._package]

    def on_virtual_table_chosen(self, event: VirtualTable.Chosen) -> None:
        """Change what is under the cursor."""
        event.stop()
        row: Row = event.item
        self.attempt(self._set_variable(row.owner, row.name) if row.owner else self._change(row))

    async def _change(self, row: Row) -> None:
        example, meaning = MEANINGS[row.name]
        ask = AskLine(
            row.name,
            f"{meaning[:1].upper()}{meaning[1:]}. Such as {example}; empty: nothing is said.",
            "" if row.value == NOTHING else row.value,
            check=partial(_wrong, row.name),
        )
        typed = await self.app.push_screen_wait(ask)
        if typed is not None:
            await self._look(await self._client.change_settings(self._solver, {row.name: typed}))

    def action_reset(self) -> None:
        """Take back what is under the cursor."""
        row = self.table.current
        if row is not None and row.chosen:
            self.attempt(self._reset(row))

    async def _reset(self, row: Row) -> None:
        if row.owner:
            await self._client.unset_variable(row.owner, row.name)
            await self._look()
        else:
            await self._look(await self._client.change_settings(self._solver, {row.name: ""}))

    def action_variable(self) -> None:
        """Give it a variable."""
        self.attempt(self._new_variable())

    async def _new_variable(self) -> None:
        name = await self.app.push_screen_wait(AskLine("Environment variable", "Its name, such as API_KEY.", check=_wrong_name))
        if name:
            await self._set_variable(self._solver, name)

    async def _set_variable(self, owner: str, name: str) -> None:
        text = "Its value is kept, given to the workers at their next start, and never shown again."
        value = await self.app.push_screen_wait(AskLine(name, text, secret=True))
        if value:
            await self._client.set_variable(owner, name, value)
            await self._look()

    def action_restart(self) -> None:
        """Start it again."""
        self.attempt(self._restart())

    async def _restart(self) -> None:
        self.say("restarting …")
        await self._client.restart_solver(self._solver)
        self._restarted = True
        await self._look()
        self.say("it serves with these settings now")

    def action_back(self) -> None:
        """Back to the place."""
        self.dismiss(self._restarted)


def _wrong(name: str, line: str) -> str | None:
    if not line:
        return None
    try:
        read_setting(name, line)
    except UsageError as error:
        return error.message
    return None


def _wrong_name(line: str) -> str | None:
    return None if line.isascii() and line.isidentifier() else "letters, digits and _, such as API_KEY"
