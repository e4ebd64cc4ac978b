"""Long things: installs, rounds, exports. Each shows progress with rate and time left, and can be cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cvflow_tui.model.mending import Mend


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether it will change no more."""
        return self is not JobState.RUNNING


@dataclass(frozen=True, slots=True)
class Job:
    """A long thing as it stands. `done` of `total` in `unit` belong to the current `step`."""

    id: str
    kind: str
    """`install` or `round`."""
    subject: str
    """What it works on: a package, a project."""
    state: JobState
    step: str = ""
    done: float = 0.0
    total: float | None = None
    unit: str = ""
    """`bytes`, `pictures`, `steps`, …"""
    rate: float | None = None
    """Units a second."""
    eta: float | None = None
    """Seconds left of this step."""
    result: Any = None
    error: str | None = None
    code: str | None = None
    """The error's code (see `model.errors`) when it failed."""
    detail: str | None = None
    """What stands behind the error (a traceback), for those who ask."""
    mends: tuple[Mend, ...] = ()
    """Options of `install` that may help against the error, each by itself."""
    revision: int = 0
    """Grows with every change; a client asks for the job "newer than" it."""
