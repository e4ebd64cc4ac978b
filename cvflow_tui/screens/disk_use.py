"""What takes room in the home folder, and what of it nobody uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from cvflow_tui.model.jobs import JobState
from cvflow_tui.model.storage import DIGITS, DiskEntry, DiskUsage, Pruning, told_of_cache, told_of_shared
from cvflow_tui.model.text import one_line
from cvflow_tui.screens.dialogs import confirm
from cvflow_tui.screens.freed import still_linked
from cvflow_tui.screens.table_dialog import TableDialog
from cvflow_tui.widgets.figures import bytes_of
from cvflow_tui.widgets.key_words import KeyWords
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient


@dataclass(frozen=True, slots=True)
class Line:
    """A thing that takes room."""

    entry: DiskEntry
    freed: int | None = None
    """Bytes by which the home folder becomes smaller without it; None where somebody uses it."""


def lines_of(usage: DiskUsage, prunable: Pruning) -> list[Line]:
    """Everything, the largest first, with what of it would go."""
    left = {entry.key: entry.bytes for entry in prunable.entries}
    unused = set(left)
    return [Line(entry, left.pop(entry.key, 0) if entry.key in unused else None) for entry in usage.entries]


def _unused(line: Line) -> Cell:
    """What pruning deletes of it. A download's journal goes with its file, whose bytes are told there."""
    return Cell("" if line.freed is None else bytes_of(line.freed) if line.freed else "goes too", "warn")


def _shared_of(line: Line) -> Cell:
    return Cell(bytes_of(line.entry.shared) if line.entry.shared else "", "muted")


COLUMNS: tuple[Column[Line], ...] = (
    Column("size", lambda line: bytes_of(line.entry.bytes), 8, "right", sort=lambda line: line.entry.bytes),
    Column("what", lambda line: Cell(line.entry.kind, "muted"), 12, sort=lambda line: line.entry.kind),
    Column(
        "", lambda line: Cell(line.entry.name, "warn" if line.freed is not None else ""), 0, sort=lambda line: line.entry.name, least=22
    ),
    Column("used by", lambda line: Cell(", ".join(line.entry.used_by), "muted"), 26, hide_below=80, least=14),
    Column("sha256", lambda line: Cell(line.entry.digest[:DIGITS], "muted"), 8, hide_below=90),
    Column("unused", _unused, 8, "right", sort=lambda line: -1 if line.freed is None else line.freed),
    Column("shared", _shared_of, 8, "right", sort=lambda line: line.entry.shared),
)


class DiskScreen(TableDialog[None]):
    """Every byte of the home folder by what it is; `p` deletes what nobody uses, after asking."""

    CSS_PATH = [*TableDialog.CSS_PATH, "disk_use.tcss"]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "prune", "prune", tooltip="Delete what nobody uses: kept versions, unused weights and environments", id="disk.prune"),
        Binding("escape,q", "dismiss(None)", "back", tooltip="Back", id="disk.back"),
        Binding("question_mark", "app.help", "help", tooltip="The keys", id="disk.help"),
    ]

    def __init__(self, client: DaemonClient) -> None:
        super().__init__()
        self._client = client
        self._prunable: Pruning | None = None

    def compose(self) -> ComposeResult:
        """Title, table, what could go, the keys."""
        with Vertical(classes="dialog table-dialog"):
            yield Static("Disk", classes="dialog-title", markup=False)
            yield VirtualTable[Line](
                COLUMNS, key=lambda line: (line.entry.kind, line.entry.name, line.entry.digest), empty="Counting …", id="entries"
            )
            yield Static("", id="meaning", markup=False)
            yield Static("", id="outside", markup=False)
            yield Static("", id="told", markup=False)
            yield KeyWords("Esc back", classes="dialog-keys")

    def on_mount(self) -> None:
        """Count."""
        self.query_one(VirtualTable).focus()
        self.attempt(self._count())

    async def _count(self) -> None:
        usage, self._prunable = await self._client.disk(), await self._client.prunable()
        self.query_one(".dialog-title", Static).update(one_line(titled(usage), 120))
        outside = self.query_one("#outside", Static)
        outside.update(told_of_outside(usage))
        outside.display = bool(usage.shared or usage.cache)
        self.query_one(VirtualTable).show(lines_of(usage, self._prunable))
        unused = self._prunable.bytes
        told = f"{bytes_of(unused)} of it nobody uses: p deletes it, after asking"
        if self._prunable.shared:
            told += f", freeing {bytes_of(self._prunable.freed)}"
        self.say(told if self._prunable.entries else "nothing of it is unused")
        self.query_one(KeyWords).say("p prune   Esc back" if self._prunable.entries else "Esc back")

    @on(VirtualTable.Moved)
    def _moved(self, event: VirtualTable.Moved) -> None:
        """Say of the row what a narrow table has no room for."""
        self.query_one("#meaning", Static).update(one_line(described(event.item)) if event.item else "")

    def action_prune(self) -> None:
        """Delete what nobody uses, after asking."""
        if self._prunable is not None and self._prunable.entries:
            self.attempt(self._prune(self._prunable))

    async def _prune(self, unused: Pruning) -> None:
        named = "\n".join(f"{bytes_of(entry.bytes):>8}  {entry.kind}  {one_line(entry.shown, 50)}" for entry in unused.entries[:8])
        more = f"\nand {len(unused.entries) - 8} more" if len(unused.entries) > 8 else ""
        if not await self.app.push_screen_wait(confirm(f"Free {bytes_of(unused.freed)}?", named + more, "delete them", "keep them")):
            return
        job = await self._client.prune()
        async for step in self._client.follow(job.id):
            job = step
            self.say(job.step or "deleting …")
        await self._count()
        if job.state is JobState.DONE:
            self.say(f"{bytes_of(unused.freed)} freed{still_linked(unused.shared)}")
        else:
            self.say(job.error or "it did not end well", bad=True)


def described(line: Line) -> str:
    """A row in words: what it is, who uses it, and what becomes of it."""
    entry = line.entry
    if entry.used_by:
        return f"{entry.shown}: of {', '.join(entry.used_by)}"
    if line.freed is not None:
        return f"{entry.shown}: nobody uses it"
    return f"{entry.shown}: its own files, in whole blocks of the disk, without its weights" if entry.kind == "package" else entry.shown


def told_of_outside(usage: DiskUsage) -> str:
    """What deleting does not free, and what lies outside the home folder."""
    lines = []
    if usage.shared:
        lines.append(told_of_shared(bytes_of(usage.shared)))
    if usage.cache:
        lines.append(one_line(told_of_cache(bytes_of(usage.cache_bytes), usage.cache), 200))
    return "\n".join(lines)


def titled(usage: DiskUsage) -> str:
    """How much, where, and how much there is still."""
    return f"{bytes_of(usage.total_bytes)} in {usage.root} · {bytes_of(usage.free_bytes)} free"
