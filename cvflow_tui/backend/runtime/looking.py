"""How the runners of a home are: asked all at once, or one waited for until it is ready."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cvflow_tui.backend.runtime.crew import Crew
from cvflow_tui.backend.runtime.polling import Poller, as_solver, status_of, without_process
from cvflow_tui.backend.runtime.records import Run
from cvflow_tui.model.errors import CvflowError, PackageError, RefusedError
from cvflow_tui.model.solvers import RunningSolver, SolverState

CACHED_SECONDS = 0.5
DIED = "its runner ended unexpectedly (see the log)"
SPARE_SECONDS = 10.0
"""How much longer than its start may take we wait for a solver: its runner knows best why it is not ready."""

SERVING = (SolverState.READY, SolverState.BUSY)

log = logging.getLogger(__name__)


class Lookout:
    """Looks at the runners of a crew. `on_first_ready` is told the package and version of whatever became ready, once for each."""

    def __init__(self, crew: Crew, on_first_ready: Callable[[str, str], None] | None = None) -> None:
        self._crew = crew
        self._on_first_ready = on_first_ready
        self._proven: set[tuple[str, str]] = set()
        self._poller = Poller()
        self._polling = threading.Lock()
        self._seen: tuple[float, int, list[RunningSolver]] = (float("-inf"), 0, [])

    def close(self) -> None:
        """Ask nobody any more."""
        self._poller.close()

    def all(self) -> list[RunningSolver]:
        """Every run, live or failed and not dismissed; at most half a second old."""
        crew = self._crew
        with self._polling:
            seen_at, changes, known = self._seen
            if changes == crew.changes and time.monotonic() - seen_at < CACHED_SECONDS:
                return list(known)
            changes, runs = crew.changes, crew.runs.all()
            live = {run.name: run for run in runs if run.lives()}
            runs = [run for run in runs if run.name in live or not run.leaves]
            told = dict(zip(live, self._poller.ask(live.values()), strict=True))
            found = [self._living(run, told[run.name]) if run.name in live else self._dead(run) for run in runs]
            for solver in found:
                self._note(solver)
            shown = [solver if solver.state.is_live else replace(solver, pid=None, port=None, url=None) for solver in found]
            self._seen = (time.monotonic(), changes, shown)
        for solver in found:
            if solver.state is SolverState.FAILED and solver.pid is not None:
                # A solver that can't start needs no process and no port; why stays, until it is started again or dismissed.
                crew.end_failed(live[solver.name], solver.error or "failed")
        return list(shown)

    def at(self, run: Run) -> RunningSolver:
        """A live run, asked just now."""
        return self._living(run, status_of(run.port, timeout=0.2))

    def is_live(self, run: Run) -> bool:
        """Whether a live runner stands behind it whose solver has not failed."""
        return run.lives() and as_solver(run, status_of(run.port)).state.is_live

    def wait(self, run: Run) -> RunningSolver:
        """The solver once it is ready. Raises PackageError with why it is not; its row stays then, to be seen."""
        crew = self._crew
        limit = crew.settings.get(run.name).start_timeout
        deadline = time.monotonic() + limit + SPARE_SECONDS
        pause = 0.02
        while time.monotonic() < deadline:
            told = status_of(run.port, timeout=5.0)
            solver = as_solver(run, told)
            if solver.state in SERVING:
                crew.changed()
                self._note(solver)
                return solver
            if solver.state is SolverState.FAILED:
                raise crew.end_failed(run, solver.error or "failed")
            if not run.lives():
                raise self._gone(run)
            if crew.let_go.is_set():
                return solver  # the daemon is about to end; the next one finds it
            time.sleep(pause)
            pause = min(0.05, pause * 1.2)
        raise crew.end_failed(run, f"it was not ready after {limit:g} s (setting start_timeout)")

    def settle(self, name: str) -> None:
        """Return once a solver that is starting is ready, has failed (which stays to be seen) or was stopped."""
        run = self._crew.runs.get(name)
        if run is None:
            return
        try:
            self.wait(run)
        except CvflowError as error:
            log.info("%s", error.message)
        except sqlite3.Error as error:
            log.info("%s is not followed any more: %s", name, error)  # the daemon has closed its files

    def _note(self, solver: RunningSolver) -> None:
        """A solver serves; a version of a package has shown that it starts."""
        if solver.state in SERVING and solver.pid is not None:
            self._crew.keeper.served(solver.name, solver.pid)
        proven = (solver.package, solver.version)
        if solver.state in SERVING and proven not in self._proven:
            try:
                if self._on_first_ready is not None:
                    self._on_first_ready(*proven)
            except (CvflowError, sqlite3.Error) as error:  # told again at the next look; what serves is shown all the same
                log.warning("that %s %s has started could not be noted: %s", *proven, error)
            else:
                self._proven.add(proven)

    def _living(self, run: Run, told: dict[str, Any] | None) -> RunningSolver:
        solver = as_solver(run, told)
        return replace(solver, restarts=solver.restarts + self._crew.keeper.restarts(run.name))

    def _dead(self, run: Run) -> RunningSolver:
        """A row without its process: it failed, is about to be recorded, or its runner was killed."""
        crew = self._crew
        if run.pid is None and run.error is None:
            return without_process(run, SolverState.STARTING)
        if run.error is None and crew.keeper.mends(run.name, run.pid):
            restarts = crew.keeper.restarts(run.name)
            return replace(without_process(run, SolverState.BACKOFF, crew.keeper.why(run.name) or DIED), restarts=restarts)
        if run.error is None:
            crew.end(run)
            crew.runs.fail(run.name, run.pid, DIED)  # nothing, where a reason was written meanwhile
            run = crew.runs.get(run.name) or run
        return without_process(run, SolverState.FAILED, run.error or DIED)

    def _gone(self, run: Run) -> PackageError | RefusedError:
        """Why a runner that we waited for is no more."""
        crew = self._crew
        with crew.lock(run.name):
            if (known := crew.failures.get(run.name)) is not None:
                return known
            if crew.keeper.restarts(run.name) or crew.keeper.mends(run.name, run.pid):
                return PackageError(f"{run.name}: its runner ended while it started; it is started again (see cvflow ps)")
            current = crew.runs.get(run.name)
            if current is None or current.pid != run.pid:
                return RefusedError(f"{run.name} was stopped while it started")
        return crew.end_failed(run, DIED)
