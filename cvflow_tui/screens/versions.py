"""Which version of a hub's package to install."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from cvflow_tui.model.packages import HubVersion
from cvflow_tui.model.text import one_line
from cvflow_tui.widgets.figures import bytes_of, date_of
from cvflow_tui.widgets.key_words import KeyWords
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable


def _note(version: HubVersion) -> Cell:
    if version.installed:
        return Cell("✓ installed", "good")
    return Cell("the newest" if version.newest else "", "muted")


COLUMNS: tuple[Column[HubVersion], ...] = (
    Column("version", lambda version: Cell(version.version, "strong"), 16),
    Column("published", lambda version: date_of(version.published), 10),
    Column("size", lambda version: bytes_of(version.size), 8, "right"),
    Column("", _note, 0),
)


class VersionsScreen(ModalScreen[str | None]):
    """All versions of one package, the newest first. Dismissed with the source of the one that was chosen, or None."""

    CSS_PATH = ["dialogs.tcss", "table_dialog.tcss"]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "back", tooltip="Back; nothing happens", id="versions.back"),
        Binding("question_mark", "app.help", "help", tooltip="The keys", id="versions.help"),
    ]

    def __init__(self, ref: str, versions: Sequence[HubVersion]) -> None:
        super().__init__()
        self._ref, self._versions = ref, tuple(versions)

    def compose(self) -> ComposeResult:
        """Title, the versions, the keys."""
        with Vertical(classes="dialog table-dialog"):
            yield Static(one_line(f"{self._ref}: which version?", 120), classes="dialog-title", markup=False)
            yield VirtualTable[HubVersion](COLUMNS, key=lambda version: version.version, id="versions")
            yield KeyWords("Enter install   Esc back", classes="dialog-keys")

    def on_mount(self) -> None:
        """The cursor on the newest, which is the one that most want."""
        table: VirtualTable[HubVersion] = self.query_one(VirtualTable)
        table.show(self._versions)
        table.styles.height = min(len(self._versions) + 1, 18)
        table.cursor = next((row for row, version in enumerate(self._versions) if version.newest), 0)
        table.focus()

    @on(VirtualTable.Chosen)
    def _chosen(self, event: VirtualTable.Chosen) -> None:
        self.dismiss(event.item.source)
