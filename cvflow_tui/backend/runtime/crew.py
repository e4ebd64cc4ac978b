"""What the parts of the supervisor share: which runners there are, what is remembered of them, and how one is cleared away."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from pathlib import Path

from cvflow_tui.backend.runtime import logs, sessions
from cvflow_tui.backend.runtime.keeper import Keeper
from cvflow_tui.backend.runtime.records import Run, Runs
from cvflow_tui.backend.runtime.runner.scratch import SHARED_MEMORY, sweep
from cvflow_tui.backend.runtime.settings import Settings
from cvflow_tui.backend.store.database import Database
from cvflow_tui.home import Home
from cvflow_tui.model.errors import PackageError

log = logging.getLogger(__name__)


class Crew:
    """The runners of one home: their rows, their locks, why they failed. Thread-safe; what changes a solver holds its `lock`."""

    def __init__(self, home: Home, state: Database) -> None:
        self.home = home
        self.settings = Settings(state)
        self.runs = Runs(state)
        self.keeper = Keeper()
        self.failures: dict[str, PackageError] = {}
        """By name, with the whole of what was told: a row keeps one line of it."""
        self.let_go = threading.Event()
        """Set once the daemon is about to end: nobody waits, nothing is started again."""
        self.changes = 0
        """Moves with every change: what was seen before it is no longer true."""
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        self._guard = threading.Lock()

    def lock(self, name: str) -> threading.RLock:
        """One solver's."""
        with self._guard:
            return self._locks[name]

    def changed(self) -> None:
        """What was seen of them is no longer true."""
        self.changes += 1

    # -- files

    def spec_file(self, name: str) -> Path:
        """Where a solver's specification is written for its runner."""
        return self.home.specification(name)

    def log_file(self, name: str) -> Path:
        """Where a solver's log is written. A runner that an older version of us started has it under its specification's name."""
        run = self.runs.get(name)
        if run is not None and Path(run.spec).name != self.spec_file(name).name:
            return self.home.logs / f"{Path(run.spec).stem}.log"
        return logs.log_path(self.home, name)

    def tail(self, name: str) -> str:
        """The end of a solver's log."""
        return logs.read_log(self.log_file(name), None, 8192, 0.0, self.let_go).text

    def say(self, name: str, what: str) -> None:
        """In our log and in the solver's own, which no runner writes now."""
        log.warning("%s: %s", name, what)
        logs.note(self.log_file(name), what)

    # -- the end of a run

    def end(self, run: Run) -> None:
        """No process of the run, and no upload."""
        sessions.end(run)
        if run.pid is not None:
            self.sweep(run.pid)

    def sweep(self, owner: int | None = None) -> None:
        """Take away the uploads of runners (one, by its process) that were killed: they could not do it themselves."""
        for folder in (SHARED_MEMORY, self.home.runs):
            if folder.is_dir():
                sweep(folder, owner)

    def clean(self, run: Run) -> None:
        """No process, no port, no specification, no row."""
        self.end(run)
        current = self.runs.get(run.name)
        if current is not None and current.pid in (run.pid, None):
            Path(run.spec).unlink(missing_ok=True)
            self.runs.delete(run.name, current.pid)
        self.keeper.forget(run.name)
        self.changed()

    def leave(self, run: Run) -> None:
        """Stop a run on somebody's wish: a daemon that dies over it leaves that to the next one."""
        with self.lock(run.name):
            self.runs.leave(run.name, run.pid)
            self.clean(run)

    def failed(self, name: str, version: str, why: str) -> None:
        """Remember, to be seen, that a solver which should run could not even be started."""
        with self.lock(name):
            if self.runs.get(name) is None:
                self.runs.insert(name, version, str(self.spec_file(name)), "", 0)
                self.runs.fail(name, None, why)
        self.changed()

    def end_failed(self, run: Run, why: str) -> PackageError:
        """Clear away a run that failed but for its row, which says why until it is started anew or dismissed. Returns what to tell."""
        with self.lock(run.name):
            if (known := self.failures.get(run.name)) is not None and not run.lives():
                error = known
            else:
                error = PackageError(f"{run.name} failed to start: {why}", detail=self.tail(run.name))
                self.failures[run.name] = error
            self.end(run)
            current = self.runs.get(run.name)
            if current is not None and current.pid == run.pid:
                Path(run.spec).unlink(missing_ok=True)  # it may hold secrets, and nobody reads it again
                self.runs.fail(run.name, run.pid, why)
        self.changed()
        return error
