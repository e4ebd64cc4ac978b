"""The annotate place: keys and mouse in, the session's state out. What it shows, the daemon has acknowledged."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.timer import Timer
from textual.worker import Worker

from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.projects import Picture, PictureView, Round, RoundState
from cvflow_tui.model.text import one_line, plural
from cvflow_tui.screens.annotate.actions import AnnotateActions, Desk
from cvflow_tui.screens.annotate.acts import Acts
from cvflow_tui.screens.annotate.canvas import DrawingCanvas
from cvflow_tui.screens.annotate.moving import Moving
from cvflow_tui.screens.annotate.pane import ObjectsPane
from cvflow_tui.screens.annotate.pixels import Pixels
from cvflow_tui.screens.annotate.scene import shapes_of
from cvflow_tui.screens.annotate.session import Session
from cvflow_tui.screens.annotate.status import status_line
from cvflow_tui.screens.annotate.words import round_ended
from cvflow_tui.widgets.cells import width_of
from cvflow_tui.widgets.image_canvas.canvas import ImageCanvas

NOTHING_OPEN = "No project is open.\nF4 lists the projects; Enter opens one."
MESSAGE_SECONDS, ERROR_SECONDS = 3.0, 8.0
"""How long the status line says what happened before it says again where things stand."""


class AnnotateScreen(AnnotateActions):
    """Suggestions are accepted, declined and fixed here, and boxes drawn; each act is journalled before it shows."""

    PLACE = "annotate"
    TITLE_TEXT = "Annotate"
    ABOUT = (
        "A dashed box is a suggestion, a solid one is yours. a accepts, x declines, r draws; n finishes the picture and goes on. "
        "Every act is on disk before you see it, and u takes it back."
    )
    CSS_PATH = "annotate.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._pixels: Pixels | None = None
        self._work: Worker[None] | None = None
        self._wanted: tuple[str | None, int | None] = (None, None)
        self._shown: int | None = None
        """The id of the picture on the canvas, or on its way there."""
        self._told: Timer | None = None
        self._message: str | None = None
        self._gone = False
        """Whether the widgets are taken down: what the session says then has nowhere to go."""
        self._note: str | None = None

    def compose_place(self) -> ComposeResult:
        """The picture, and the pane beside it."""
        with Horizontal(id="desk"):
            with Container(id="stage"):
                yield DrawingCanvas(id="canvas")
            yield ObjectsPane()

    # -- a project comes and goes

    def on_mount(self) -> None:
        """Nothing is open yet."""
        super().on_mount()
        self._blank("Opening …" if self.cvflow.current_project else NOTHING_OPEN)

    def arrive(self, *, project: str | None = None, position: int | None = None, **_: Any) -> None:
        """Open a project (the current one without a name), at a picture where one is given."""
        self._wanted = (project, position)
        if self.cvflow.client_ready:
            self._open_wanted()

    def on_client_ready(self) -> None:
        """Open what was asked for while the daemon was starting."""
        self._open_wanted()

    def _open_wanted(self) -> None:
        name, position = self._wanted
        name = name or self.cvflow.current_project
        if name is None:
            return
        self._wanted = (name, None)
        self.cvflow.current_project = name
        session = self.session
        if session is None or session.name != name:
            self._begin(name, position)
        elif position is not None:
            session.submit(lambda: session.open(position))
        elif session.view is None and session.idle:
            session.submit(session.start)
        else:
            session.refresh_soon()

    def _begin(self, name: str, position: int | None) -> None:
        if self._desk is not None and self._pixels is not None and self._work is not None:
            self.attempt(self._end(self._desk.session, self._pixels, self._work), group="end")
        client = self.cvflow.client
        session = Session(client, name, self)
        self._desk = Desk(session, Acts(session), Moving(session))
        self._pixels, self._shown, self._note = Pixels(client, name), None, None
        self._work = self.run_worker(session.run(), group="session")
        session.submit(lambda: session.start(position))

    def forget(self, name: str) -> None:
        """A project was deleted: where it is the open one, let go of it."""
        session = self.session
        if session is None or session.name != name:
            return
        self._desk = None
        session.close()
        if self._pixels is not None:
            self._pixels.close()
        if self._work is not None:
            self._work.cancel()
        self._wanted, self._shown = (None, None), None
        self._blank(NOTHING_OPEN)
        self.query_one(ObjectsPane).clear()
        self.status("")

    async def _end(self, session: Session, pixels: Pixels, work: Worker[None]) -> None:
        """Let a session finish what was typed, then let it go."""
        await session.settled()
        session.close()
        pixels.close()
        work.cancel()

    async def on_unmount(self) -> None:
        """A nudge that waits for its silence is journalled even when the app is ended by a signal."""
        self._gone = True
        if self._desk is not None:
            try:
                await self._desk.moving.commit()
            except CvflowError as error:
                self.log.error(error.message)
            self._desk.session.close()
        if self._pixels is not None:
            self._pixels.close()

    # -- what the session says (Listener)

    def changed(self) -> None:
        """Draw picture, boxes, list and status line as the session has them."""
        session = self.session
        if session is None or self._gone:
            return
        view = session.view
        if view is not None and session.opening is None:
            self._show_picture(view.picture)
            self._tell_note(view)
        self._show_shapes()
        self.query_one(ObjectsPane).show(session)
        self._show_status()
        self._right_status()
        self.refresh_bindings()

    def opening(self, position: int) -> None:
        """Show a neighbour's pixels at once; its suggestions follow."""
        picture = self._pixels.at(position) if self._pixels is not None else None
        if picture is not None:
            self._show_picture(picture)
        self._show_shapes()
        self._forget_message()

    def project_changed(self) -> None:
        """Counts, accuracy or the round moved on."""
        if self.session is not None and not self._gone:
            self.query_one(ObjectsPane).show_facts(self.session)
            self._right_status()
            self._show_status()

    def told(self, message: str) -> None:
        """Say what happened on the status line, for a while, ahead of where things stand."""
        if self._gone:
            return
        self._message = one_line(message)
        self._forget_after(MESSAGE_SECONDS)
        self._show_status()

    def failed(self, error: CvflowError, dropped: int) -> None:
        """Say what did not happen."""
        if self._gone:
            self.log.error(error.message)
            return
        if dropped:
            error = type(error)(f"{error.message} ({plural(dropped, 'later key')} left out)", detail=error.detail)
        self._message = None
        self.report(error)
        self._forget_after(ERROR_SECONDS)
        if self.session is not None and self.session.view is None:
            self._blank(f"{one_line(error.message)}\n\nF4 lists the projects")

    def round_over(self, round_: Round) -> None:
        """Say how a round ended: the next pictures get their suggestions from it, or why they do not."""
        text = one_line(round_ended(round_))
        self.cvflow.tell_once(f"round {round_.job}", text, good=round_.state is RoundState.PROMOTED)
        self.told(text)

    # -- drawing

    def _show_picture(self, picture: Picture) -> None:
        if picture.id == self._shown:
            return
        self._shown = picture.id
        if picture.error is not None:
            self.workers.cancel_group(self, "pixels")
            self._blank(f"{one_line(picture.name)} cannot be shown\n{one_line(picture.error)}\n\nn goes on to the next picture")
            return
        self.pixels_settled.clear()
        self.run_worker(self._load(picture), group="pixels", exclusive=True)

    async def _load(self, picture: Picture) -> None:
        pixels = self._pixels
        if pixels is None:
            return
        try:
            loaded = await pixels.load(picture)
        except CvflowError as error:
            self._blank(f"{one_line(picture.name)} cannot be shown\n{one_line(error.message)}\n\nn goes on to the next picture")
            return
        self.canvas.end_drawing()
        self.canvas.show(loaded)
        self.pixels_settled.set()
        self._show_shapes()
        self._show_status()
        pixels.look_around(picture.position)

    def _blank(self, text: str) -> None:
        width = max(20, (self.canvas.size.width or self.size.width) - 4)
        self.canvas.empty_text = "\n".join(line for part in text.splitlines() for line in (wrap(part, width) or [""]))
        self.canvas.end_drawing()
        self.canvas.show(None)
        self.pixels_settled.set()

    def _show_shapes(self) -> None:
        session = self.session
        stands = session is not None and session.opening is None and session.view is not None and session.view.picture.id == self._shown
        hidden = self.shapes_hidden or session is None or not stands
        self.canvas.set_shapes(() if hidden or session is None else shapes_of(session))

    def _show_status(self) -> None:
        session = self.session
        if session is None or (self._told is not None and self._message is None):
            return
        zoom = self.canvas.zoom if self.canvas.picture is not None else None
        drawing = self.canvas.mode == "draw"
        width = self.size.width - 2
        ahead = f"{self._message}  ·  " if self._message is not None else ""
        self.status(ahead + status_line(session, zoom=zoom, drawing=drawing, size=session.size, width=max(0, width - width_of(ahead))))

    def _right_status(self) -> None:
        session = self.session
        if session is None or session.project is None or self.cvflow.screen is not self:
            return
        text, solver = session.name, session.project.settings.solver
        if solver is not None:
            mark = "○" if session.view is not None and session.view.note else "●"
            package = "" if self.has_class("-narrow") else f" · {solver.rpartition('/')[0]}"
            text += f"{package} {mark}" + (f" {session.project.checkpoint}" if session.project.checkpoint else "")
        self.cvflow.set_right_status(one_line(text))

    def on_screen_resume(self) -> None:
        """Back on this place: its line at the top, and counts that may have changed meanwhile."""
        self._right_status()
        if self.session is not None and self.session.view is not None:
            self.session.refresh_soon()

    def on_image_canvas_viewport_changed(self, event: ImageCanvas.ViewportChanged) -> None:
        """Another zoom stands on the status line."""
        event.stop()
        self._show_status()

    def on_image_canvas_picture_failed(self, event: ImageCanvas.PictureFailed) -> None:
        """A picture that could be shown whole cannot be looked at more closely."""
        event.stop()
        self.told(event.error)

    def on_resize(self) -> None:
        """Another width holds other words."""
        self._show_status()

    def _tell_note(self, view: PictureView) -> None:
        if view.note is not None and view.note != self._note:
            self.notify(one_line(view.note), severity="warning", markup=False)
        if view.note is not None or view.suggestions:
            self._note = view.note

    def _forget_after(self, seconds: float) -> None:
        if self._told is not None:
            self._told.stop()
        self._told = self.set_timer(seconds, self._forget_message)

    def _forget_message(self) -> None:
        if self._told is not None:
            self._told.stop()
            self._told = None
        self._message = None
        self._show_status()
