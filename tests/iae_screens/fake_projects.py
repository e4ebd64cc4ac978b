"""The project part of DaemonClient, in memory: the same methods, the same refusals, acts that can be undone, errors on demand."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image

from cvflow_tui.model.errors import CvflowError, NotFoundError, RefusedError, UsageError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.jobs import Job, JobState
from cvflow_tui.model.packages import PackageDetail, PackageSummary, SolverInfo
from cvflow_tui.model.projects import (
    Accept,
    AcceptRest,
    Act,
    ActResult,
    Annotation,
    Decline,
    DetectionMetrics,
    Draw,
    Edit,
    ExportReport,
    Fix,
    Picture,
    PicturePage,
    PictureState,
    PictureView,
    Prequential,
    Project,
    ProjectSettings,
    ProjectStatus,
    Remove,
    Round,
    RoundState,
    SetState,
    Suggestion,
    Verdict,
)
from cvflow_tui.model.solvers import RunningSolver

SOLVER = "cvflow/nanodet/detect"
SIZE = (64, 48)


@dataclass
class Page:
    """A picture and what is on it."""

    picture: Picture
    content: bytes
    annotations: tuple[Annotation, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    note: str | None = None


@dataclass
class Stored:
    """A project with its journal: (page index, page before, page after, words)."""

    project: Project
    pages: list[Page]
    done: list[tuple[int, Page, Page, str]] = field(default_factory=list)
    undone: list[tuple[int, Page, Page, str]] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    running: str | None = None
    prequential: Prequential = field(default_factory=Prequential)


def png(size: tuple[int, int] = SIZE, colour: tuple[int, int, int] = (90, 120, 150)) -> bytes:
    """A plain picture."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


class FakeProjects:
    """`calls` lists every change asked for; `fail[method]` makes the next call raise; `delay` makes every act take seconds."""

    def __init__(self) -> None:
        self.stored: dict[str, Stored] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.fail: dict[str, CvflowError] = {}
        self.delay = 0.0
        self.job_states: dict[str, Job] = {}
        self.job_changed = asyncio.Event()
        self.ids = 1000
        self.closed = False
        self.packages_installed: list[PackageDetail] = [
            PackageDetail(
                PackageSummary("cvflow", "nanodet", "1.0.0", tasks=("object-detection",), solvers=("detect",), installed="1.0.0"),
                solvers=(SolverInfo("detect", "nanodet/solver/NanoDetSolver", "object-detection", ("raccoon", "dog"), trainable=True),),
            )
        ]

    # -- making what is there

    def add(
        self,
        name: str = "raccoons",
        pictures: int = 3,
        labels: Sequence[str] = ("raccoon", "dog"),
        suggestions: Sequence[tuple[str, float, Box]] = (("raccoon", 0.91, Box(4, 4, 30, 40)), ("dog", 0.74, Box(34, 6, 60, 44))),
        content: bytes | None = None,
        size: tuple[int, int] = SIZE,
        **settings: Any,
    ) -> Stored:
        """A project whose every picture gets the same suggestions."""
        pages = []
        for index in range(pictures):
            proposed = tuple(
                Suggestion(100 * (index + 1) + at, label, score, box, SOLVER) for at, (label, score, box) in enumerate(suggestions)
            )
            picture = Picture(
                index + 1, index + 1, f"{name}-{index + 1}.png", f"/pictures/{name}-{index + 1}.png", PictureState.UNSEEN, *size
            )
            pages.append(Page(picture, content or png(size), (), proposed))
        chosen = ProjectSettings(**{"solver": SOLVER, **settings})
        project = Project(name, f"/home/{name}", tuple(labels), chosen, pictures=pictures, until_round=chosen.round_every or None)
        self.stored[name] = Stored(project, pages)
        return self.stored[name]

    def _of(self, name: str) -> Stored:
        if name not in self.stored:
            raise NotFoundError(f"there is no project {name}")
        return self.stored[name]

    def _raise(self, method: str) -> None:
        error = self.fail.pop(method, None)
        if error is not None:
            raise error

    # -- the client's methods

    async def close(self) -> None:
        self.closed = True

    async def packages(self) -> list[PackageSummary]:
        return [each.summary for each in self.packages_installed]

    async def package(self, ref: str) -> PackageDetail:
        return next(each for each in self.packages_installed if each.summary.ref == ref)

    async def hub_packages(self, query: str = "") -> list[PackageSummary]:
        return []

    async def solvers(self) -> list[RunningSolver]:
        return []

    async def projects(self) -> list[Project]:
        self._raise("projects")
        return [self._counted(each) for each in self.stored.values()]

    async def create_project(
        self,
        name: str,
        pictures: Sequence[str],
        labels: Sequence[str],
        *,
        settings: ProjectSettings | None = None,
        credit: str | None = None,
    ) -> Project:
        self.calls.append(("create", name, tuple(pictures), tuple(labels), settings))
        self._raise("create_project")
        if name in self.stored:
            raise RefusedError(f"there is a project {name} already")
        stored = self.add(name, len(pictures), labels)
        stored.project = replace(stored.project, settings=settings or ProjectSettings())
        return self._counted(stored)

    async def project(self, name: str) -> ProjectStatus:
        self._raise("project")
        stored = self._of(name)
        return ProjectStatus(self._counted(stored), stored.prequential, tuple(stored.rounds), stored.running)

    async def change_project(self, name: str, settings: ProjectSettings) -> Project:
        self.calls.append(("change", name, settings))
        self._raise("change_project")
        stored = self._of(name)
        stored.project = replace(stored.project, settings=settings)
        return self._counted(stored)

    async def remove_project(self, name: str) -> None:
        self.calls.append(("remove", name))
        self._raise("remove_project")
        del self.stored[self._of(name).project.name]

    async def pictures(
        self, name: str, *, offset: int = 0, limit: int = 100, query: str = "", state: PictureState | None = None
    ) -> PicturePage:
        self._raise("pictures")
        found = [page.picture for page in self._of(name).pages if query in page.picture.name and state in (None, page.picture.state)]
        return PicturePage(tuple(found[offset : offset + limit]), len(found), offset)

    async def open_picture(self, name: str, position: int | None = None) -> PictureView:
        await asyncio.sleep(self.delay)
        self._raise("open_picture")
        stored = self._of(name)
        if position is None:
            position = next((page.picture.position for page in stored.pages if not page.picture.state.is_finished), 1)
        self.calls.append(("open", position))
        if not 1 <= position <= len(stored.pages):
            raise NotFoundError(f"{name} has no picture {position}")
        return self._view(stored, position - 1)

    async def picture_bytes(self, name: str, picture: int) -> bytes:
        self._raise("picture_bytes")
        return self._of(name).pages[picture - 1].content

    async def act(self, name: str, picture: int, act: Act) -> ActResult:
        await asyncio.sleep(self.delay)
        self._raise("act")
        self.calls.append(("act", picture, act))
        stored, index = self._of(name), picture - 1
        before = stored.pages[index]
        after, words, affected = self._apply(before, act)
        stored.pages[index] = after
        stored.done.append((index, before, after, words))
        stored.undone.clear()
        return ActResult(self._view(stored, index), words, affected)

    async def undo(self, name: str) -> ActResult:
        return self._step(self._of(name), "done", "undone", 1, "undone: ")

    async def redo(self, name: str) -> ActResult:
        return self._step(self._of(name), "undone", "done", 2, "done again: ")

    def _step(self, stored: Stored, source: str, target: str, part: int, words: str) -> ActResult:
        self.calls.append(("undo" if part == 1 else "redo",))
        entries: list[tuple[int, Page, Page, str]] = getattr(stored, source)
        if not entries:
            raise RefusedError(f"nothing to {'undo' if part == 1 else 'redo'}")
        entry = entries.pop()
        getattr(stored, target).append(entry)
        number, before, after, said = entry
        stored.pages[number] = before if part == 1 else after
        return ActResult(self._view(stored, number), words + said)

    async def train(self, name: str) -> Job:
        self.calls.append(("train", name))
        self._raise("train")
        stored = self._of(name)
        job = Job(f"job{len(self.job_states) + 1}", "round", name, JobState.RUNNING, "fine-tuning", 0, 100, "steps", 10.0, 10.0)
        self.job_states[job.id] = job
        stored.running = job.id
        number = len(stored.rounds) + 1
        stored.rounds.append(Round(number, RoundState.RUNNING, 25, 1_750_000_000.0, job=job.id))
        return job

    async def export(self, name: str, format: str = "coco", out: str | None = None) -> ExportReport:
        self.calls.append(("export", name, format, out))
        self._raise("export")
        stored = self._counted(self._of(name))
        return ExportReport(format, stored.finished, stored.annotations, ("2 pictures are not finished",), out)

    # -- jobs

    async def jobs(self) -> list[Job]:
        return list(self.job_states.values())

    async def job(self, job_id: str, **_: Any) -> Job:
        return self.job_states[job_id]

    async def cancel_job(self, job_id: str) -> Job:
        self.calls.append(("cancel", job_id))
        self.move_job(job_id, state=JobState.CANCELLED)
        return self.job_states[job_id]

    async def follow(self, job_id: str) -> AsyncIterator[Job]:
        seen = -1
        while True:
            job = self.job_states[job_id]
            if job.revision != seen:
                seen = job.revision
                yield job
                if job.state.is_over:
                    return
            self.job_changed.clear()
            await self.job_changed.wait()

    def move_job(self, job_id: str, **changes: Any) -> None:
        """Let a job get on; a round that ends is written into its project first."""
        job = self.job_states[job_id]
        self.job_states[job_id] = replace(job, revision=job.revision + 1, **changes)
        if self.job_states[job_id].state.is_over:
            for stored in self.stored.values():
                if stored.running == job_id:
                    stored.running = None
        self.job_changed.set()

    def end_round(self, name: str, state: RoundState, **changes: Any) -> None:
        """Let the running round of a project end in `state`."""
        stored = self._of(name)
        stored.rounds[-1] = replace(stored.rounds[-1], state=state, seconds=6.0, **changes)
        if state is RoundState.PROMOTED:
            stored.project = replace(stored.project, checkpoint=f"r{len(stored.rounds)}", rounds=len(stored.rounds))
        assert stored.running is not None
        over = {RoundState.FAILED: JobState.FAILED, RoundState.CANCELLED: JobState.CANCELLED}.get(state, JobState.DONE)
        self.move_job(stored.running, state=over, done=100)

    # -- inside

    def _counted(self, stored: Stored) -> Project:
        states = [page.picture.state for page in stored.pages]
        finished = sum(state.is_finished for state in states)
        every = stored.project.settings.round_every
        return replace(
            stored.project,
            finished=finished,
            counts={str(state): states.count(state) for state in set(states)},
            annotations=sum(len(page.annotations) for page in stored.pages),
            until_round=every - finished % every if every else None,
        )

    def _view(self, stored: Stored, index: int) -> PictureView:
        page = stored.pages[index]
        picture = replace(page.picture, annotations=len(page.annotations))
        return PictureView(
            picture, page.annotations, page.suggestions, len(stored.pages), bool(stored.done), bool(stored.undone), page.note
        )

    def _apply(self, page: Page, act: Act) -> tuple[Page, str, int | None]:
        if isinstance(act, SetState):
            return replace(page, picture=replace(page.picture, state=act.state)), f"{page.picture.name} is {act.state}", None
        started = page.picture.state if page.picture.state.is_finished else PictureState.IN_PROGRESS
        page = replace(page, picture=replace(page.picture, state=started))
        if isinstance(act, Accept):
            return self._taken(page, act.suggestion, "accepted")
        if isinstance(act, AcceptRest):
            count = 0
            for each in page.suggestions:
                if each.verdict is None and each.score >= act.threshold:
                    page, _, _ = self._taken(page, each.id, "accepted")
                    count += 1
            return page, f"accepted {count}", None
        if isinstance(act, Decline):
            return self._judged(page, act.suggestion, Verdict.DECLINED), "declined", act.suggestion
        if isinstance(act, Fix):
            return self._taken(page, act.suggestion, "fixed", act.label, act.box)
        if isinstance(act, Draw):
            self.ids += 1
            return replace(page, annotations=(*page.annotations, Annotation(self.ids, act.label, act.box))), f"drew {act.label}", self.ids
        known = next((each for each in page.annotations if each.id == act.annotation), None)
        if known is None:
            raise NotFoundError(f"there is no annotation {act.annotation}")
        if isinstance(act, Edit):
            changed = replace(known, label=act.label, box=act.box)
            rest = tuple(changed if each is known else each for each in page.annotations)
            return replace(page, annotations=rest), f"changed {act.label}", known.id
        assert isinstance(act, Remove)
        page = replace(page, annotations=tuple(each for each in page.annotations if each is not known))
        if known.suggestion is not None:
            page = self._judged(page, known.suggestion, None)
        return page, f"deleted {known.label}", known.id

    def _judged(self, page: Page, suggestion: int, verdict: Verdict | None) -> Page:
        return replace(
            page, suggestions=tuple(replace(each, verdict=verdict) if each.id == suggestion else each for each in page.suggestions)
        )

    def _taken(self, page: Page, suggestion: int, origin: Any, label: str | None = None, box: Box | None = None) -> tuple[Page, str, int]:
        known = next((each for each in page.suggestions if each.id == suggestion), None)
        if known is None:
            raise UsageError(f"there is no suggestion {suggestion}")
        if any(each.suggestion == suggestion for each in page.annotations):
            raise RefusedError("that suggestion is accepted already")
        self.ids += 1
        annotation = Annotation(self.ids, label or known.label, box or known.box, origin, suggestion, known.score)
        page = self._judged(page, suggestion, Verdict.FIXED if origin == "fixed" else Verdict.ACCEPTED)
        return replace(page, annotations=(*page.annotations, annotation)), f"{origin} {annotation.label}", self.ids


METRICS = DetectionMetrics(20, 0.91, 0.84, 0.78, 0.52)
