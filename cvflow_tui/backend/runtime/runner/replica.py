"""A replica: one place in a lane, and the worker that fills it. The worker is watched, and replaced when it ends."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cvflow_tui.backend.runtime.devices import NoDevice, devices_of
from cvflow_tui.backend.runtime.endings import how
from cvflow_tui.backend.runtime.link import CallTimeout, LoadFailed, Ready, WorkerGone, WorkerLink
from cvflow_tui.backend.runtime.runner.backoff import Backoff
from cvflow_tui.backend.runtime.runner.logfile import LogFile, Pump
from cvflow_tui.backend.runtime.runner.watch import Verdict, Watch, resident, too_large
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.worker import Spawned, load_frame, spawn
from cvflow_tui.model.solvers import SolverState
from cvflow_tui.model.text import one_line

log = logging.getLogger(__name__)

FIRST_TRIES = 3
"""How often a worker may die while it loads, before the solver was ever ready, until the solver counts as failed."""


@dataclass(frozen=True, slots=True)
class Post:
    """What the replicas of a lane have in common."""

    spec: RunSpec
    logfile: LogFile
    checkpoint: str | None
    changed: Callable[[], None]
    """Told when a replica's state has changed."""
    idle_for: Callable[[], float]
    """How long nothing has been asked of the lane, in seconds."""


class Replica:
    """One worker after another. `resting` ones have none, for a good reason, and come back when asked or by themselves."""

    def __init__(self, post: Post, name: str, spawned: Spawned | None = None) -> None:
        self.name = name
        self.state = SolverState.STARTING
        self.error: str | None = None
        self.restarts = 0
        self.served = 0
        self.active = 0
        self.ready = Ready()
        self.asleep = False
        """Its worker was ended because nothing was asked of it."""
        self.resting = False
        """It sleeps, wakes, or is being replaced as planned: requests may wait for it."""
        self._post = post
        self._spawned = spawned
        self._link: WorkerLink | None = None
        self._calls: dict[asyncio.Future[list[Any]], float | None] = {}
        self._given_up: dict[asyncio.Future[list[Any]], float] = {}
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._was_ready = False
        self._has_answered = False
        self._next_start = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process, while there is one."""
        return self._link.pid if self._link is not None else None

    @property
    def takes_calls(self) -> bool:
        """Whether a call may be handed to it now."""
        return self.state is SolverState.READY and not self.resting and self._link is not None and not self._link.closed

    @property
    def pause(self) -> float:
        """Seconds until its worker is started again; 0 where it does not wait for that."""
        return max(0.0, self._next_start - time.monotonic()) if self.state is SolverState.BACKOFF else 0.0

    def open(self) -> None:
        """Start the worker and keep it running."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_running(), name=f"replica-{self.name}")
            self._task.add_done_callback(self._over)

    def wake(self) -> None:
        """Have a worker that sleeps load again."""
        self._wake.set()

    def call(self, files: Sequence[str], parameters: Mapping[str, Any], sizes: Sequence[Any]) -> asyncio.Future[list[Any]]:
        """Ask the worker for the results of some pictures. Once it is over, tell `answered`."""
        assert self._link is not None
        call = self._link.call(files, parameters, sizes)
        self._calls[call] = time.monotonic() if len(self._calls) < self.ready.concurrency else None
        self.active += 1
        self.served += len(files)
        return call

    def answered(self, call: asyncio.Future[list[Any]]) -> bool:
        """A call is over, well or not. Whether the worker had begun it: what was only sent ahead can be asked of another."""
        begun = self._calls.pop(call) is not None
        self._has_answered |= not call.cancelled() and call.exception() is None
        self._given_up.pop(call, None)
        self.active -= 1
        if len(self._calls) >= self.ready.concurrency:  # the next in line is what the worker turns to now
            for other in itertools.islice(self._calls, self.ready.concurrency):
                if self._calls[other] is None and not other.done():
                    self._calls[other] = time.monotonic()
        if not self._calls:
            self._drained.set()
        return begun

    def overdue(self, seconds: float) -> list[asyncio.Future[list[Any]]]:
        """Calls that the worker has been working on for longer than that. What is sent ahead has not begun."""
        latest = time.monotonic() - seconds
        return [call for call, began in self._calls.items() if began is not None and began < latest]

    def give_up(self, call: asyncio.Future[list[Any]]) -> None:
        """Nobody wants the answer to a call any more."""
        self._given_up[call] = time.monotonic()

    def in_vain(self, seconds: float) -> bool:
        """Whether all that the worker works on was given up, for longer than that."""
        latest = time.monotonic() - seconds
        begun = [call for call, began in self._calls.items() if began is not None]
        return bool(self._given_up) and bool(begun) and all(self._given_up.get(call, latest) < latest for call in begun)

    async def close(self) -> None:
        """End the worker, whatever it does."""
        self.state = SolverState.STOPPED
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._spawned is not None:
            self._link, self._spawned = await WorkerLink.attach(self._spawned), None
        if self._link is not None:
            await self._link.kill()
            self._link = None

    # -- the worker's life

    async def _keep_running(self) -> None:
        backoff = Backoff()
        while True:
            lost = asyncio.Event()
            try:
                await self._start(lost)
            except LoadFailed as error:
                await self._end_worker()
                told = self._limited(str(error)) if "MemoryError" in str(error) else str(error)
                if not self._was_ready:
                    self._fail(told)
                    return
                self._blame(told)
            except NoDevice as error:
                if not self._was_ready:
                    self._fail(str(error))
                    return
                self._blame(str(error))
            except WorkerGone:
                self._blame(self._limited(f"its process {how(await self._end_worker())} while it loaded"))
                if not self._was_ready and backoff.tries >= FIRST_TRIES - 1:
                    self._fail(self.error or "")
                    return
            except OSError as error:
                self._fail(f"{self._post.spec.python} can't be started: {error.strerror or error}")
                return
            else:
                began = time.monotonic()
                if await self._serve(lost, backoff):
                    continue
                backoff.lived(time.monotonic() - began, self._has_answered)
            await self._back_off(backoff)

    def _limited(self, told: str) -> str:
        """Why it did not load, and the limit that it may have run into: under one, Python and its libraries end in many ways."""
        limit = self._post.spec.settings.address_space
        return told if limit is None else f"{told}; its hard limit of memory is {limit // 1_000_000} MB (setting address_space)"

    async def _start(self, lost: asyncio.Event) -> None:
        self._set(SolverState.STARTING)
        settings = self._post.spec.settings
        if self._spawned is None:
            devices = await asyncio.to_thread(devices_of, settings.gpu)
            self._spawned = spawn(self._post.spec, devices=devices)
        await self._attach(lost)
        assert self._link is not None
        try:
            ready = await asyncio.wait_for(self._link.load(load_frame(self._post.spec, self._post.checkpoint)), settings.start_timeout)
        except TimeoutError:
            raise LoadFailed(f"it was not ready after {settings.start_timeout:g} s (setting start_timeout)", "") from None
        if settings.memory is not None and (used := resident(self._link.pid)) > settings.memory:
            raise LoadFailed(too_large(used, settings.memory), "")
        self.ready, self.error, self._was_ready, self._has_answered = ready, None, True, False
        self.asleep = self.resting = False
        log.info("%s is ready (worker %d)", self.name, self._link.pid)
        self._set(SolverState.READY)

    async def _attach(self, lost: asyncio.Event) -> None:
        """Take over the worker that was started. Once begun it is finished: whoever closes us meanwhile finds a worker to end."""

        async def attach() -> None:
            spawned, self._spawned = self._spawned, None
            assert spawned is not None
            self._link = await WorkerLink.attach(spawned, lost.set)
            await Pump.attach(spawned.log, self._post.logfile)

        attaching = asyncio.ensure_future(attach())
        try:
            await asyncio.shield(attaching)
        except asyncio.CancelledError:
            await attaching
            raise

    async def _serve(self, lost: asyncio.Event, backoff: Backoff) -> bool:
        """Until the worker ends or must end; True where another follows at once, or when it is asked for."""
        assert self._link is not None
        watch = asyncio.create_task(Watch(self, self._link, self._post.spec.settings, self._post.idle_for).verdict())
        ending = asyncio.create_task(lost.wait())
        try:
            await asyncio.wait({watch, ending}, return_when=asyncio.FIRST_COMPLETED)
            verdict = watch.result() if watch.done() else None
        finally:
            for task in (watch, ending):
                task.cancel()
            await asyncio.gather(watch, ending, return_exceptions=True)
        if verdict is None or lost.is_set():
            self._blame(f"its process {how(await self._end_worker())}")
            return False
        if verdict.hangs:
            await self._give_up(verdict)
            return False
        if verdict.in_vain:
            await self._cut_short(verdict)
            return True
        return await self._replace(verdict, lost)

    async def _give_up(self, verdict: Verdict) -> None:
        """The worker will not answer any more: its calls fail, and it is killed."""
        log.warning("%s: %s; its worker is ended", self.name, verdict.why)
        self.resting = False
        self._set(SolverState.BACKOFF)
        for call in list(self._calls):
            if not call.done():
                late = call in verdict.calls
                call.set_exception(CallTimeout(verdict.why) if late else WorkerGone(f"its worker was ended: {verdict.why}"))
        await self._end_worker(grace=0.0)
        self._blame(verdict.why)

    async def _cut_short(self, verdict: Verdict) -> None:
        """End the worker in the middle of what nobody wants, and start another at once. What was sent ahead is asked of that one."""
        log.warning("%s: %s; its worker is replaced", self.name, verdict.why)
        self.resting = True
        self._post.changed()
        for call in list(self._calls):
            if not call.done():
                call.set_exception(WorkerGone(f"its worker was ended: {verdict.why}"))
        await self._end_worker(grace=0.0)
        self.restarts += 1

    async def _replace(self, verdict: Verdict, lost: asyncio.Event) -> bool:
        """End the worker once it has answered what it works on. Requests wait for the next one; none is lost."""
        log.info("%s: %s; its worker is %s", self.name, verdict.why, "unloaded" if verdict.sleep else "replaced")
        self.resting, self.asleep = True, verdict.sleep
        self._wake.clear()
        self._post.changed()
        await self._drain(lost)
        await self._end_worker()
        if verdict.sleep:
            await self._wake.wait()
            self.asleep = False
        else:
            self.restarts += 1
        return True

    async def _drain(self, lost: asyncio.Event) -> None:
        deadline = time.monotonic() + self._post.spec.settings.call_timeout
        while self._calls and not lost.is_set() and time.monotonic() < deadline:
            self._drained.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), 1.0)

    async def _end_worker(self, grace: float | None = None) -> int:
        """The exit status of the worker that is ending; what it was working on has failed by then."""
        assert self._link is not None
        if not self.resting:
            self._set(SolverState.BACKOFF)
        status = await (self._link.kill() if grace is None else self._link.kill(grace))
        self._link = None
        return status

    async def _back_off(self, backoff: Backoff) -> None:
        pause = backoff.next()
        self._next_start = time.monotonic() + pause
        self.asleep = self.resting = False
        self._set(SolverState.BACKOFF)
        log.warning("%s: %s; again in %.0f s", self.name, self.error, pause)
        await asyncio.sleep(pause)
        self.restarts += 1

    def _over(self, task: asyncio.Task[None]) -> None:
        """A mistake of ours ends as a failure that is seen, not as a solver that starts for ever."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: the runner failed", self.name, exc_info=error)
            self._fail(f"the runner failed: {type(error).__name__}: {error}")

    def _blame(self, error: str) -> None:
        self.error = one_line(error)
        self._post.changed()

    def _fail(self, error: str) -> None:
        self.error, self.resting = one_line(error), False
        log.error("%s failed: %s", self.name, self.error)
        self._set(SolverState.FAILED)

    def _set(self, state: SolverState) -> None:
        self.state = state
        self._post.changed()
