"""The workers behind a solver's port, one line each."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from cvflow_tui.model.solvers import RunningSolver, WorkerStatus
from cvflow_tui.model.text import one_line
from cvflow_tui.widgets.cells import fit
from cvflow_tui.widgets.figures import bytes_of, seconds_of
from cvflow_tui.widgets.solver_looks import sign_of, state_cell

MUTED = "$muted"
LOOKS = {"good": "$success", "bad": "$error", "warn": "$warning", "accent": "$accent", "muted": "$muted"}


class WorkerPane(VerticalScroll):
    """Shows a solver and its workers. Scrolls with the arrows once it has the keys."""

    HELP_TITLE = "in the pane"
    DEFAULT_CSS = """
    WorkerPane { height: 1fr; background: $background; padding: 0 1; }
    WorkerPane > Static { height: auto; }
    """

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._shown: RunningSolver | None = None

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static("", markup=False)

    def show(self, solver: RunningSolver | None) -> None:
        """Show a solver's workers, or nothing."""
        if solver != self._shown:
            self._shown = solver
            self.query_one(Static).update(Content("") if solver is None else crew_of(solver))


def crew_of(solver: RunningSolver) -> Content:
    """The solver and its workers as one text."""
    return Content("\n").join([*_head(solver), *_workers(solver.workers)])


def _head(solver: RunningSolver) -> Iterable[Content]:
    cell = state_cell(solver)
    yield Content.styled(one_line(f"{solver.name} {solver.version}"), "bold") + Content("  ") + Content.styled(cell.text, LOOKS[cell.look])
    facts = (solver.url, f"pid {solver.pid}" if solver.pid else "", f"up {seconds_of(solver.uptime)}" if solver.pid else "")
    yield Content.styled(one_line(" · ".join(fact for fact in facts if fact)), MUTED)
    counts = [f"{solver.requests} requests", f"{solver.errors} errors", f"{solver.restarts} restarts"]
    yield Content.styled(" · ".join([*counts, *([f"{solver.waiting} waiting"] if solver.waiting else [])]), MUTED)
    if solver.variants:
        yield Content(one_line(f"also serves {', '.join(solver.variants)}"))
    if solver.asleep:
        yield Content("Unloaded, for nothing was asked; the next request loads it again.")
    if solver.error:
        yield Content.styled(one_line(solver.error, 400), "$error")


def _workers(workers: tuple[WorkerStatus, ...]) -> Iterable[Content]:
    yield Content("")
    if not workers:
        yield Content.styled("no worker", MUTED)
        return
    yield Content.styled(_row("worker", "pid", "memory", "requests", "restarts"), "bold")
    for worker in workers:
        sign, look = sign_of(worker.state)
        pid = str(worker.pid or "–")
        line = _row(f"{sign} {worker.state}", pid, bytes_of(worker.rss) if worker.pid else "–", str(worker.requests), str(worker.restarts))
        yield Content.styled(line, LOOKS[look])
        if worker.error:
            yield Content.styled(f"  {one_line(worker.error, 300)}", "$error")


def _row(state: str, *numbers: str) -> str:
    return fit(state, 10) + "".join(f" {fit(number, width, 'right')}" for number, width in zip(numbers, (7, 7, 8, 8), strict=True))
