"""Running solvers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SolverState(StrEnum):
    """Where a solver stands."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    BACKOFF = "backoff"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_live(self) -> bool:
        """Whether a runner process stands behind it."""
        return self not in (SolverState.FAILED, SolverState.STOPPED)


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker of a solver. Memory in bytes."""

    state: str
    """A `SolverState`, or `asleep`."""
    pid: int | None = None
    rss: int = 0
    requests: int = 0
    restarts: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RunningSolver:
    """A solver's process as seen from outside. Memory in bytes, times in milliseconds, uptime in seconds."""

    package: str
    """`vendor/package`."""
    solver: str
    state: SolverState
    port: int | None = None
    pid: int | None = None
    """The runner's process."""
    url: str | None = None
    uptime: float = 0.0
    cpu: float = 0.0
    """Per cent of one core, runner and workers together."""
    rss: int = 0
    requests: int = 0
    errors: int = 0
    rate: float = 0.0
    """Requests a second over the last ten seconds."""
    p50: float | None = None
    p95: float | None = None
    restarts: int = 0
    version: str = ""
    variants: tuple[str, ...] = ()
    """Fine-tuned checkpoints served beside the package's own weights, by project."""
    error: str | None = None
    """Why it failed or backs off: one line."""
    replicas: int = 1
    """Workers behind the port, as it was started."""
    replicas_ready: int = 0
    workers: tuple[WorkerStatus, ...] = ()
    waiting: int = 0
    """Requests that wait or are worked on."""
    asleep: bool = False
    """Its workers were unloaded because nothing was asked; the next request loads them again."""

    @property
    def name(self) -> str:
        """`vendor/package/solver`."""
        return f"{self.package}/{self.solver}"


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of a log: sanitised text from byte `start` to byte `end` of the file. `end` is where the next piece begins."""

    text: str
    start: int
    end: int
    size: int
    file: str = ""
    """What the file is called, also after the log was turned over; empty where there is none yet."""
    before: str = ""
    """The file that was the log before this one; empty where none is kept."""
    after: str = ""
    """The file that took its place; empty for the newest, which is still written to."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a solver did in one second. Times in milliseconds, memory in bytes."""

    age: float
    """How long ago that second ended, in seconds."""
    requests: int
    errors: int
    p50: float | None
    p95: float | None
    cpu: float
    rss: int
    waiting: int


@dataclass(frozen=True, slots=True)
class SolverHistory:
    """The last minutes of a solver, oldest second first. Seconds in which nobody looked are missing."""

    solver: str
    points: tuple[Figures, ...] = ()


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log that was searched for."""

    text: str
    level: str
    """`debug`, `info`, `warning` or `error`, as far as the line tells."""
    time: float | None
    """When it was written (seconds since 1970); None where that is not known."""
    file: str = ""
    """The file that it stands in, as a `LogChunk` calls it."""
    start: int = 0
    """Its first byte in that file."""


@dataclass(frozen=True, slots=True)
class LogSearch:
    """What a search of a log and its older files found, oldest first."""

    lines: tuple[LogLine, ...] = ()
    searched: int = 0
    """Bytes that were looked through."""
    complete: bool = True
    """Whether all there is was looked through; else the oldest part was not."""
