"""The app: places as modes, one client, one way out."""

from __future__ import annotations

import asyncio
import importlib
import signal
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.css.query import NoMatches
from textual.reactive import reactive
from textual.screen import Screen
from textual.worker import WorkerFailed

from cvflow_tui import theme
from cvflow_tui.keymap import GLOBAL, PLACES
from cvflow_tui.keys_in_order import KeysInOrder
from cvflow_tui.model.errors import CvflowError, RefusedError
from cvflow_tui.screens.place import Place
from cvflow_tui.widgets import heap

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient
    from cvflow_tui.commands import Command

ClientFactory = Callable[[], "Awaitable[DaemonClient]"]
"""Makes (or finds) the daemon and returns its client; raises a CvflowError that says why it cannot."""

HERE = Path(__file__).parent


def _open(place: str) -> Screen[Any]:
    """The screen of a place, imported when it is first gone to."""
    module = importlib.import_module(f"cvflow_tui.screens.{place}")
    screen: Screen[Any] = getattr(module, f"{place.title()}Screen")()
    return screen


class CvflowApp(KeysInOrder):
    """The workstation. `client_factory` runs after the first paint; until it is done `client_ready` is False.

    `start_place` is one of `keymap.PLACES`; `project` is opened for annotation once the daemon answers.
    """

    TITLE = "cvflow"
    ENABLE_COMMAND_PALETTE = False
    """The toolkit's; ours is a screen of our own."""
    BINDINGS: ClassVar[list[BindingType]] = GLOBAL
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    MODES: ClassVar[Any] = {key.place: partial(_open, key.place) for key in PLACES}

    right_status: reactive[str] = reactive("", init=False)
    """What the right end of the top line says, such as `raccoons · cvflow/nanodet ● r4`."""

    def __init__(self, client_factory: ClientFactory, start_place: str = "hub", project: str | None = None) -> None:
        super().__init__(css_path=[HERE / "app.tcss", HERE / "screens" / "place.tcss"])
        # Motion says nothing here, and over a slow line it costs what the user waits for.
        self.animation_level = "none"
        self._client_factory = client_factory
        self._start_place = start_place
        self._client: DaemonClient | None = None
        self._connected = asyncio.Event()
        self._leaving = False
        self.current_project: str | None = project
        """The project that Annotate and Training show."""
        self._told: set[str] = set()
        self.last_picture = ""
        """The path that was run through a solver last, as it was typed."""
        for each in theme.THEMES:
            self.register_theme(each)
        self.theme = theme.chosen(self.console.color_system)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own colour names, for themes that do not set them."""
        return {"muted": "ansi_default", "cursor-row": "ansi_blue", "cursor-row-blurred": "ansi_bright_black"}

    # -- the daemon

    @property
    def client(self) -> DaemonClient:
        """The daemon's client. Raises RefusedError while the daemon is not up."""
        if self._client is None:
            raise RefusedError("the daemon is still starting")
        return self._client

    @property
    def client_ready(self) -> bool:
        """Whether `client` may be used."""
        return self._client is not None

    async def when_ready(self) -> DaemonClient:
        """The client, once the daemon answers."""
        await self._connected.wait()
        return self.client

    async def _connect(self) -> None:
        # Its imports take longer than the first paint: on a thread, so that keys and signals are heard meanwhile.
        await asyncio.to_thread(importlib.import_module, "cvflow_tui.backend.client")
        try:
            self._client = await self._client_factory()
        except CvflowError as error:
            self._tell_no_daemon(error)
            return
        self._connected.set()
        for stack in self._screen_stacks.values():
            for screen in stack:
                if isinstance(screen, Place):
                    screen.client_came()

    def _tell_no_daemon(self, error: CvflowError) -> None:
        if isinstance(self.screen, Place):
            self.screen.report(error)
        else:
            self.notify(error.message, severity="error", markup=False)

    # -- places

    async def on_mount(self) -> None:
        """Show the first place; the daemon comes after the first paint."""
        self._mind_signals()
        heap.share_heaps()
        await self.switch_mode(self._start_place)
        self.call_after_refresh(lambda: self.run_worker(self._connect(), name="connect", exit_on_error=True))
        if self.current_project and self._start_place == "annotate":
            self.call_after_refresh(self.open_project, self.current_project)

    def go(self, place: str, **state: Any) -> None:
        """Show a place; `state` reaches its `arrive` once it stands."""
        if place not in self.MODES:
            raise ValueError(f"no place called {place!r}")
        self.hold_keys()  # they are meant for the place that comes, not for the one that is left
        self.run_worker(self._go(place, state), name=f"go-{place}", group="go")

    async def _go(self, place: str, state: dict[str, Any]) -> None:
        try:
            await self.switch_mode(place)
            screen = self.screen_stack[0]
            if isinstance(screen, Place):
                await screen.stands.wait()
                screen.arrive(**state)
        finally:
            self.let_keys_through()

    def action_go(self, place: str) -> None:
        """Show a place (keys, mouse)."""
        self.go(place)

    async def action_choose_place(self) -> None:
        """Wait for the letter of a place."""
        from cvflow_tui.screens.goto import GoTo

        def chosen(place: str | None) -> None:
            if place == "top":
                self.simulate_key("home")
            elif place:
                self.go(place)

        await self.push_screen(GoTo(), chosen)

    async def action_palette(self) -> None:
        """Find a command by its name, and do it."""
        from cvflow_tui.screens.palette import Palette

        def chosen(command: Command | None) -> None:
            if command is not None:
                command.run()

        await self.push_screen(Palette(self.screen), chosen)

    def open_project(self, name: str) -> None:
        """Make a project the current one and annotate it."""
        self.current_project = name
        self.go("annotate", project=name)

    def tell_once(self, what: str, text: str, *, good: bool) -> None:
        """Say what several places hear of, each by itself: only the first who says it is heard. `what` names the event."""
        if what not in self._told:
            self._told.add(what)
            self.notify(text, severity="information" if good else "warning", markup=False, timeout=8)

    def set_right_status(self, text: str) -> None:
        """Say something at the right end of the top line."""
        self.right_status = text

    async def run_dialog(self, dialog: Screen[Any]) -> Any:
        """Show a dialog and wait for what it was dismissed with. Call it from a worker, never from a message handler."""
        return await self.push_screen_wait(dialog)

    async def action_help(self) -> None:
        """Explain what is under the cursor and list the keys that work here."""
        from cvflow_tui.screens.help import HelpScreen

        await self.push_screen(HelpScreen.of(self.screen))

    # -- leaving

    def action_leave(self) -> None:
        """Leave; ask once when solvers run."""
        if not self._leaving:
            self.run_worker(self._leave(), name="leave", exclusive=True, group="leave")

    async def action_quit(self) -> None:
        """What the framework's own quit does: ours."""
        self.action_leave()

    async def _leave(self) -> None:
        from cvflow_tui.screens.dialogs import ask_to_leave

        choice = await ask_to_leave(self)
        if choice is None:
            return
        self._leaving = True
        self._hang_up()
        if choice.shut_down and self._client is not None:
            try:
                await self._client.shutdown(stop_solvers=choice.stop_solvers)
            except CvflowError as error:
                self._leaving = False
                self._tell_no_daemon(error)
                return
        self.exit(message=Text(choice.farewell) if choice.farewell else None)

    def _hang_up(self) -> None:
        # A request that still waits for news (a log, a job) would keep the daemon from ending, or end in an error of its own.
        for worker in list(self.workers):
            if worker.group not in ("leave", "go"):
                worker.cancel()

    async def on_unmount(self) -> None:
        """Let go of the client's sockets."""
        if self._client is not None:
            await self._client.close()

    def _mind_signals(self) -> None:
        # Without this a dropped SSH line leaves the shell in the alternate screen with mouse reports on.
        if self.is_headless:
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self._end_by_signal, number)

    def _end_by_signal(self, number: signal.Signals) -> None:
        self.exit(return_code=128 + number)

    # -- pictures of the screen

    def action_picture(self) -> None:
        """Save the screen as an SVG in the working folder and say where."""
        path = Path(self.save_screenshot())
        self.notify(str(path), title="Saved the screen", markup=False)

    def attempt(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside the screens; a CvflowError in it becomes one clean line."""
        self.run_worker(self._attempted(work), exit_on_error=True)

    async def _attempted(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except CvflowError as error:
            self._tell_no_daemon(error)

    def _handle_exception(self, error: Exception) -> None:
        """Work that ends while the app is taken down may find its screen half gone: nobody waits for what it was to show there."""
        cause = error.error if isinstance(error, WorkerFailed) else error
        if isinstance(cause, NoMatches) and not self.is_running:
            return
        super()._handle_exception(error)
