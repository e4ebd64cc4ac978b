"""Going to a picture: its number, or a part of its name, among any number of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, overload

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static
from textual.worker import Worker, WorkerCancelled

from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.projects import Picture
from cvflow_tui.model.text import one_line
from cvflow_tui.widgets.key_words import KeyWords
from cvflow_tui.widgets.line_input import LineInput
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

PAGE = 200
"""Pictures fetched at once."""


class Pages(Sequence[Picture | None]):
    """The pictures that match, fetched a page at a time as they are read; None where a page is still to come."""

    def __init__(self, total: int, want: Any) -> None:
        self._total = total
        self._want = want
        self._pages: dict[int, Sequence[Picture]] = {}

    def __len__(self) -> int:
        return self._total

    @overload
    def __getitem__(self, index: int) -> Picture | None: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Picture | None]: ...
    def __getitem__(self, index: int | slice) -> Picture | Sequence[Picture | None] | None:
        """The picture at an index of the list; asks for its page where it is not there."""
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(self._total))]
        if not 0 <= index < self._total:
            raise IndexError(index)
        page, within = divmod(index, PAGE)
        if page not in self._pages:
            self._pages[page] = ()
            self._want(self, page)
        held = self._pages[page]
        return held[within] if within < len(held) else None

    def fill(self, page: int, pictures: Sequence[Picture]) -> None:
        """A page has come."""
        self._pages[page] = pictures


class FindPicture(ModalScreen[int | None]):
    """Dismissed with the position of the picture chosen, or None."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["../dialogs.tcss", "find.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "back", tooltip="Stay at this picture", id="find.back"),
        Binding("down", "move(1)", "down", show=False, priority=True, tooltip="One picture down", id="find.down"),
        Binding("up", "move(-1)", "up", show=False, priority=True, tooltip="One picture up", id="find.up"),
        Binding("pagedown", "move(10)", "down", show=False, priority=True, tooltip="Ten pictures down", id="find.page_down"),
        Binding("pageup", "move(-10)", "up", show=False, priority=True, tooltip="Ten pictures up", id="find.page_up"),
    ]

    def __init__(self, client: DaemonClient, project: str, position: int) -> None:
        super().__init__()
        self._client, self._project, self._position = client, project, position
        self._query = ""
        self._searching: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        """A line to type in, the pictures below."""
        with Vertical(classes="dialog"):
            yield Static("Go to picture", classes="dialog-title", markup=False)
            yield LineInput(placeholder="a number, or a part of a name")
            columns: list[Column[Picture]] = [
                Column("", lambda picture: str(picture.position), width=7, align="right"),
                Column("picture", lambda picture: picture.name),
                Column("", _state, width=16),
                Column("objects", lambda picture: str(picture.annotations or ""), width=7, align="right"),
            ]
            yield VirtualTable(columns, empty="No picture has that in its name.", id="found")
            yield Static("", classes="dialog-wrong", markup=False)
            yield KeyWords("Enter go   ↑↓ choose   Esc back", classes="dialog-keys")

    @property
    def _table(self) -> VirtualTable[Any]:
        return self.query_one("#found", VirtualTable)

    def on_mount(self) -> None:
        """All pictures, the cursor on the open one."""
        self.query_one(LineInput).focus()
        self._search("", self._position - 1)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look for what is typed; a number moves the cursor there."""
        text = event.value.strip()
        self.query_one(".dialog-wrong", Static).update("")
        if text.isdecimal():
            self._search("", int(text) - 1)
        else:
            self._search(text, 0 if text else self._position - 1)

    def _search(self, query: str, cursor: int) -> None:
        self._searching = self.run_worker(partial(self._fetch_first, query, cursor), group="search", exclusive=True)

    async def _fetch_first(self, query: str, cursor: int) -> None:
        self._query = query
        first = max(0, cursor) // PAGE
        try:
            page = await self._client.pictures(self._project, offset=first * PAGE, limit=PAGE, query=query)
        except CvflowError as error:
            self.query_one(".dialog-wrong", Static).update(one_line(error.message))
            return
        pages = Pages(page.total, self._want)
        pages.fill(first, page.pictures)
        self._table.show(pages)
        self._table.cursor = cursor

    def _want(self, pages: Pages, page: int) -> None:
        self.run_worker(self._fetch(pages, page, self._query))

    async def _fetch(self, pages: Pages, page: int, query: str) -> None:
        try:
            found = await self._client.pictures(self._project, offset=page * PAGE, limit=PAGE, query=query)
        except CvflowError as error:
            self.query_one(".dialog-wrong", Static).update(one_line(error.message))
            return
        pages.fill(page, found.pictures)
        self._table.refresh()

    def action_move(self, rows: int) -> None:
        """Move the cursor of the list while typing."""
        self._table.cursor += rows

    def on_input_submitted(self) -> None:
        """Enter goes to the picture that was typed, once the search for it has answered."""
        self.run_worker(self._choose(), group="choose")

    async def _choose(self) -> None:
        if self._searching is not None:
            with suppress(WorkerCancelled):
                await self._searching.wait()
        text = self.query_one(LineInput).value.strip()
        count = len(self._table.items)
        if text.isdecimal() and not 1 <= int(text) <= count:
            self.query_one(".dialog-wrong", Static).update(f"there is no picture {text}: this project has {count}")
            return
        picture = self._table.current
        if picture is not None:
            self.dismiss(picture.position)

    def on_virtual_table_chosen(self, event: VirtualTable.Chosen) -> None:
        """A second click goes there."""
        self.dismiss(event.item.position)


def _state(picture: Picture) -> Cell:
    if picture.error is not None:
        return Cell("cannot be read", "bad")
    return Cell(str(picture.state), "good" if picture.state.is_finished else "muted")
