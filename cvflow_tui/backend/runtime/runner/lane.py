"""A lane: one set of weights, the replicas that hold them, the requests that wait for one of them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cvflow_tui.backend.runtime.link import CallFailed, Ready, WorkerGone
from cvflow_tui.backend.runtime.runner.logfile import LogFile
from cvflow_tui.backend.runtime.runner.replica import Post, Replica
from cvflow_tui.backend.runtime.runner.stats import Calls
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.worker import Spawned
from cvflow_tui.model.solvers import SolverState

log = logging.getLogger(__name__)


class Unavailable(Exception):
    """The lane takes no request now; the message says why, `pause` in how many seconds one may ask again (0: that is not known)."""

    def __init__(self, why: str, pause: float = 0.0) -> None:
        super().__init__(why)
        self.pause = pause


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

    def __init__(
        self,
        spec: RunSpec,
        logfile: LogFile,
        name: str,
        checkpoint: str | None = None,
        spawned: Spawned | None = None,
        replicas: int = 1,
    ) -> None:
        self.name = name
        self.checkpoint = checkpoint
        self.state = SolverState.STARTING
        self.error: str | None = None
        self.ready = Ready()
        self.settled = asyncio.Event()
        """Set once the lane was ready or has failed for the first time."""
        self.calls = Calls()
        self._spec = spec
        self._pending: deque[Request] = deque()
        self._under_way: dict[asyncio.Future[list[Any]], tuple[Replica, list[Request]]] = {}
        self._active = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._last_asked = time.monotonic()
        self._closed = False
        post = Post(spec, logfile, checkpoint, self._changed, self._idle_for)
        names = [name] if replicas == 1 else [f"{name} worker {number} of {replicas}" for number in range(1, replicas + 1)]
        self.replicas = [Replica(post, each, spawned if number == 0 else None) for number, each in enumerate(names)]

    @property
    def pids(self) -> list[int]:
        """The workers' processes."""
        return [replica.pid for replica in self.replicas if replica.pid is not None]

    @property
    def restarts(self) -> int:
        """How often workers were started again."""
        return sum(replica.restarts for replica in self.replicas)

    @property
    def asleep(self) -> bool:
        """Whether every worker was unloaded because nothing was asked."""
        return all(replica.asleep for replica in self.replicas)

    @property
    def waiting(self) -> int:
        """Requests that wait or are worked on."""
        return len(self._pending) + self._active

    def open(self) -> None:
        """Start the first worker (the others follow once it is ready) and keep them running."""
        self.replicas[0].open()

    def submit(self, file: str, size: tuple[int, int] | None, parameters: Mapping[str, Any]) -> asyncio.Future[Any]:
        """Ask for a picture's result; cancelling takes it back. Raises Unavailable; the future fails with CallFailed, WorkerGone."""
        if self.state is not SolverState.READY:
            raise Unavailable(self.why_not(), self.pause)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.append(Request(file, size, parameters, future))
        self._idle.clear()
        self._last_asked = time.monotonic()
        self._pump()
        return future

    def takes_back(self, reply: asyncio.Future[Any]) -> bool:
        """Whether a request still waits here, so that cancelling it keeps it from any worker."""
        return any(item.reply is reply for item in self._pending)

    def give_up(self, reply: asyncio.Future[Any]) -> None:
        """Cancel a request for good: a call that nobody else waits for may be cut short with its worker (`watch.py`)."""
        reply.cancel()
        for call, (replica, batch) in self._under_way.items():
            if any(item.reply is reply for item in batch):
                if all(item.reply.done() for item in batch):
                    replica.give_up(call)
                return

    @property
    def pause(self) -> float:
        """Seconds until a worker of a lane that has none is started again; 0 where that is not known."""
        return min((replica.pause for replica in self.replicas if replica.pause), default=0.0)

    def why_not(self) -> str:
        """One line for a request that cannot be served."""
        cause = f" ({self.error})" if self.error else ""
        words = {
            SolverState.STARTING: "the solver is starting",
            SolverState.BACKOFF: f"the solver's process ended and is being restarted{cause}",
            SolverState.FAILED: f"the solver failed to start: {self.error}",
        }
        return words.get(self.state, "the solver is stopped")

    async def close(self, drain: float = 0.0) -> None:
        """Let what is under way end for up to `drain` seconds, then end the workers."""
        if drain and self.waiting:
            try:
                await asyncio.wait_for(self._idle.wait(), drain)
            except TimeoutError:
                log.warning("%s: %d requests did not end in %.0f s", self.name, self.waiting, drain)
        self._closed, self.state = True, SolverState.STOPPED
        self.settled.set()
        await asyncio.gather(*(replica.close() for replica in self.replicas))
        self._drop_waiting("the solver was stopped")

    # -- the replicas

    def _changed(self) -> None:
        """A replica is in another state: so may be the lane."""
        if self._closed:
            return
        states = {replica.state for replica in self.replicas}
        serving = [replica for replica in self.replicas if replica.takes_calls]
        if serving:
            self.ready = serving[0].ready
        if serving or any(replica.resting for replica in self.replicas):
            self.state = SolverState.READY
        else:
            order = (SolverState.STARTING, SolverState.BACKOFF, SolverState.FAILED)
            # A replica that has not been opened yet is no hope where the first has failed.
            states = {self.replicas[0].state} if not self.settled.is_set() else states
            self.state = next((state for state in order if state in states), SolverState.STOPPED)
        self.error = next((replica.error for replica in self.replicas if replica.error), None)
        if self.state in (SolverState.READY, SolverState.FAILED) and not self.settled.is_set():
            self.settled.set()
            if self.state is SolverState.READY:
                for replica in self.replicas:
                    replica.open()
        if self.state is SolverState.READY:
            self._pump()
        elif self.state is not SolverState.STARTING:
            self._drop_waiting("the solver failed" if self.state is SolverState.FAILED else "the solver's process ended")

    def _idle_for(self) -> float:
        return 0.0 if self.waiting else time.monotonic() - self._last_asked

    # -- requests

    def _free(self) -> Replica | None:
        """The replica with the least to do, if it takes another call.

        That is one more than it works on, so that it never waits for us between two. Where pictures are taken together, what waits
        here is what the next batch is made of: it is sent ahead once it is more than half full.
        """
        best: Replica | None = None
        for replica in self.replicas:
            if replica.takes_calls and (best is None or replica.active < best.active):
                best = replica
        if best is None or best.active >= best.ready.concurrency + (len(self._pending) > self._batch // 2):
            return None
        return best

    @property
    def _batch(self) -> int:
        return self._spec.batch if self.ready.batch else 1

    def _pump(self) -> None:
        """Hand on what waits, as much at a time as the workers take; nothing waits for a batch to fill."""
        while self._pending:
            replica = self._free()
            if replica is None:
                for each in self.replicas:
                    if each.asleep:
                        each.wake()
                return
            batch = self._next_batch()
            if not batch:
                break
            self._active += 1
            began = time.perf_counter()
            call = replica.call([item.file for item in batch], batch[0].parameters, [item.size for item in batch])
            self._under_way[call] = replica, batch
            call.add_done_callback(partial(self._finish, began))
        if not self.waiting:
            self._idle.set()

    def _next_batch(self) -> list[Request]:
        """What the next call is made of; nothing where all who asked have gone."""
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

    def _finish(self, began: float, call: asyncio.Future[list[Any]]) -> None:
        replica, batch = self._under_way.pop(call)
        self._active -= 1
        begun = replica.answered(call)
        self.calls.count(len(batch), time.perf_counter() - began)
        self._last_asked = time.monotonic()
        error = call.exception()
        if isinstance(error, WorkerGone) and not begun and self.state is SolverState.READY:
            self._pending.extendleft(reversed(batch))
        elif isinstance(error, CallFailed) and len(batch) > 1:
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
