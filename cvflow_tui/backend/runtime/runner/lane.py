"""A lane: one set of weights, the worker that holds them, the requests that wait for it. The worker is replaced when it dies."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cvflow_tui.backend.runtime.link import CallFailed, LoadFailed, Ready, WorkerGone, WorkerLink
from cvflow_tui.backend.runtime.runner.backoff import Backoff
from cvflow_tui.backend.runtime.runner.logfile import LogFile, Pump
from cvflow_tui.backend.runtime.runner.stats import Calls
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.worker import Spawned, load_frame, spawn
from cvflow_tui.model.solvers import SolverState
from cvflow_tui.model.text import one_line

log = logging.getLogger(__name__)

FIRST_TRIES = 3
"""How often a worker may die while it loads, before the solver was ever ready, until the solver counts as failed."""


class Unavailable(Exception):
    """The lane takes no request now; the message says why."""


@dataclass(slots=True)
class Request:
    """A picture that waits for its result."""

    file: str
    size: tuple[int, int] | None
    parameters: Mapping[str, Any]
    reply: asyncio.Future[Any]
    """Cancelled where whoever asked has gone: the request is dropped if it still waits."""
    alone: bool = False
    """Not to be put into a batch (again): a batch it was part of failed."""


class Lane:
    """Serves one checkpoint (None: the package's own weights). `name` is what the log calls it."""

    def __init__(self, spec: RunSpec, logfile: LogFile, name: str, checkpoint: str | None = None, spawned: Spawned | None = None) -> None:
        self.name = name
        self.checkpoint = checkpoint
        self.state = SolverState.STARTING
        self.error: str | None = None
        self.restarts = 0
        self.ready = Ready()
        self.settled = asyncio.Event()
        """Set once the lane was ready or has failed for the first time."""
        self.calls = Calls()
        self._spec = spec
        self._logfile = logfile
        self._spawned = spawned
        self._link: WorkerLink | None = None
        self._pending: deque[Request] = deque()
        self._active = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._was_ready = False
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process, while there is one."""
        return self._link.pid if self._link is not None else None

    @property
    def waiting(self) -> int:
        """Requests that wait or are worked on."""
        return len(self._pending) + self._active

    def open(self) -> None:
        """Start the worker and keep it running."""
        self._task = asyncio.create_task(self._keep_running(), name=f"lane-{self.name}")
        self._task.add_done_callback(self._over)

    def submit(self, file: str, size: tuple[int, int] | None, parameters: Mapping[str, Any]) -> asyncio.Future[Any]:
        """Ask for a picture's result; cancelling takes it back. Raises Unavailable; the future fails with CallFailed, WorkerGone."""
        if self.state is not SolverState.READY:
            raise Unavailable(self.why_not())
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.append(Request(file, size, parameters, future))
        self._idle.clear()
        self._pump()
        return future

    def why_not(self) -> str:
        """One line for a request that cannot be served."""
        words = {
            SolverState.STARTING: "the solver is starting",
            SolverState.BACKOFF: f"the solver's process ended and is being restarted ({self.error})",
            SolverState.FAILED: f"the solver failed to start: {self.error}",
        }
        return words.get(self.state, "the solver is stopped")

    async def close(self, drain: float = 0.0) -> None:
        """Let what is under way end for up to `drain` seconds, then end the worker."""
        if drain and self.waiting:
            try:
                await asyncio.wait_for(self._idle.wait(), drain)
            except TimeoutError:
                log.warning("%s: %d requests did not end in %.0f s", self.name, self.waiting, drain)
        self.state = SolverState.STOPPED
        self.settled.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._spawned is not None:
            self._link, self._spawned = await WorkerLink.attach(self._spawned), None
        if self._link is not None:
            await self._link.kill()
            self._link = None
        self._drop_waiting("the solver was stopped")

    # -- the worker's life

    async def _keep_running(self) -> None:
        backoff = Backoff()
        while True:
            lost = asyncio.Event()
            try:
                await self._start(lost)
            except LoadFailed as error:
                await self._end_worker()
                if not self._was_ready:
                    self._fail(str(error))
                    return
                self.error = one_line(str(error))
            except WorkerGone:
                how = _how(await self._end_worker())
                self.error = f"its process {how} while it loaded"
                if not self._was_ready and backoff.tries >= FIRST_TRIES - 1:
                    self._fail(self.error)
                    return
            except OSError as error:
                self._fail(f"{self._spec.python} can't be started: {error.strerror or error}")
                return
            else:
                began = time.monotonic()
                await lost.wait()
                self.error = f"its process {_how(await self._end_worker())}"
                backoff.lived(time.monotonic() - began)
            await self._back_off(backoff)

    async def _start(self, lost: asyncio.Event) -> None:
        self.state = SolverState.STARTING
        spawned = self._spawned or spawn(self._spec)
        self._spawned = None
        await Pump.attach(spawned.log, self._logfile)
        self._link = await WorkerLink.attach(spawned, lost.set)
        self.ready = await self._link.load(load_frame(self._spec, self.checkpoint))
        self.state, self.error, self._was_ready = SolverState.READY, None, True
        self.settled.set()
        log.info("%s is ready (worker %d)", self.name, self._link.pid)

    async def _end_worker(self) -> int:
        """The exit status of the worker that is ending; what it was working on has failed by then."""
        assert self._link is not None
        self.state, self.error = SolverState.BACKOFF, "its process ended"
        status = await self._link.kill()
        self._link = None
        return status

    async def _back_off(self, backoff: Backoff) -> None:
        pause = backoff.next()
        self.state = SolverState.BACKOFF
        self._drop_waiting("the solver's process ended")
        log.warning("%s: %s; again in %.0f s", self.name, self.error, pause)
        await asyncio.sleep(pause)
        self.restarts += 1

    def _over(self, task: asyncio.Task[None]) -> None:
        """A mistake of ours ends as a failure that is seen, not as a solver that starts for ever."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: the runner failed", self.name, exc_info=error)
            self._fail(f"the runner failed: {type(error).__name__}: {error}")

    def _fail(self, error: str) -> None:
        self.state, self.error = SolverState.FAILED, one_line(error)
        log.error("%s failed: %s", self.name, self.error)
        self._drop_waiting("the solver failed")
        self.settled.set()

    # -- requests

    @property
    def _most(self) -> int:
        """Calls the worker is sent at a time: one more than it works on, so that it never waits for us between two.

        Where pictures are taken together, what waits here is what the next batch is made of: it is sent ahead once it is more than half
        full.
        """
        return self.ready.concurrency + (len(self._pending) > self._batch // 2)

    @property
    def _batch(self) -> int:
        return self._spec.batch if self.ready.batch else 1

    def _pump(self) -> None:
        """Hand on what waits, as much at a time as the worker takes; nothing waits for a batch to fill."""
        while self._pending and self._active < self._most and self._link is not None and self.state is not SolverState.BACKOFF:
            batch = self._next_batch()
            if not batch:
                break
            self._active += 1
            began = time.perf_counter()
            call = self._link.call([item.file for item in batch], batch[0].parameters, [item.size for item in batch])
            call.add_done_callback(partial(self._finish, batch, began))

    def _next_batch(self) -> list[Request]:
        while self._pending and self._pending[0].reply.done():
            self._pending.popleft()
        if not self._pending:
            return []
        batch = [self._pending.popleft()]
        most = 1 if batch[0].alone else self._batch
        while self._pending and len(batch) < most and not self._pending[0].alone and self._pending[0].parameters == batch[0].parameters:
            item = self._pending.popleft()
            if not item.reply.done():
                batch.append(item)
        return batch

    def _finish(self, batch: list[Request], began: float, call: asyncio.Future[list[Any]]) -> None:
        self._active -= 1
        self.calls.count(len(batch), time.perf_counter() - began)
        error = call.exception()
        if isinstance(error, CallFailed) and len(batch) > 1:
            # One bad picture must not spoil its neighbours' answers: each is asked for on its own.
            for item in reversed(batch):
                item.alone = True
                self._pending.appendleft(item)
        else:
            for number, item in enumerate(batch):
                if item.reply.done():
                    continue
                if error is not None:
                    item.reply.set_exception(error)
                else:
                    item.reply.set_result(call.result()[number])
        self._pump()
        if not self.waiting:
            self._idle.set()

    def _drop_waiting(self, why: str) -> None:
        while self._pending:
            reply = self._pending.popleft().reply
            if not reply.done():
                reply.set_exception(WorkerGone(why))
        if not self._active:
            self._idle.set()


def _how(status: int) -> str:
    """A process's end in words."""
    if status < 0:
        import signal

        try:
            return f"was killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"was killed by signal {-status}"
    return f"ended with status {status}"
