"""Whether a solver may be stopped: asked while somebody uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvflow_tui.model.solvers import RunningSolver

if TYPE_CHECKING:
    from cvflow_tui.app import CvflowApp


async def may_stop(app: CvflowApp, solver: RunningSolver) -> bool:
    """Ask where requests reached it within the last ten seconds; whatever is idle may be stopped. Call it from a worker."""
    from cvflow_tui.screens.dialogs import confirm

    if not solver.state.is_live or solver.rate <= 0:
        return True
    text = f"It gets {solver.rate:.1f} requests a second. Those under way are answered; the next ones find nobody."
    return bool(await app.run_dialog(confirm(f"Stop {solver.name}?", text, "stop", "keep serving")))
