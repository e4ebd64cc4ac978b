"""What every place has: the line of places, the work, the status line, the keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.worker import Worker

from cvflow_tui.messages import ClientReady
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.text import one_line
from cvflow_tui.widgets.key_bar import KeyBar
from cvflow_tui.widgets.places_bar import PlacesBar
from cvflow_tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from cvflow_tui.app import CvflowApp

Work = Coroutine[Any, Any, Any] | Callable[[], Coroutine[Any, Any, Any]]
"""What an attempt runs: a coroutine, or what makes one."""

NOTE_SECONDS = 6.0
"""How long a note or an error stands on the status line before what refreshes by itself takes its place."""


class Place(Screen[None]):
    """A place. Subclasses set `PLACE` and `TITLE_TEXT`, yield their work from `compose_place`, and may override
    `arrive(**state)` (gone to, perhaps before the daemon is up), `on_client_ready()` (once, when `app.client` works) and `explain()`.

    `place.tcss` is loaded by the app; a subclass names its own with `CSS_PATH = "NAME.tcss"`. Side panes carry the class `side`;
    below 100 columns the screen has the class `-narrow`, where they are folded until `o` gives the screen the class `-side`.
    """

    PLACE: ClassVar[str] = ""
    TITLE_TEXT: ClassVar[str] = ""
    ABOUT: ClassVar[str] = ""
    """What the place is for: the first lines of its help."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "app.help", "help", tooltip="Explain what is under the cursor; all keys of this place", id="place.help"),
        Binding("o", "toggle_side", "pane", show=False, tooltip="Bring the side pane over, or put it away", id="place.side"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.stands = asyncio.Event()
        """Set once the widgets of the place are there."""
        self._told_ready = False
        self._attempts: dict[Worker[Any], Coroutine[Any, Any, Any]] = {}

    @property
    def cvflow(self) -> CvflowApp:
        """The app, with its type."""
        return cast("CvflowApp", self.app)

    def compose(self) -> ComposeResult:
        """The three lines around the work."""
        yield PlacesBar(self.PLACE)
        with Container(id="work"):
            yield from self.compose_place()
        yield StatusLine(id="status")
        yield KeyBar()

    def compose_place(self) -> ComposeResult:
        """The work: everything between the line of places and the status line."""
        raise NotImplementedError  # no ABC: a screen has the toolkit's metaclass

    def on_mount(self) -> None:
        """Take part in what the app knows."""
        self.stands.set()
        self.client_came()

    def client_came(self) -> None:
        """Tell this place, once, that the daemon answers (posts ClientReady); nothing while it does not."""
        if self.cvflow.client_ready and self.stands.is_set() and not self._told_ready:
            self._told_ready = True
            self.post_message(ClientReady())

    def arrive(self, **state: Any) -> None:
        """The place was gone to, with what `app.go` was given. Comes every time, the daemon up or not."""

    def status(self, text: str) -> None:
        """Say something on the status line (plain text), at once."""
        self.query_one("#status", StatusLine).say(text)

    def note(self, text: str) -> None:
        """As `status`, for what an action did: it stays a while against `summary`."""
        self.query_one("#status", StatusLine).say(text, hold=NOTE_SECONDS)

    def summary(self, text: str) -> None:
        """What the status line says when there is nothing else to say; for what refreshes by itself."""
        self.query_one("#status", StatusLine).say_below(text)

    def report(self, error: CvflowError) -> None:
        """Show what went wrong: one line on the status line and as a toast, never a traceback."""
        line = one_line(error.message)
        # What is asked every second fails every second: one toast is enough.
        if self.query_one("#status", StatusLine).say(line, error=True, hold=NOTE_SECONDS):
            self.notify(line, severity="error", markup=False)

    def attempt(self, work: Work, *, group: str = "attempt", exclusive: bool = False) -> None:
        """Run `work` beside the screen; a CvflowError in it is reported. `exclusive` cancels the group's earlier work."""

        async def begin() -> None:
            await self._attempted(work)

        worker: Worker[None] = self.run_worker(begin, group=group, exclusive=exclusive)
        if not callable(work):
            self._attempts[worker] = work

    async def _attempted(self, work: Work) -> None:
        try:
            await (work() if callable(work) else work)
        except CvflowError as error:
            self.report(error)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Let go of what an attempt was to do, also where it was cancelled before it began."""
        if event.worker.is_finished and (work := self._attempts.pop(event.worker, None)) is not None:
            work.close()

    def explain(self) -> str:
        """One or two sentences on the thing under the cursor, for `?`; empty where there is nothing to say."""
        return ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A place without a side pane has no key for it."""
        return bool(self.query(".side")) if action == "toggle_side" else super().check_action(action, parameters)

    def action_toggle_side(self) -> None:
        """Fold the side pane away or bring it back."""
        self.toggle_class("-side")
        self.refresh_bindings()
