"""How the state of a solver looks: a sign and a word, and a colour that neither needs."""

from __future__ import annotations

from cvflow_tui.model.solvers import RunningSolver, SolverState
from cvflow_tui.widgets.virtual_table import Cell

SIGNS: dict[SolverState, tuple[str, str]] = {
    SolverState.STARTING: ("◌", "accent"),
    SolverState.READY: ("●", "good"),
    SolverState.BUSY: ("◉", "good"),
    SolverState.BACKOFF: ("◐", "warn"),
    SolverState.FAILED: ("✗", "bad"),
    SolverState.STOPPED: ("○", "muted"),
}


ASLEEP = ("◌", "muted")
"""How one looks whose workers are unloaded."""


def sign_of(state: str) -> tuple[str, str]:
    """The sign and the look of a worker's state: a solver's, or `asleep`."""
    return SIGNS[SolverState(state)] if state in {each.value for each in SolverState} else ASLEEP


def state_cell(solver: RunningSolver | None) -> Cell:
    """The state of a solver, and how many of its workers serve where there are several; one that does not run is stopped."""
    state = SolverState.STOPPED if solver is None else solver.state
    sign, look = SIGNS[state]
    if solver is None or not state.is_live:
        return Cell(f"{sign} {state.value}", look)
    if solver.asleep:
        return Cell(f"{ASLEEP[0]} asleep", ASLEEP[1])
    # While none serves, the state says so.
    count = f" {solver.replicas_ready}/{solver.replicas}" if solver.replicas > 1 and look == "good" else ""
    # Some of its workers do not serve: it answers, but slower than it was meant to.
    look = "warn" if count and solver.replicas_ready < solver.replicas else look
    return Cell(f"{sign} {state.value}{count}", look)
