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
