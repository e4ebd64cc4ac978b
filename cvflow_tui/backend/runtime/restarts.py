"""A runner that has ended unasked is started again, after a pause: which, and when no more, the keeper decides."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from cvflow_tui.backend.runtime.crew import Crew
from cvflow_tui.backend.runtime.records import Run
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.model.errors import CvflowError, RefusedError

log = logging.getLogger(__name__)


class Restarts:
    """Is told of every runner's end. `spawn_near` starts one at the port it had, `settle` returns once its solver is ready or failed."""

    def __init__(self, crew: Crew, spawn_near: Callable[[RunSpec, int], Run], settle: Callable[[str], None]) -> None:
        self._crew = crew
        self._spawn_near = spawn_near
        self._settle = settle

    def ended(self, name: str, pid: int, how_it_ended: str) -> None:
        """Start a runner that has ended again, after a pause: unless somebody ended it, it never served, or it ended too often."""
        crew = self._crew
        try:
            with crew.lock(name):
                run = crew.runs.get(name)
                if crew.let_go.is_set() or run is None or run.pid != pid or run.error is not None or not crew.keeper.mends(name, pid):
                    return
                crew.end(run)
                if not Path(run.spec).exists():  # it was told so over its own port (`control.py`)
                    self._give_up(run, "it was told to stop over its own port")
                    return
                if (pause := crew.keeper.died(name, how_it_ended)) is None:
                    self._give_up(run, crew.keeper.why(name))
                    return
                crew.say(name, crew.keeper.why(name))
            while pause is not None:
                crew.changed()
                if crew.let_go.wait(pause):
                    return
                pause = self._again(name, pid)
        except sqlite3.Error as error:
            log.info("%s is not followed any more: %s", name, error)  # the daemon has closed its files
        except Exception:
            log.exception("%s could not be started again", name)  # a thread has nobody to raise to; the list shows it as failed
            crew.keeper.forget(name)
            crew.changed()

    def _again(self, name: str, pid: int) -> float | None:
        """Start a solver as it was, at the port it had, with its settings as they are now; unless somebody was faster.

        Seconds until it is to be tried once more, where somebody else has the port that it must have.
        """
        crew = self._crew
        with crew.lock(name):
            run = crew.runs.get(name)
            if crew.let_go.is_set() or run is None or run.pid != pid or run.error is not None:
                return None
            try:
                started = self._spawn_near(crew.settings.apply(RunSpec.load(Path(run.spec))), run.port)
            except RefusedError as error:
                if (pause := crew.keeper.refused(name, error.message)) is None:
                    self._give_up(run, error.message)
                else:
                    crew.say(name, crew.keeper.why(name))
                return pause
            except CvflowError as error:
                self._give_up(run, error.message)
                return None
            crew.keeper.served(name, started.pid or 0)
        self._settle(name)
        return None

    def _give_up(self, run: Run, why: str) -> None:
        crew = self._crew
        crew.say(run.name, why)
        Path(run.spec).unlink(missing_ok=True)
        if crew.runs.get(run.name) is None:
            crew.failed(run.name, run.version, why)
        else:
            crew.runs.fail(run.name, run.pid, why)
        crew.keeper.forget(run.name)  # last: who looks meanwhile must not take it for one that nobody knows anything of
        crew.changed()
