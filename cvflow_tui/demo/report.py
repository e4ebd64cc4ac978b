"""What the unattended demo measured, step by step."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from cvflow_tui.model.errors import CvflowError

Measures = dict[str, Any]
Listener = Callable[["Step"], None]


@dataclass
class Step:
    """One step: how long it took, and what was measured; `error` if it did not do what it says."""

    name: str
    ok: bool = False
    seconds: float = 0.0
    measures: Measures = field(default_factory=dict)
    error: str | None = None


@dataclass
class DemoReport:
    """The whole path. `error` and `code` are those of the step that failed."""

    home: str
    steps: list[Step] = field(default_factory=list)
    seconds: float = 0.0
    error: str | None = None
    code: str | None = None

    @property
    def ok(self) -> bool:
        """Whether every step did what it says."""
        return self.error is None and bool(self.steps) and all(step.ok for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        """What `cvflow demo --batch --json` prints."""
        told = {"ok": self.ok, "home": self.home, "seconds": round(self.seconds, 3), "steps": [asdict(step) for step in self.steps]}
        return told if self.ok else {**told, "error": self.error, "code": self.code}


class Recorder:
    """Runs steps one after another and writes down how each went; `listener` hears each when it begins and when it is over."""

    def __init__(self, report: DemoReport, listener: Listener | None = None) -> None:
        self._report = report
        self._listener = listener

    async def step(self, name: str, work: Callable[[], Awaitable[Measures]]) -> Measures:
        """Do one step. What it raises is written down under its name, and raised again."""
        step = Step(name)
        self._report.steps.append(step)
        self._tell(step)
        began = time.monotonic()
        try:
            step.measures = await work()
            step.ok = True
        except CvflowError as error:
            step.error, self._report.error, self._report.code = error.message, f"{name}: {error.message}", error.code
            raise
        finally:
            step.seconds = round(time.monotonic() - began, 3)
            self._tell(step)
        return step.measures

    def _tell(self, step: Step) -> None:
        if self._listener is not None:
            self._listener(step)
