"""A solver, run as a runner would run it: a real worker in the package's environment, loaded, asked, measured, ended."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cvflow_tui.backend.jobs import Cancelled, Progress
from cvflow_tui.backend.runtime.link import CallFailed, LoadFailed, Ready, WorkerGone, WorkerLink
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.worker import load_frame, spawn
from cvflow_tui.model.geometry import Size
from cvflow_tui.model.text import clean, one_line

LOAD_SECONDS = 300.0
INFER_SECONDS = 120.0
REPEATS = 3
"""How often the same picture is asked again to measure it."""
BROKEN = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xdb\x00C\x00"
"""The beginning of a JPEG, and no more."""

_LOG_LIMIT = 64 << 10

T = TypeVar("T")


class _Failed(Exception):
    """The trial is over: at which step, why, and what stands behind it."""

    def __init__(self, step: str, why: str, detail: str = "") -> None:
        super().__init__(why)
        self.step = step
        self.detail = detail


@dataclass(slots=True)
class Trial:
    """How it went. What was not reached is None."""

    load_seconds: float | None = None
    first_seconds: float | None = None
    infer_seconds: float | None = None
    peak_rss: int | None = None
    ready: Ready | None = None
    result: Any = None
    same: bool = True
    """Whether the same picture was answered alike each time."""
    batch: int | None = None
    """How many answers came for how many were asked in one call; None = not asked."""
    refuses_broken: bool | None = None
    """Whether a broken picture was answered as the sender's fault."""
    failed: tuple[str, str] | None = None
    """Step (`load`, `infer`) and why."""
    detail: str = ""
    """What stands behind it: a traceback, or the end of its log."""
    log: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Question:
    """What a solver is asked."""

    picture: Path
    size: Size
    """Width and height as displayed."""
    parameters: Mapping[str, str] = field(default_factory=dict)

    def fitting(self, ready: Ready) -> dict[str, str]:
        """The parameters that a solver takes; all of them for one that does not tell."""
        known = {parameter.name for parameter in ready.parameters}
        return {name: value for name, value in self.parameters.items() if not known or name in known}


def try_solver(spec: RunSpec, question: Question, progress: Progress) -> Trial:
    """Load a solver and have it answer. Raises Cancelled when called off; the worker is gone in any case."""
    return asyncio.run(_cancellable(_try(spec, question), progress))


async def _cancellable(work: Coroutine[Any, Any, T], progress: Progress) -> T:
    task = asyncio.create_task(work)
    while not task.done():
        await asyncio.wait({task}, timeout=0.1)
        if progress.cancelled.is_set():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            raise Cancelled
    return task.result()


async def _try(spec: RunSpec, question: Question) -> Trial:
    trial = Trial()
    began = time.perf_counter()
    spawned = spawn(spec)
    loop = asyncio.get_running_loop()
    os.set_blocking(spawned.log, False)
    loop.add_reader(spawned.log, _keep, loop, spawned.log, trial.log)
    link = await WorkerLink.attach(spawned)
    try:
        await _steps(link, spec, trial, began, question)
    except _Failed as failure:
        trial.failed = (failure.step, str(failure))
        trial.detail = failure.detail or clean(trial.log.decode("utf-8", "replace"))
    finally:
        trial.peak_rss = _peak(link.pid) or trial.peak_rss
        await link.kill()
        loop.remove_reader(spawned.log)
        os.close(spawned.log)
    return trial


async def _steps(link: WorkerLink, spec: RunSpec, trial: Trial, began: float, question: Question) -> None:
    trial.ready = await _within(link.load(load_frame(spec)), LOAD_SECONDS, "load")
    trial.load_seconds = time.perf_counter() - began
    picture, parameters = str(question.picture), question.fitting(trial.ready)
    sizes = [[question.size.width, question.size.height]]
    answers, seconds = [], []
    for _ in range(1 + REPEATS):
        start = time.perf_counter()
        answers.append((await _within(link.call([picture], parameters, sizes), INFER_SECONDS, "infer"))[0])
        seconds.append(time.perf_counter() - start)
        trial.result, trial.first_seconds = answers[0], seconds[0]
    trial.infer_seconds = statistics.median(seconds[1:])
    trial.same = all(answer == answers[0] for answer in answers)
    if trial.ready.batch and spec.batch > 1:
        trial.batch = len(await _within(link.call([picture, picture], parameters, sizes * 2), INFER_SECONDS, "infer"))
    trial.peak_rss = _peak(link.pid)
    trial.refuses_broken = await _refuses_broken(link, question.picture, parameters)


async def _refuses_broken(link: WorkerLink, picture: Path, parameters: dict[str, str]) -> bool:
    """Whether a file that is no picture is answered as the sender's fault (a 400), and not as a failure of the solver."""
    broken = picture.with_name("broken.jpg")
    broken.write_bytes(BROKEN)
    try:
        await _within(link.call([str(broken)], parameters, [None]), INFER_SECONDS, "infer")
    except _Failed as failure:
        return failure.step == "input"
    finally:
        broken.unlink()
    return True  # it answers for anything: it does not look at pictures


async def _within(answer: Awaitable[T], seconds: float, step: str) -> T:
    try:
        return await asyncio.wait_for(answer, seconds)
    except TimeoutError:
        raise _Failed(step, f"no answer within {seconds:.0f} s") from None
    except LoadFailed as error:
        raise _Failed(step, one_line(str(error), 300), error.traceback) from error
    except CallFailed as error:
        raise _Failed("input" if error.kind == "input" else step, one_line(str(error), 300), error.traceback) from error
    except WorkerGone as error:
        raise _Failed(step, one_line(str(error), 300)) from error


def _keep(loop: asyncio.AbstractEventLoop, descriptor: int, log: bytearray) -> None:
    with suppress(BlockingIOError):
        if not (more := os.read(descriptor, 1 << 16)):
            loop.remove_reader(descriptor)  # whoever wrote has ended
        log += more
    del log[: max(0, len(log) - _LOG_LIMIT)]


def _peak(pid: int) -> int | None:
    """The largest resident memory a process had, where the system tells."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
    except OSError:
        return None


def batch_complaint(trial: Trial) -> Sequence[str]:
    """What is wrong with the answers of a batch of two."""
    return () if trial.batch in (None, 2) else (f"infer_batch answered {trial.batch} times for 2 pictures",)
