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


def state_cell(solver: RunningSolver | None) -> Cell:
    """The state of a solver; one that does not run is stopped."""
    state = SolverState.STOPPED if solver is None else solver.state
    sign, look = SIGNS[state]
    return Cell(f"{sign} {state.value}", look)
