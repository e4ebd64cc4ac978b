"""Progress on stderr: one line that is rewritten on a terminal, a line for each step elsewhere, nothing when asked to be quiet."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cvflow_tui.cli.output import size, span
from cvflow_tui.model.errors import BY_CODE, CvflowError, RefusedError, RemoteError
from cvflow_tui.model.jobs import Job, JobState
from cvflow_tui.model.text import one_line

if TYPE_CHECKING:
    from cvflow_tui.backend.client import DaemonClient

REFRESH = 0.1
"""Seconds between two drawings of the line."""
PLAIN_EVERY = 10.0
"""Seconds between two lines of one step where stderr is no terminal."""


class Progress:
    """Shows how far a long thing is. Use as a context: leaving it clears the line."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._step = ""
        self._shown = 0.0
        self._dirty = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.clear()

    def show(
        self, step: str, done: float = 0.0, total: float | None = None, unit: str = "", rate: float | None = None, eta: float | None = None
    ) -> None:
        """Say where the step is; lines that come too fast are left out."""
        now = time.monotonic()
        fresh = step != self._step
        if self._quiet or (not fresh and now - self._shown < (REFRESH if self._live else PLAIN_EVERY)):
            return
        self._step, self._shown = step, now
        line = progress_line(step, done, total, unit, rate, eta)
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\x1b[K{one_line(line, width)}")
            self._dirty = True
        else:
            sys.stderr.write(f"{one_line(line)}\n")
        sys.stderr.flush()

    def remark(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        if not self._quiet:
            sys.stderr.write(f"{one_line(text, 500)}\n")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the moving line away."""
        if self._dirty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._dirty = False


def progress_line(step: str, done: float, total: float | None, unit: str, rate: float | None, eta: float | None) -> str:
    """`weights · 3.1 MB of 7.6 MB · 2.4 MB/s · 0:02 left`: whatever of it is known."""
    amount = size if unit == "bytes" else lambda value: f"{value:g}"
    suffix = "" if unit == "bytes" else f" {unit}".rstrip()
    parts = [step or "working"]
    if total:
        parts.append(f"{amount(min(done, total))} of {amount(total)}{suffix}")
    elif done:
        parts.append(f"{amount(done)}{suffix}")
    if rate:
        parts.append(f"{size(rate)}/s" if unit == "bytes" else f"{rate:.3g}{suffix}/s")
    if eta is not None:
        parts.append(f"{span(eta)} left")
    return " · ".join(parts)


async def follow(client: DaemonClient, begun: Coroutine[Any, Any, Job], progress: Progress) -> Job:
    """Show the job that `begun` (a client's call) starts until it is done, and return it. If this task is cancelled (Ctrl-C), so is
    the job, and it is waited for; also where the daemon was yet to say that it had begun.

    Raises what `begun` raises, the error the job failed with, RefusedError if somebody else cancelled it, and RemoteError where the daemon
    has gone away with it.
    """
    starting = asyncio.ensure_future(begun)
    try:
        job = await asyncio.shield(starting)
        async for state in client.follow(job.id):
            job = state
            progress.show(job.step or job.kind, job.done, job.total, job.unit, job.rate, job.eta)
    except asyncio.CancelledError:
        if not starting.done():
            progress.remark("it is about to begin, and is called off as soon as it has")
        await _call_off(client, await starting, progress)
        raise
    except RemoteError as error:
        if not starting.done() or starting.exception() is not None:
            raise
        told = f"where the daemon has ended, so has the {job.kind}: give the command again"
        raise RemoteError(f"{error.message}; {told}", detail=error.detail) from error
    if job.state is JobState.DONE:
        return job
    if job.state is JobState.CANCELLED:
        raise RefusedError(f"the {job.kind} of {job.subject} was cancelled; {_left(job)}")
    raise BY_CODE.get(job.code or "", CvflowError)(job.error or f"the {job.kind} of {job.subject} failed", detail=job.detail)


async def _call_off(client: DaemonClient, job: Job, progress: Progress) -> None:
    progress.remark(f"cancelling the {job.kind} of {job.subject}")
    await client.cancel_job(job.id)
    async for state in client.follow(job.id):
        job = state
    if job.state is JobState.DONE:
        progress.remark(f"too late: the {job.kind} of {job.subject} was finished already")
    else:
        progress.remark(f"cancelled; {_left(job)}")


def _left(job: Job) -> str:
    """What a job that was called off has left."""
    if job.kind in ("install", "upgrade"):
        return "nothing was installed; what arrived of downloads waits for another try (cvflow prune deletes it)"
    return "nothing was kept"
