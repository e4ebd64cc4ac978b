"""What takes room in the home folder, and what of it nobody uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from cvflow_tui.model.jobs import JobState
from cvflow_tui.model.storage import DiskEntry, DiskUsage, Pruning
from cvflow_tui.model.text import one_line
from cvflow_tui.screens.dialogs import confirm
from cvflow_tui.screens.table_dialog import TableDialog
from cvflow_tui.widgets.figures import bytes_of
from cvflow_tui.widgets.key_words import KeyWords
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

COLUMNS: tuple[Column[DiskEntry], ...] = (
    Column("size", lambda entry: bytes_of(entry.bytes), 8, "right", sort=lambda entry: entry.bytes),
    Column("what", lambda entry: Cell(entry.kind, "muted"), 13, sort=lambda entry: entry.kind),
    Column("", lambda entry: Cell(entry.name), 0),
    Column("used by", lambda entry: Cell(", ".join(entry.used_by), "muted"), 24, hide_below=80),
)


class DiskScreen(TableDialog[None]):
    """Every byte of the home folder by what it is; `p` deletes what nobody uses, after asking."""

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
            yield VirtualTable[DiskEntry](COLUMNS, key=lambda entry: (entry.kind, entry.name), empty="Counting …", id="entries")
            yield Static("", id="told", markup=False)
            yield KeyWords("Esc back", classes="dialog-keys")

    def on_mount(self) -> None:
        """Count."""
        self.query_one(VirtualTable).focus()
        self.attempt(self._count())

    async def _count(self) -> None:
        usage, self._prunable = await self._client.disk(), await self._client.prunable()
        self.query_one(".dialog-title", Static).update(one_line(titled(usage), 120))
        self.query_one(VirtualTable).show(usage.entries)
        unused = self._prunable.bytes
        self.say(f"{bytes_of(unused)} of it nobody uses" if unused else "nothing of it is unused")
        self.query_one(KeyWords).say("p prune   Esc back" if self._prunable.entries else "Esc back")

    def action_prune(self) -> None:
        """Delete what nobody uses, after asking."""
        if self._prunable is not None and self._prunable.entries:
            self.attempt(self._prune(self._prunable))

    async def _prune(self, unused: Pruning) -> None:
        named = "\n".join(f"{bytes_of(entry.bytes):>8}  {entry.kind}  {one_line(entry.name, 40)}" for entry in unused.entries[:8])
        more = f"\nand {len(unused.entries) - 8} more" if len(unused.entries) > 8 else ""
        if not await self.app.push_screen_wait(confirm(f"Free {bytes_of(unused.bytes)}?", named + more, "delete them", "keep them")):
            return
        job = await self._client.prune()
        async for step in self._client.follow(job.id):
            job = step
            self.say(job.step or "deleting …")
        await self._count()
        if job.state is JobState.DONE:
            self.say(f"{bytes_of(unused.bytes)} freed")
        else:
            self.say(job.error or "it did not end well", bad=True)


def titled(usage: DiskUsage) -> str:
    """How much, where, and how much there is still."""
    return f"{bytes_of(usage.total_bytes)} in {usage.root} · {bytes_of(usage.free_bytes)} free"
