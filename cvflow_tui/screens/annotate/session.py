"""One project being annotated: which picture is open, what is selected, and what the daemon has said of it. Knows no terminal."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from cvflow_tui.model.errors import CvflowError, RefusedError
from cvflow_tui.model.geometry import Box, Size
from cvflow_tui.model.jobs import Job
from cvflow_tui.model.projects import Act, ActResult, PictureState, PictureView, Project, ProjectStatus, Round, RoundState, SetState
from cvflow_tui.screens.annotate.boxes import Resizing
from cvflow_tui.screens.annotate.queue import Intent, IntentQueue
from cvflow_tui.screens.annotate.rounds import RoundWatch
from cvflow_tui.screens.annotate.rows import Key, Row, rows_of

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

OPEN_STATES = (PictureState.UNSEEN, PictureState.IN_PROGRESS)
"""States that moving on may turn into `annotated`; what a person said explicitly (skipped, confirmed empty) is left alone."""


class Listener(Protocol):
    """Who shows a session. Called on the session's event loop, never from a thread."""

    def changed(self) -> None:
        """The picture, its objects, the selection or the mode are not what they were."""

    def opening(self, position: int) -> None:
        """Another picture was asked for and is on its way."""

    def project_changed(self) -> None:
        """Counts, accuracy or the running round are not what they were."""

    def told(self, message: str) -> None:
        """Something happened that one line tells."""

    def failed(self, error: CvflowError, dropped: int) -> None:
        """Something did not happen; `dropped` keys typed after it were left out."""

    def round_over(self, round_: Round) -> None:
        """A round ended, whichever way."""


class Session:
    """The state of the annotate screen. Everything that changes it is an intent, run in order by `run`.

    What it holds of the picture is always what the daemon acknowledged; `moved` and `resizing` are drafts on top of that.
    """

    def __init__(self, client: DaemonClient, project: str, listener: Listener) -> None:
        self.client = client
        self.name = project
        self.listener = listener
        self.view: PictureView | None = None
        self.status: ProjectStatus | None = None
        self.selected: Key | None = None
        self.label: str | None = None
        """The class that a drawn box gets."""
        self.threshold = 0.4
        self.moved: tuple[Key, Box] | None = None
        """A nudged box that is not yet an act."""
        self.resizing: tuple[Key, Resizing] | None = None
        self.opening: int | None = None
        """The position of the picture on its way, or None."""
        self.before: Intent = _nothing
        """Runs ahead of every intent: the acts hang the committing of nudges here."""
        self.rounds = RoundWatch(client, self._round_moved, self._round_ended, lambda error: listener.failed(error, 0))
        self._queue = IntentQueue(self._run_before, listener.failed)
        self._refresh: asyncio.Task[None] | None = None
        self._stale = False

    # -- what is there

    @property
    def project(self) -> Project | None:
        """The project as last heard of."""
        return self.status.project if self.status else None

    @property
    def labels(self) -> tuple[str, ...]:
        """The project's classes, in the order of their digits."""
        return self.project.labels if self.project else ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The objects of the open picture, as listed."""
        return rows_of(self.view, self.threshold) if self.view else ()

    @property
    def row(self) -> Row | None:
        """The selected object."""
        return next((row for row in self.rows if row.key == self.selected), None)

    @property
    def size(self) -> Size | None:
        """The open picture's size in pixels, where it is known."""
        picture = self.view.picture if self.view else None
        return Size(picture.width, picture.height) if picture and picture.width and picture.height else None

    @property
    def undecided(self) -> int:
        """Suggestions above the threshold that wait for a verdict."""
        return sum(row.is_undecided for row in self.rows)

    def opened(self) -> PictureView:
        """The open picture. Raises RefusedError where there is none."""
        if self.view is None:
            raise RefusedError("no picture is open")
        return self.view

    # -- the line of intents

    def submit(self, intent: Intent, *, bare: bool = False) -> None:
        """Have an intent run when those before it have; a `bare` one leaves uncommitted nudges as they are."""
        self._queue.submit(intent, bare=bare)

    @property
    def idle(self) -> bool:
        """Whether everything typed so far was done."""
        return self._queue.idle

    async def settled(self) -> None:
        """Wait until everything typed so far was done, nudges included."""
        await self._queue.settled()
        self.submit(_nothing)
        await self._queue.settled()

    async def run(self) -> None:
        """The session's work, for as long as the screen stands."""
        await self._queue.run()

    def close(self) -> None:
        """Stop watching rounds and counts; acts are the queue's matter (`settled`)."""
        self.rounds.close()
        if self._refresh is not None:
            self._refresh.cancel()

    # -- opening and moving

    async def start(self, position: int | None = None) -> None:
        """Open the project at a picture (None: the first that is not finished)."""
        await self._load_status()
        if self.project is not None:
            self.threshold = self.project.settings.threshold
            self.label = self.label or (self.labels[0] if self.labels else None)
        await self.open(position)

    async def open(self, position: int | None) -> None:
        """Open a picture; where that fails, the one before stays open."""
        self.opening = position or 0
        self.listener.opening(self.opening)
        try:
            view = await self.client.open_picture(self.name, position)
        except CvflowError:
            self.opening = None
            self.listener.changed()
            raise
        self.opening = None
        self.show(view)

    async def go_next(self) -> None:
        """Finish the picture if it holds annotations, and go to the next; says so where one stays open that was worked on."""
        await self._finish()
        view = self.opened()
        if view.picture.position < view.total:
            left = self._left_open()
            await self.open(view.picture.position + 1)
            if left:
                self.listener.told(left)
        else:
            self.listener.told(self._last_words())

    async def go_back(self) -> None:
        """Go to the picture before; says so where this is the first."""
        view = self.opened()
        if view.picture.position > 1:
            await self.open(view.picture.position - 1)
        else:
            self.listener.told("this is the first picture")

    async def skip(self) -> None:
        """Set the picture aside and go to the next."""
        if self.opened().picture.state is not PictureState.SKIPPED:
            await self.act(SetState(PictureState.SKIPPED), quiet=True)
            self.refresh_soon()
        view = self.opened()
        if view.picture.position < view.total:
            await self.open(view.picture.position + 1)
        else:
            self.listener.told(self._last_words())

    async def _finish(self) -> None:
        view = self.opened()
        if view.annotations and view.picture.state in OPEN_STATES:
            await self.act(SetState(PictureState.ANNOTATED), quiet=True)
            self.refresh_soon()

    def _left_open(self) -> str:
        """What to say of a picture whose suggestions were all declined, and that nobody called empty; empty for any other."""
        view = self.opened()
        declined = bool(self.rows) and not self.undecided and not view.annotations
        return f"{view.picture.position} is left open: 0 confirms it is empty" if declined and view.picture.state in OPEN_STATES else ""

    def _last_words(self) -> str:
        project = self.project
        left = project.pictures - project.finished - project.counts.get(PictureState.SKIPPED, 0) if project else 0
        finished_now = self.view is not None and self.view.picture.state.is_finished
        return (
            "the last picture; all are seen to: E exports, T trains" if left <= int(finished_now) else "the last picture; G lists them all"
        )

    async def train(self) -> None:
        """Begin a fine-tuning round now."""
        job = await self.client.train(self.name)
        self.rounds.follow(job.id)
        self.listener.told("a round has begun")
        self.refresh_soon()

    # -- acts

    async def act(self, act: Act, *, quiet: bool = False) -> ActResult:
        """Have one act journalled, then show what it did. Raises the daemon's error with the screen as it was."""
        result = await self.client.act(self.name, self.opened().picture.id, act)
        self.take(result, quiet=quiet)
        return result

    def take(self, result: ActResult, *, quiet: bool = False) -> None:
        """Show what an act, an undo or a redo did."""
        self.show(result.view)
        if not quiet:
            self.listener.told(result.message)
        if result.round_started is not None:
            self.rounds.follow(result.round_started)

    def show(self, view: PictureView) -> None:
        """Make `view` the open picture; the selection stays where its object is still there."""
        other = self.view is None or self.view.picture.id != view.picture.id
        self.view = view
        self.resizing = None
        if other or self.row is None:
            self.selected = None
            self.select_undecided()
        self.listener.changed()

    def take_threshold(self, threshold: float) -> None:
        """Show suggestions from this score on."""
        self.threshold = threshold
        if self.status is not None:
            settings = replace(self.status.project.settings, threshold=threshold)
            self.status = replace(self.status, project=replace(self.status.project, settings=settings))
        if self.row is None:
            self.selected = None
            self.select_undecided()
        self.listener.changed()
        self.listener.project_changed()

    def select_undecided(self) -> None:
        """Select the next undecided suggestion after the selected row, going round; or else keep the selection, or take the first row."""
        rows = self.rows
        at = next((index for index, row in enumerate(rows) if row.key == self.selected), -1)
        following = next((row for row in rows[at + 1 :] + rows[: at + 1] if row.is_undecided), None)
        if following is not None:
            self.selected = following.key
        elif at < 0:
            self.selected = rows[0].key if rows else None

    # -- the project's state

    def refresh_soon(self) -> None:
        """Fetch counts and accuracy beside the acts, once however often it is asked while a fetch runs."""
        self._stale = True
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(self._refresh_all())

    async def _refresh_all(self) -> None:
        while self._stale:
            self._stale = False
            try:
                await self._load_status()
            except CvflowError as error:
                self.listener.failed(error, 0)

    async def _load_status(self) -> None:
        self.status = await self.client.project(self.name)
        if self.status.running_round is not None:
            self.rounds.follow(self.status.running_round)
        self.listener.project_changed()

    def _round_moved(self, _: Job) -> None:
        self.listener.project_changed()

    async def _round_ended(self, job: Job) -> None:
        await self._load_status()
        ended = self.rounds.outcome(job, self.status.rounds if self.status else ())
        if ended is not None:
            self.listener.round_over(ended)
            if ended.state is RoundState.PROMOTED:
                self.submit(self._ask_again)

    async def _ask_again(self) -> None:
        """Have the new checkpoint speak on the open picture too, where nobody has done anything to it yet."""
        view = self.view
        if view is None or view.annotations or view.picture.state.is_finished or self.moved is not None or self.resizing is not None:
            return
        if not any(suggestion.verdict for suggestion in view.suggestions):
            self.show(await self.client.open_picture(self.name, view.picture.position))

    async def _run_before(self) -> None:
        await self.before()


async def _nothing() -> None:
    """An intent that does nothing: what is put in line to see the line end."""
