"""What the daemon's routes ask of learning: when a round begins, how it goes, how accurate suggestions are."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
import time
from dataclasses import dataclass
from functools import partial

from cvflow_tui.backend.annotation import pictures
from cvflow_tui.backend.annotation.folder import ProjectFolder
from cvflow_tui.backend.annotation.projects import ProjectService
from cvflow_tui.backend.annotation.provider import Provider, Variant
from cvflow_tui.backend.annotation.suggesting import Serving
from cvflow_tui.backend.jobs import JobBoard
from cvflow_tui.backend.learning import records
from cvflow_tui.backend.learning.prequential import prequential
from cvflow_tui.backend.learning.round import RoundWork, delete
from cvflow_tui.model.errors import CvflowError, RefusedError
from cvflow_tui.model.jobs import Job
from cvflow_tui.model.projects import ActResult, Prequential, ProjectStatus, RoundState

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds a removal waits for the project's round to end."""


@dataclass(frozen=True, slots=True)
class _Accuracy:
    """Figures that were worked out, and for what."""

    key: tuple[float, float]
    revision: int
    figures: Prequential


class LearningService:
    """Rounds and accuracy of the projects of a home. Blocking and thread-safe."""

    def __init__(self, projects: ProjectService, provider: Provider, jobs: JobBoard) -> None:
        self._projects = projects
        self._provider = provider
        self._jobs = jobs
        self._lock = threading.Lock()
        self._figuring = threading.Lock()
        self._running: dict[str, str] = {}
        self._untrainable: set[str] = set()
        self._accuracy: dict[str, _Accuracy] = {}
        projects.before_removal(self._let_go)

    def after_act(self, name: str, result: ActResult) -> str | None:
        """Begin a round if this act finished the last picture it takes; returns the round's job, or None.

        A project whose solver turned out not to learn is left alone.
        """
        if not result.view.picture.state.is_finished:
            return None
        folder = self._projects.folder(name)
        project, serving = folder.summary(), folder.serving()
        if project.until_round != 0 or not project.annotations or serving is None or serving.solver in self._untrainable:
            return None
        try:
            job = self._start(folder, serving)
        except sqlite3.Error:  # the act stands; the next picture that is finished begins the round
            log.exception("a round of %s could not begin", name)
            return None
        return job.id if job else None

    def train(self, name: str) -> Job:
        """Begin a round now. Its job's result is the Round.

        Raises RefusedError where the project has no solver, the solver does not learn, nothing was annotated yet, or a round runs.
        """
        folder = self._projects.folder(name)
        serving = folder.serving()
        if serving is None:
            raise RefusedError(f"{name} has no solver: choose one in its settings first")
        if running := self._job_of(name):
            raise RefusedError(f"a round of {name} is running already (job {running})")
        if not pictures.teaches(folder.database):
            raise RefusedError(f"{name} has nothing to learn from yet: annotate a picture and finish it")
        if not self._learns(serving.solver):
            raise RefusedError(f"{serving.solver} does not learn: its solver has no train")
        job = self._start(folder, serving)
        if job is None:
            raise RefusedError(f"a round of {name} is running already")
        return job

    def status(self, name: str) -> ProjectStatus:
        """A project with its accuracy and its last 100 rounds."""
        folder = self._projects.folder(name)
        return ProjectStatus(folder.summary(), self._prequential(folder), records.recent(folder), self._job_of(name))

    def recover(self) -> None:
        """At the daemon's start: rounds that a killed process left running have failed, and what they had written goes."""
        for project in self._projects.projects():
            if project.error is not None:
                continue
            try:
                self._recover(self._projects.folder(project.name))
            except (OSError, sqlite3.Error):  # one damaged project must not keep the others' daemon from starting
                log.exception("what a killed process left of a round of %s could not be put in order", project.name)

    def _recover(self, folder: ProjectFolder) -> None:
        for number, solver in records.running(folder):
            self._abandon(solver, Variant(folder.name, folder.checkpoints / f"r{number}").candidate())
            records.end(folder, number, RoundState.FAILED, records.KILLED)
        served = {item["checkpoint"] for item in folder.database.rows("SELECT checkpoint FROM rounds WHERE state = 'promoted'")}
        for path in folder.checkpoints.iterdir() if folder.checkpoints.is_dir() else ():
            if path.name not in served:
                delete(path)
        shutil.rmtree(folder.cache / "rounds", ignore_errors=True)

    def _abandon(self, solver: str, candidate: Variant) -> None:
        try:
            self._provider.abandon(solver, candidate)
        except CvflowError as error:  # the daemon starts all the same; the runner's own end takes what is left with it
            log.warning("what %s still does for %s could not be ended: %s", solver, candidate.project, error.message)

    def _start(self, folder: ProjectFolder, serving: Serving) -> Job | None:
        with self._lock:
            if self._running_job(folder.name):
                return None
            number = records.begin(folder, serving.solver)
            work = RoundWork(folder, self._provider, serving, number)
            job = self._jobs.start("round", folder.name, partial(work, learns=self._learns))
            self._running[folder.name] = job.id
            records.set_job(folder, number, job.id)
            return job

    def _learns(self, solver: str) -> bool:
        learns = self._provider.trainable(solver)
        (self._untrainable.discard if learns else self._untrainable.add)(solver)
        return learns

    def _job_of(self, name: str) -> str | None:
        with self._lock:
            return self._running_job(name)

    def _running_job(self, name: str) -> str | None:
        job = self._jobs.get(self._running.get(name, ""))
        return job.id if job is not None and not job.state.is_over else None

    def _prequential(self, folder: ProjectFolder) -> Prequential:
        """The figures, anew once something changed; with many pictures only once a fiftieth of them did (it costs a second by 500)."""
        with self._figuring:  # one at a time: whoever asks while it is worked out takes what comes of it
            facts = folder.facts()
            known = self._accuracy.get(folder.name)
            if known is not None and known.key == (facts["created_at"], facts["threshold"]):
                changes = facts["revision"] - known.revision
                if changes == 0 or changes < known.figures.overall.pictures // 50:
                    return known.figures
            figures = prequential(folder, facts["threshold"])
            self._accuracy[folder.name] = _Accuracy((facts["created_at"], facts["threshold"]), facts["revision"], figures)
            return figures

    def _let_go(self, name: str) -> None:
        """End a project's round before the project goes. Raises RefusedError for one that does not end."""
        job = self._job_of(name)
        if job is None:
            return
        self._jobs.cancel(job)
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            told = self._jobs.get(job)
            if told is None or told.state.is_over:
                return
            self._jobs.wait(job, told.revision, min(left, 1.0))
        raise RefusedError(f"the round of {name} does not end: try again when it has")
