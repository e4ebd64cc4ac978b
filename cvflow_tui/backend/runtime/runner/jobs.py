"""Training jobs: each in a worker of its own that stands back behind what serves; one at a time."""

from __future__ import annotations

import asyncio
import logging
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvflow_tui.backend.runtime.devices import NoDevice
from cvflow_tui.backend.runtime.link import CallFailed, LoadFailed, WorkerGone, WorkerLink
from cvflow_tui.backend.runtime.runner.logfile import LogFile, Pump
from cvflow_tui.backend.runtime.runner.train_watch import TrainingGivenUp, TrainWatch
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.worker import TRAIN_NICENESS, load_frame, spawn
from cvflow_tui.model.text import one_line

log = logging.getLogger(__name__)

KEPT = 50
"""Finished jobs that are remembered."""


@dataclass(slots=True)
class TrainJob:
    """A training as it stands."""

    dataset: str
    checkpoint: Path
    base: str | None
    parameters: Mapping[str, Any]
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    state: str = "running"
    """`running`, `done`, `failed` or `cancelled`."""
    done: float = 0.0
    total: float | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    task: asyncio.Task[None] | None = None

    @property
    def reply(self) -> dict[str, Any]:
        """What `GET /train/ID` says."""
        fields = ("id", "state", "done", "total", "metrics", "error")
        return {name: getattr(self, name) for name in fields}

    @property
    def draft(self) -> Path:
        """Where the solver writes; becomes `checkpoint` by one rename once it is whole."""
        return self.checkpoint.with_name(f".{self.checkpoint.stem}.{self.id}{self.checkpoint.suffix}")


class TrainJobs:
    """The trainings of one runner."""

    def __init__(self, spec: RunSpec, logfile: LogFile) -> None:
        self._spec = spec
        self._logfile = logfile
        self._jobs: dict[str, TrainJob] = {}
        self._turn = asyncio.Lock()
        self._link: WorkerLink | None = None

    @property
    def pid(self) -> int | None:
        """The process that trains, while one does."""
        return self._link.pid if self._link is not None else None

    def go_over(self, spec: RunSpec) -> None:
        """Train by another specification from here on; what trains ends as it began."""
        self._spec = spec

    def get(self, job_id: str) -> TrainJob | None:
        """A job by its id."""
        return self._jobs.get(job_id)

    def all(self) -> list[TrainJob]:
        """Every job that is known, oldest first."""
        return list(self._jobs.values())

    def start(self, job: TrainJob) -> TrainJob:
        """Begin a training, behind those that run already."""
        for old in [name for name, known in self._jobs.items() if known.state != "running"][:-KEPT]:
            del self._jobs[old]
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._run(job), name=f"train-{job.id}")
        return job

    async def cancel(self, job: TrainJob) -> None:
        """End a training; it leaves no process and no file."""
        if job.task is not None and not job.task.done():
            job.task.cancel()
            await asyncio.gather(job.task, return_exceptions=True)
            if job.state == "running":  # it had not even begun
                job.state = "cancelled"

    async def close(self) -> None:
        """End all trainings."""
        await asyncio.gather(*(self.cancel(job) for job in list(self._jobs.values())))

    async def _run(self, job: TrainJob) -> None:
        try:
            async with self._turn:
                job.metrics = await self._train(job)
                job.draft.replace(job.checkpoint)
            job.state = "done"
        except asyncio.CancelledError:
            job.state = "cancelled"
        except (CallFailed, LoadFailed, NoDevice, TrainingGivenUp) as error:
            job.state, job.error = "failed", one_line(str(error))
        except WorkerGone:
            job.state, job.error = "failed", "the training's process ended unexpectedly (see the log)"
        except OSError as error:
            job.state, job.error = "failed", one_line(f"the training wrote no checkpoint: {error}")
        finally:
            _remove(job.draft)
        log.info("training %s: %s%s", job.id, job.state, f" ({job.error})" if job.error else "")

    async def _train(self, job: TrainJob) -> dict[str, Any]:
        spec = self._spec
        spawned = spawn(spec, TRAIN_NICENESS)
        try:
            link = self._link = await WorkerLink.attach(spawned)
            watch = TrainWatch(link, spec.settings)
            await Pump.attach(spawned.log, self._logfile, watch.heard)
            frame = {"op": "train", "dataset": job.dataset, "checkpoint": str(job.draft), "parameters": dict(job.parameters)}

            def progress(told: Mapping[str, Any]) -> None:
                watch.heard()
                _progress(job, told)

            return await watch.over(load_frame(spec, job.base), link.train(frame, progress))
        finally:
            if self._link is not None:
                await self._link.kill()
                self._link = None


def _progress(job: TrainJob, told: Mapping[str, Any]) -> None:
    job.done, job.total = float(told["done"]), float(told["total"]) if told["total"] is not None else None
    job.metrics = dict(told.get("metrics", {}))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            path.unlink()
