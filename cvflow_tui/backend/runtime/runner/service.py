"""Everything a runner is: its lanes, its trainings, its counts. The routes ask it."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import Any

from cvflow_tui.backend.runtime.redaction import Redactor
from cvflow_tui.backend.runtime.runner.faults import Fault, not_found
from cvflow_tui.backend.runtime.runner.history import History
from cvflow_tui.backend.runtime.runner.jobs import TrainJobs
from cvflow_tui.backend.runtime.runner.lane import Lane
from cvflow_tui.backend.runtime.runner.limits import Limits
from cvflow_tui.backend.runtime.runner.logfile import LogFile
from cvflow_tui.backend.runtime.runner.replica import Replica
from cvflow_tui.backend.runtime.runner.scratch import Scratch
from cvflow_tui.backend.runtime.runner.stats import Stats, Usage
from cvflow_tui.backend.runtime.runner.watch import resident_of
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.worker import RUN_MARK, Spawned
from cvflow_tui.model.solvers import SolverState

log = logging.getLogger(__name__)


class Service:
    """One running solver."""

    def __init__(self, spec: RunSpec, logfile: LogFile, scratch: Scratch, limits: Limits, spawned: Spawned | None = None) -> None:
        self.spec = spec
        self.limits = limits
        self.scratch = scratch
        self.stats = Stats()
        self.jobs = TrainJobs(spec, logfile)
        self.variants: dict[str, Lane] = {}
        self.main = Lane(spec, logfile, spec.name, spawned=spawned, replicas=spec.settings.replicas)
        self.stop = asyncio.Event()
        """Set when the runner shall end."""
        self.receiving = 0
        """Infer requests between their first byte and their reply."""
        self.tasks: set[asyncio.Task[Any]] = set()
        """What goes on after its request was answered; ends with the runner."""
        self.history = History(self.stats, self._used, lambda: self.main.waiting)
        self._logfile = logfile
        self._usage_of_seconds = Usage()
        self._usage = Usage()
        self._began = time.monotonic()
        self._leaving: dict[asyncio.Task[None], Lane] = {}
        self._exchanging = asyncio.Lock()

    async def end(self) -> None:
        """Drain and end, as somebody wishes. Without its specification nobody starts again what was told to end."""
        if (specification := os.environ.get(RUN_MARK)) is not None:
            await asyncio.to_thread(Path(specification).unlink, missing_ok=True)
        self.stop.set()

    @property
    def state(self) -> SolverState:
        """Where the solver stands."""
        if self.main.state is SolverState.READY and self.receiving:
            return SolverState.BUSY
        return self.main.state

    @property
    def uptime(self) -> float:
        """Seconds since the runner began."""
        return time.monotonic() - self._began

    def lane(self, variant: str | None) -> Lane:
        """The lane that serves a variant (None: the package's own weights). Raises Fault 404."""
        if not variant:
            return self.main
        if (lane := self.variants.get(variant)) is None:
            raise not_found(f"{self.spec.name} serves no variant {variant[:100]!r}")
        return lane

    def pause(self, lane: Lane) -> float:
        """Seconds after which a lane that is full has probably worked off half of what waits; a minute at most."""
        seconds = lane.calls.seconds or 0.0
        return min(60.0, seconds * lane.waiting / 2 / (lane.ready.concurrency * len(lane.replicas)))

    async def put_variant(self, name: str, checkpoint: Path) -> None:
        """Load a checkpoint beside what serves and give it a name, the last holder of which drains. Raises Fault where it does not load."""
        lane = Lane(self.spec, self._logfile, f"{self.spec.name} variant {name}", str(checkpoint))
        await self._load(lane, f"{checkpoint.name} could not be loaded: ")
        self._install(name, lane)

    def promote(self, name: str, source: str) -> None:
        """Give `source`'s lane the name `name`. No request is dropped: each holds the lane it was handed to. Raises Fault 404."""
        lane = self.lane(source)
        if source != name:
            del self.variants[source]
            self._install(name, lane)

    def remove_variant(self, name: str) -> None:
        """Unload a variant once it has drained. Raises Fault 404."""
        self.lane(name)
        self._leave(self.variants.pop(name))

    async def exchange(self, spec: RunSpec) -> None:
        """Serve by another specification, of another version of the package perhaps. Raises Fault where the solver does not start by it.

        It is loaded beside what serves, which drains once it is ready: no request is dropped. Variants go, as with a restart: whose they
        are loads them again, with the solver that serves now.
        """
        async with self._exchanging:
            secrets = {*self.spec.environment.values(), *spec.environment.values()}
            self._logfile.redactor = Redactor(secrets)
            lane = Lane(spec, self._logfile, f"{spec.name} {spec.version}", replicas=spec.settings.replicas)
            await self._load(lane, "")
            before, patience = self.main, self.spec.settings.call_timeout
            self.main, self.spec = lane, spec
            lane.name = spec.name
            self.jobs.go_over(spec)
            for old in (before, *self.variants.values()):
                self._leave(old, patience)
            self.variants.clear()
            log.info("%s is at version %s now", spec.name, spec.version)

    async def close(self) -> None:
        """End everything: trainings, lanes, uploads."""
        lanes = [self.main, *self.variants.values(), *self._leaving.values()]
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.gather(self.jobs.close(), *(lane.close() for lane in lanes))
        await asyncio.gather(*self._leaving)
        self.scratch.close()

    def usage(self) -> tuple[float, int]:
        """CPU in per cent of one core and resident bytes, runner and workers together."""
        return self._usage.sample(self._pids())

    def _used(self) -> tuple[float, int]:
        """The same, measured apart: who else looks does not cut the seconds short."""
        return self._usage_of_seconds.sample(self._pids())

    def _pids(self) -> list[int]:
        lanes = [self.main, *self.variants.values(), *self._leaving.values()]
        return [pid for pid in (*(pid for lane in lanes for pid in lane.pids), self.jobs.pid) if pid is not None]

    def status(self) -> dict[str, Any]:
        """Our part of `GET /_status`."""
        cpu, memory = self.usage()
        return {
            "state": str(self.state),
            "package": self.spec.package,
            "solver": self.spec.solver,
            "version": self.spec.version,
            "uptime": round(self.uptime, 3),
            "cpu": cpu,
            "rss": memory,
            "requests": self.stats.requests,
            "errors": self.stats.errors,
            "rate": round(self.stats.rate, 2),
            "p50": self.stats.percentile(0.5),
            "p95": self.stats.percentile(0.95),
            "restarts": self.main.restarts,
            "variants": sorted(self.variants),
            "trainable": self.main.ready.trainable,
            "error": self.main.error,
            "replicas": len(self.main.replicas),
            "replicas_ready": sum(replica.takes_calls for replica in self.main.replicas),
            "workers": [_worker(replica) for replica in self.main.replicas],
            "waiting": self.main.waiting,
            "asleep": self.main.asleep,
        }

    def _install(self, name: str, lane: Lane) -> None:
        if (old := self.variants.get(name)) is not None:
            self._leave(old)
        self.variants[name] = lane

    async def _load(self, lane: Lane, told: str) -> None:
        """Wait until a lane serves. Raises Fault where it does not: `told`, and why."""
        lane.open()
        try:
            await lane.settled.wait()
        except asyncio.CancelledError:
            await lane.close()
            raise
        if lane.state is not SolverState.READY:
            error = lane.error
            await lane.close()
            raise Fault(424, f"{told}{error}", "package")

    def _leave(self, lane: Lane, seconds: float = 60.0) -> None:
        task = asyncio.create_task(lane.close(drain=seconds))
        self._leaving[task] = lane
        task.add_done_callback(lambda done: self._leaving.pop(done, None))


def _worker(replica: Replica) -> dict[str, Any]:
    return {
        "state": "asleep" if replica.asleep else str(replica.state),
        "pid": replica.pid,
        "rss": resident_of(replica.pid) if replica.pid is not None else 0,
        "requests": replica.served,
        "restarts": replica.restarts,
        "error": replica.error,
    }
