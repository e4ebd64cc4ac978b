"""The job board: long work on threads of its own, with progress that clients can wait for and a way to call it off."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.jobs import Job, JobState
from cvflow_tui.model.space import full_disk
from cvflow_tui.model.text import one_line

log = logging.getLogger(__name__)

KEPT = 200
"""Finished jobs that are remembered."""
RATE_SECONDS = 5.0
"""How far back a step's rate looks."""


class Cancelled(Exception):
    """Raised inside a job's work when it was called off."""


class Progress:
    """What a job's work is handed: it reports through it, and learns from it that it was cancelled. Thread-safe."""

    def __init__(self, board: JobBoard | None = None, job_id: str = "") -> None:
        self._board = board
        self._job_id = job_id
        self._cancelled = threading.Event()
        self._marks: deque[tuple[float, float]] = deque()

    @property
    def cancelled(self) -> threading.Event:
        """Set once the job is called off; a worker that waits, waits on this."""
        return self._cancelled

    def check(self) -> None:
        """Raise Cancelled if the job was called off."""
        if self._cancelled.is_set():
            raise Cancelled

    def step(self, name: str, *, total: float | None = None, unit: str = "", done: float = 0.0) -> None:
        """Begin a step; `done` is what an earlier attempt left finished and does not count towards the rate."""
        self.check()
        self._marks = deque([(time.monotonic(), done)])
        self._tell(step=name, done=done, total=total, unit=unit, rate=None, eta=None)

    def advance(self, done: float, total: float | None = None) -> None:
        """Say how far the step is, in its unit."""
        self.check()
        rate = self._rate(done)
        changes: dict[str, Any] = {"done": done, "rate": rate}
        if total is not None:
            changes["total"] = total
        self._tell(**changes)

    def _rate(self, done: float) -> float | None:
        """Units a second over the last seconds: what began slowly (caching, connecting) does not burden the time left for ever."""
        now = time.monotonic()
        self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[1][0] > RATE_SECONDS:
            self._marks.popleft()
        began, start = self._marks[0]
        return (done - start) / (now - began) if now - began > 0.2 and done > start else None

    def _tell(self, **changes: Any) -> None:
        if self._board is not None:
            self._board._change(self._job_id, **changes)


Work = Callable[[Progress], Any]
"""A job's body: blocking, on a thread of its own; what it returns is the job's result (a model object)."""


class JobBoard:
    """Starts jobs and keeps what is known of them. All methods are thread-safe."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._progress: dict[str, Progress] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._changed = threading.Condition()
        self._closed = False

    def start(self, kind: str, subject: str, work: Work) -> Job:
        """Run `work` on a new thread."""
        job = Job(id=uuid.uuid4().hex[:12], kind=kind, subject=subject, state=JobState.RUNNING)
        progress = Progress(self, job.id)
        with self._changed:
            self._jobs[job.id] = job
            self._progress[job.id] = progress
            self._forget_old()
            thread = threading.Thread(target=self._run, args=(job.id, work, progress), name=f"job-{kind}-{job.id}", daemon=True)
            self._threads[job.id] = thread
        thread.start()
        return job

    def jobs(self) -> list[Job]:
        """All jobs, newest first."""
        with self._changed:
            return list(reversed(self._jobs.values()))

    def get(self, job_id: str) -> Job | None:
        """A job as it stands."""
        with self._changed:
            return self._jobs.get(job_id)

    def wait(self, job_id: str, newer_than: int, seconds: float) -> Job | None:
        """The job once its revision exceeds `newer_than`, or as it stands after `seconds`. Blocks."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_news(job_id, newer_than), seconds)
            return self._jobs.get(job_id)

    def cancel(self, job_id: str) -> Job | None:
        """Ask a job to end."""
        with self._changed:
            if progress := self._progress.get(job_id):
                progress.cancelled.set()
            return self._jobs.get(job_id)

    def let_go(self) -> None:
        """Answer at once whoever waits for a job to change: the daemon is about to end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close(self, seconds: float = 10.0) -> None:
        """Cancel everything, let go of whoever waits, and wait for the threads."""
        deadline = time.monotonic() + seconds
        with self._changed:
            threads = list(self._threads.values())
            for progress in self._progress.values():
                progress.cancelled.set()
        self.let_go()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self, job_id: str, work: Work, progress: Progress) -> None:
        try:
            result = work(progress)
        except Cancelled:
            self._change(job_id, state=JobState.CANCELLED, eta=None)
        except CvflowError as error:
            told = {"error": error.message, "code": error.code, "detail": error.detail, "mends": error.mends}
            self._change(job_id, state=JobState.FAILED, eta=None, **told)
        except Exception as error:
            log.exception("job %s failed", job_id)
            known = full_disk(error) or CvflowError(one_line(f"{type(error).__name__}: {error}"))
            self._change(job_id, state=JobState.FAILED, error=known.message, code=known.code, eta=None)
        else:
            self._change(job_id, state=JobState.DONE, result=result, eta=None)
        finally:
            with self._changed:
                self._progress.pop(job_id, None)
                self._threads.pop(job_id, None)

    def _change(self, job_id: str, **changes: Any) -> None:
        with self._changed:
            job = self._jobs[job_id]
            job = replace(job, revision=job.revision + 1, **changes)
            if job.state is JobState.RUNNING and job.total and job.rate:
                job = replace(job, eta=max(0.0, (job.total - job.done) / job.rate))
            self._jobs[job_id] = job
            self._changed.notify_all()

    def _is_news(self, job_id: str, newer_than: int) -> bool:
        job = self._jobs.get(job_id)
        return self._closed or job is None or job.revision > newer_than or job.state.is_over

    def _forget_old(self) -> None:
        finished = [job_id for job_id, job in self._jobs.items() if job.state.is_over]
        for job_id in finished[: max(0, len(self._jobs) - KEPT)]:
            del self._jobs[job_id]
