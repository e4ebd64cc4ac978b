"""The training place: the rounds of a project, what they brought, and when the next one comes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from cvflow_tui.keymap import DIGITS
from cvflow_tui.model.jobs import Job
from cvflow_tui.model.projects import ProjectSettings, ProjectStatus, Round, RoundState
from cvflow_tui.model.text import one_line, plural
from cvflow_tui.screens.annotate.rounds import RoundWatch
from cvflow_tui.screens.annotate.words import accuracy, ap50, change, fraction, measures, round_ended, round_progress, spell_time
from cvflow_tui.screens.dialogs import Answer, AskLine, Choice
from cvflow_tui.screens.looking_place import BEFORE_ITS_ANSWER, LookingPlace
from cvflow_tui.screens.projects_new import FormError, read_threshold
from cvflow_tui.screens.training_curve import curve
from cvflow_tui.widgets.virtual_table import Cell, Column, VirtualTable

HEAD = 11
LOOKS = {RoundState.PROMOTED: "good", RoundState.FAILED: "bad", RoundState.RUNNING: "accent"}


class TrainingScreen(LookingPlace):
    """Shows rounds and accuracy of the current project; starts and cancels rounds, and says how often they come."""

    PLACE = "training"
    TITLE_TEXT = "Training"
    ABOUT = (
        "After every few finished pictures a round fine-tunes the solver in the background. Its checkpoint replaces the one that "
        "serves only if it is no worse on annotations held back from it: AP50 before and after stand in the table."
    )
    CSS_PATH = "training.tcss"
    LOOK_EVERY = 4.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("T", "train", "train now", tooltip="Begin a fine-tuning round now", id="training.train"),
        Binding("c", "cancel", "cancel", tooltip="Cancel the round that runs; it leaves nothing behind", id="training.cancel"),
        Binding("N", "every", "round every", tooltip="How many finished pictures lie between two rounds", id="training.every"),
        Binding("t", "threshold", "threshold", tooltip="The score from which suggestions are shown", id="training.threshold"),
        Binding("a", "annotate", "annotate", tooltip="Go on annotating this project", id="training.annotate"),
        *DIGITS,
    ]

    def __init__(self) -> None:
        super().__init__()
        self._status: ProjectStatus | None = None
        self._watch: RoundWatch | None = None

    def compose_place(self) -> ComposeResult:
        """Accuracy above, rounds below."""
        columns: tuple[Column[Round], ...] = (
            Column("round", lambda each: str(each.number), 5, "right", sort=lambda each: each.number),
            Column("state", lambda each: Cell(str(each.state), LOOKS.get(each.state, "")), 9),
            Column("pictures", lambda each: str(each.pictures), 8, "right"),
            Column("AP50", _before_after, 15),
            Column("P", lambda each: fraction(each.held_back.precision) if each.held_back else "", 4, hide_below=76),
            Column("R", lambda each: fraction(each.held_back.recall) if each.held_back else "", 4, hide_below=76),
            Column("time", lambda each: spell_time(each.seconds) if each.seconds is not None else "", 10, "right"),
            Column("", lambda each: Cell(each.reason, "muted"), 0),
        )
        with Vertical():
            yield Static("", id="summary", markup=False)
            yield Static("", id="progress", markup=False)
            yield VirtualTable[Round](columns, key=lambda each: each.number, empty=BEFORE_ITS_ANSWER, id="rounds")

    @property
    def table(self) -> VirtualTable[Round]:
        """The rounds, newest first."""
        return self.query_one("#rounds", VirtualTable)

    # -- what is there

    def arrive(self, *, project: str | None = None, **_: Any) -> None:
        """Show a project (the current one without a name)."""
        if project is not None:
            self.cvflow.current_project = project
        self.look_soon()

    def on_client_ready(self) -> None:
        """Follow the rounds."""
        self._watch = RoundWatch(self.cvflow.client, self._round_moved, self._round_ended, self.report)

    def on_unmount(self) -> None:
        """Follow no more."""
        if self._watch is not None:
            self._watch.close()

    async def look(self) -> None:
        """Fetch the project."""
        name = self.cvflow.current_project
        if name is None:
            self._status = None
            self.table.empty = "No project is open.\nF4 lists the projects; Enter opens one."
            self.table.show(())
            return
        status = await self.cvflow.client.project(name)
        if status.running_round is not None and self._watch is not None:
            self._watch.follow(status.running_round)
        self.table.empty = _nothing_yet(status)
        if status != self._status:
            self._status = status
            self.table.show(sorted(status.rounds, key=lambda each: -each.number))
            self._show_summary()
        self.refresh_bindings()

    def on_resize(self) -> None:
        """Another width holds another curve."""
        self._show_summary()

    def _show_summary(self) -> None:
        status = self._status
        if status is None:
            return
        high = 5 if self.size.height >= 30 else 3
        width = max(10, self.size.width - HEAD - 4)
        metrics = accuracy(status.prequential)
        pictures = status.prequential.recent.pictures
        lines = [
            _fact(
                "accuracy",
                metrics + (f"   over the last {plural(pictures, 'finished picture')}" if pictures else "")
                if metrics
                else "known after the first finished pictures",
            )
        ]
        lines += [_fact("F1" if at == 0 else "", line) for at, line in enumerate(curve(status.prequential.history, width, high))]
        lines.append(
            _fact("serving", f"checkpoint {status.project.checkpoint}" if status.project.checkpoint else "the package's own weights")
        )
        lines.append(_fact("next round", _next(status)))
        self.query_one("#summary", Static).update(Content("\n").join(lines))
        self._tell()

    def _tell(self) -> None:
        """The status line: why the round under the cursor ended as it did, or else what the project is."""
        status, row = self._status, self.table.current
        if status is None:
            return
        if row is not None and row.state not in (RoundState.RUNNING, RoundState.PROMOTED):
            self.status(one_line(round_ended(row)))
            return
        project = status.project
        solver, threshold = project.settings.solver or "no solver", fraction(project.settings.threshold)
        self.status(one_line(f"{project.name}  ·  {solver}  ·  threshold {threshold}"))

    # -- the round that runs

    def _round_moved(self, job: Job) -> None:
        status = self._status
        number = next((each.number for each in status.rounds if each.job == job.id), None) if status else None
        line = self.query_one("#progress", Static)
        share = min(1.0, job.done / job.total) if job.total else 0.0
        line.update(one_line(f"{_bar(share)} {round_progress(job, number)}   c cancels"))
        line.add_class("-running")
        self.refresh_bindings()

    async def _round_ended(self, job: Job) -> None:
        self.query_one("#progress", Static).remove_class("-running")
        await self.look()
        ended = RoundWatch.outcome(job, self._status.rounds if self._status else ())
        if ended is not None:
            self.cvflow.tell_once(f"round {ended.job}", one_line(round_ended(ended)), good=ended.state is RoundState.PROMOTED)
        self.refresh_bindings()

    def on_virtual_table_moved(self) -> None:
        """The status line is about the round under the cursor."""
        self._tell()

    def on_virtual_table_chosen(self, event: VirtualTable.Chosen) -> None:
        """Show all that is known of a round: its reason is longer than a line, often."""
        event.stop()
        self.app.push_screen(Choice(f"Round {event.item.number}", _told(event.item), (Answer("c", "close", None),)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Settings need a project; cancelling needs a round."""
        if action == "cancel":
            return self._watch is not None and self._watch.job is not None
        if action in ("train", "every", "threshold", "annotate"):
            return self._status is not None
        return True

    def action_train(self) -> None:
        """Begin a round now."""
        self.attempt(self._train())

    async def _train(self) -> None:
        if self._status is not None and self._watch is not None:
            job = await self.cvflow.client.train(self._status.project.name)
            self._watch.follow(job.id)
            await self.look()

    def action_cancel(self) -> None:
        """Cancel the round that runs."""
        if self._watch is not None and self._watch.job is not None:
            self.attempt(self._cancel(self._watch.job.id))

    async def _cancel(self, job: str) -> None:
        await self.cvflow.client.cancel_job(job)
        self.status("the round is being cancelled: the weights that served go on serving")

    # -- settings

    def action_every(self) -> None:
        """Ask how often rounds come."""
        if self._status is not None:
            self.attempt(self._ask_every(self._status.project.settings))

    async def _ask_every(self, settings: ProjectSettings) -> None:
        text = "A round begins by itself after so many finished pictures. 0: only when you ask (T)."
        typed = await self.cvflow.run_dialog(AskLine("Pictures between two rounds", text, str(settings.round_every), check=_wrong_count))
        if typed is not None:
            await self._change(replace(settings, round_every=int(typed)))

    def action_threshold(self) -> None:
        """Ask from which score suggestions show."""
        if self._status is not None:
            self.attempt(self._ask_threshold(self._status.project.settings))

    async def _ask_threshold(self, settings: ProjectSettings) -> None:
        text = "Suggestions with lower scores are not shown. 0 to 1."
        typed = await self.cvflow.run_dialog(AskLine("Threshold", text, fraction(settings.threshold), check=_wrong_threshold))
        if typed is not None:
            await self._change(replace(settings, threshold=read_threshold(typed)))

    async def _change(self, settings: ProjectSettings) -> None:
        if self._status is not None:
            await self.cvflow.client.change_project(self._status.project.name, settings)
            await self.look()

    def action_annotate(self) -> None:
        """Go on annotating."""
        if self._status is not None:
            self.cvflow.open_project(self._status.project.name)


def _told(each: Round) -> str:
    """A round in full."""
    took = f", {spell_time(each.seconds)}" if each.seconds is not None else ""
    lines = [f"{each.state}, taught by {plural(each.pictures, 'picture')}{took}"]
    measured = [(word, metrics) for word, metrics in (("before", each.before), ("after", each.held_back)) if metrics is not None]
    if measured:
        lines += ["", f"on {plural(measured[-1][1].pictures, 'picture')} held back from it"]
        lines += [f"{word:<8}{measures(metrics)}" for word, metrics in measured]
    if each.reason:
        lines += ["", each.reason]
    return "\n".join(lines)


def _before_after(each: Round) -> Cell:
    before, after = ap50(each.before), ap50(each.held_back)
    if after is None:
        return Cell("")
    if before is None:
        return Cell(fraction(after))
    look = "good" if after > before else "bad" if after < before else ""
    return Cell(f"{fraction(before)} → {fraction(after)} {change(after, before)}", look)


def _nothing_yet(status: ProjectStatus) -> str:
    if status.project.settings.solver is None:
        return "This project has no solver, so nothing learns."
    return "No round yet. T begins one as soon as some pictures are finished."


def _next(status: ProjectStatus) -> str:
    project = status.project
    if status.running_round is not None:
        return "running now"
    if project.until_round is None:
        return "only when you ask (T)"
    return f"after {plural(project.until_round, 'more finished picture')} (every {project.settings.round_every})"


def _fact(name: str, value: str) -> Content:
    return Content.assemble((name.ljust(HEAD), "$muted"), one_line(value) if value.strip() == value else value)


def _bar(share: float, width: int = 20) -> str:
    full = round(share * width)
    return "━" * full + "┅" * (width - full)


def _wrong_count(line: str) -> str | None:
    return None if line.isdecimal() and len(line) < 7 else "a whole number of pictures, such as 10; 0 for never by itself"


def _wrong_threshold(line: str) -> str | None:
    try:
        read_threshold(line)
    except FormError as error:
        return error.message
    return None
