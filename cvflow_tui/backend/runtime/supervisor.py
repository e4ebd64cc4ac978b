"""Starts, watches, finds again and ends the runners of one home.

The parts: `crew.py` (what is known of them, and clearing one away), `starting.py`, `looking.py` (asking and waiting), `restarts.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cvflow_tui.backend.processes import boot_id, port_owner
from cvflow_tui.backend.runtime import exchange, logs
from cvflow_tui.backend.runtime.crew import Crew
from cvflow_tui.backend.runtime.devices import NoDevice, check_devices
from cvflow_tui.backend.runtime.log_search import search
from cvflow_tui.backend.runtime.looking import DIED, SERVING, SPARE_SECONDS, Lookout
from cvflow_tui.backend.runtime.polling import history_of, without_process
from cvflow_tui.backend.runtime.records import Run
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.starting import Starter, moved
from cvflow_tui.backend.store.database import Database
from cvflow_tui.home import Home
from cvflow_tui.model.errors import NotFoundError, PackageError, RefusedError
from cvflow_tui.model.settings import SettingsReport, differing
from cvflow_tui.model.solvers import LogChunk, LogSearch, RunningSolver, SolverHistory, SolverState
from cvflow_tui.model.space import full_disk, is_short, no_space
from cvflow_tui.model.text import one_line


class Supervisor:
    """The runners of one home folder. All methods block and may be called from any thread."""

    def __init__(self, home: Home, state: Database, on_first_ready: Callable[[str, str], None] | None = None) -> None:
        """`on_first_ready` is told the package and the version of whatever became ready, once for each in our life."""
        self._crew = Crew(home, state)
        self.settings = self._crew.settings
        self._lookout = Lookout(self._crew, on_first_ready)
        self._starter = Starter(self._crew, self._lookout.settle)
        self.rebooted: list[Run] = []
        self.died: list[Run] = []

    def adopt(self) -> list[RunningSolver]:
        """Find again what an earlier daemon left running; what failed stays to be seen. Returns what runs or failed.

        `rebooted` then holds what ran when the machine went down, `died` whose runner ended while there was no daemon.
        """
        self._starter.find_unlisted()
        for run in self._crew.runs.all():
            with self._crew.lock(run.name):
                if run.pid is None and run.error is None:
                    run = self._starter.recognise(run)  # noqa: PLW2901 - the same row, read anew
                self._adopt(run)
        self._crew.sweep()
        return self.solvers()

    def _adopt(self, run: Run) -> None:
        if run.lives() and not run.leaves:
            self._starter.follow(run)
            return
        if run.lives():  # a daemon that died was about to end it, which may take it some seconds
            threading.Thread(target=self._crew.leave, args=(run,), name=f"stop-{run.name}", daemon=True).start()
            return
        if run.error in (None, DIED) and run.boot_id not in (None, boot_id()):
            self.rebooted.append(run)
        elif run.error is None and run.pid is not None and Path(run.spec).exists():
            self.died.append(run)
        elif run.error is not None and not run.leaves:
            return  # it failed: why, is still to be read
        self._crew.clean(run)

    def solvers(self) -> list[RunningSolver]:
        """Every run, live or failed and not dismissed; at most half a second old."""
        return self._lookout.all()

    def start(self, spec: RunSpec, port: int | None = None, wait: bool = True) -> RunningSolver:
        """Start a solver, or find it running. With `wait`, returns when it is ready.

        Without, it is followed until it is ready or has failed. Raises RefusedError for a port in use (and by whom), PackageError where
        the solver fails to start: no process of it is left then, and why it failed stays to be seen. One that was to be started again,
        its runner having died, is started at its old port.
        """
        with self._crew.lock(spec.name):
            run = self._crew.runs.get(spec.name)
            if run is not None and not self._lookout.is_live(run):
                awaited = self._crew.keeper.mends(run.name, run.pid)
                self._crew.clean(run)
                if awaited and port is None:
                    return self.start_near(spec, run.port, wait)
                run = None
            if run is None:
                spec = self.settings.apply(spec)
                run = self._starter.spawn(spec, port or spec.settings.port)
        if wait:
            return self._lookout.wait(run)
        threading.Thread(target=self.settle, args=(run.name,), name=f"settle-{run.name}", daemon=True).start()
        return self._lookout.at(run)

    def restart(self, spec: RunSpec) -> RunningSolver:
        """Stop a solver that runs, and start it with its settings as they are now, at its old port if that is still free.

        Raises RefusedError where it is set to have a port that somebody else has: it serves on then as it did.
        """
        with self._crew.lock(spec.name):
            run = self._crew.runs.get(spec.name)
            return self._start_anew(spec, run, run.port if run is not None else None)

    def _start_anew(self, spec: RunSpec, run: Run | None, port: int | None) -> RunningSolver:
        """End `run`, and start the solver at that port if it is free.

        Raises RefusedError, ending nothing, where it can't have its own, or a full disk would not let it start again.
        """
        if (fault := self._port_fault(spec.name, run)) is not None:
            raise RefusedError(fault)
        if run is not None and run.lives() and is_short(self._crew.home.root):
            raise no_space(self._crew.home.root)
        if run is not None:
            self._crew.clean(run)
        try:
            return self.start_near(spec, port)
        except RefusedError as error:  # somebody was faster
            self._crew.failed(spec.name, spec.version, error.message)
            raise

    def _port_fault(self, name: str, run: Run | None) -> str | None:
        """Why a solver can't have the port that it is set to have; None where it can, or has it. Only looks: takes no port."""
        wanted = self.settings.get(name).port
        if wanted is None or (run is not None and run.port == wanted and run.lives()):
            return None
        owner = port_owner(wanted)
        return None if owner is None else f"{name} is set to have port {wanted}, which {owner} has; another: cvflow set {name} port=NUMBER"

    def exchange(self, spec: RunSpec, port: int | None = None) -> RunningSolver:
        """Have a solver serve by another specification (another version) with its settings as they are now, at the port it has.

        One that serves is exchanged in its runner: nothing is dropped, and where the new one does not start the old one serves on.
        Every other is started anew, at `port` if that is free. Raises as `start` does.
        """
        with self._crew.lock(spec.name):
            run = self._crew.runs.get(spec.name)
            serves = run is not None and run.lives() and self._lookout.at(run).state in SERVING
            if run is not None and serves and self._exchange(run, spec):
                return self._lookout.wait(self._crew.runs.get(spec.name) or run)
            return self._start_anew(spec, run, (run.port if run is not None else None) or port)

    def _exchange(self, run: Run, spec: RunSpec) -> bool:
        """Whether a runner that serves has gone over. Raises PackageError where the solver does not start."""
        wanted, file = replace(self.settings.apply(spec), token=run.token), Path(run.spec)
        new = exchange.beside(file)
        try:
            wanted.save(new)
            if not exchange.exchange(run, new, wanted.settings.start_timeout + SPARE_SECONDS):
                return False
            new.replace(file)
        except OSError as error:
            raise full_disk(error) or PackageError(f"{spec.name} can't be started: {error}") from error
        except PackageError as error:
            raise PackageError(error.message, detail=self._crew.tail(spec.name)) from error
        finally:
            new.unlink(missing_ok=True)
        self._crew.runs.exchanged(run.name, run.pid, spec.version)
        self._crew.changed()
        return True

    def start_near(self, spec: RunSpec, port: int | None, wait: bool = True) -> RunningSolver:
        """Start a solver at the port it had; at any other where somebody has taken that, unless it is set to have it."""
        with self._crew.lock(spec.name):
            try:
                return self.start(spec, port if self.settings.get(spec.name).port is None else None, wait)
            except RefusedError:
                if port is None or self.settings.get(spec.name).port is not None or self._crew.runs.get(spec.name) is not None:
                    raise
                self._crew.say(spec.name, moved(spec.name, port))
                return self.start(spec, None, wait)

    def settle(self, name: str) -> None:
        """Return once a solver that is starting is ready, has failed (which stays to be seen) or was stopped."""
        self._lookout.settle(name)

    def failed(self, name: str, version: str, why: str) -> None:
        """Remember, to be seen, that a solver which should run could not even be started."""
        self._crew.failed(name, version, why)

    def report(self, name: str, package: str) -> SettingsReport:
        """A solver's settings, and what of them it does not run with yet."""
        settings, run = self.settings.get(name), self._crew.runs.get(name)
        variables = sorted(self.settings.environment(package, name))
        pending: tuple[str, ...] = ()
        if run is not None and run.lives():
            started = RunSpec.load(Path(run.spec))
            pending = differing(started.settings, settings)
            if settings.port not in (None, run.port):
                pending += ("port",)
            if started.environment != self.settings.environment(package, name):
                pending += ("env",)
        chosen = tuple(self.settings.chosen(name))
        warnings: tuple[str, ...] = ()
        try:
            check_devices(settings.gpu)
        except NoDevice as error:  # it may be plugged in later; until then the solver does not start
            warnings = (f"{error}: until it is there, {name} does not start",)
        if (fault := self._port_fault(name, run)) is not None:
            warnings += (fault,)
        if settings.local_files is not None and not Path(settings.local_files).is_dir():
            warnings += (f"local_files={one_line(settings.local_files)}: there is no such folder, so no request finds a picture in it",)
        return SettingsReport(name, settings, chosen, tuple(variables), run is not None and run.lives(), pending, warnings)

    def stop(self, name: str) -> RunningSolver:
        """End a solver, or dismiss a failed one; when this returns no process and no port is left. Raises NotFoundError."""
        with self._crew.lock(name):
            run = self._crew.runs.get(name)
            if run is None:
                raise NotFoundError(f"{name} is not running")
            self._crew.leave(run)
            return without_process(run, SolverState.STOPPED)

    def stop_all(self) -> list[RunningSolver]:
        """End every solver, side by side."""
        names = [run.name for run in self._crew.runs.all()]
        stopped: list[RunningSolver] = []
        threads = [threading.Thread(target=self._stop_into, args=(name, stopped), name=f"stop-{name}") for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return stopped

    def endpoint(self, name: str) -> tuple[str, str] | None:
        """Where a live solver listens, and the token of its control routes; None where it does not run."""
        run = self._crew.runs.get(name)
        return (run.url, run.token) if run is not None and run.lives() else None

    def log(
        self, name: str, offset: int | None = None, limit: int = 65536, wait: float = 0.0, *, file: str = "", until: int | None = None
    ) -> LogChunk:
        """A piece of a solver's log; see `logs.read_log`."""
        return logs.read_log(self._crew.log_file(name), offset, limit, wait, self._crew.let_go, file=file, until=until)

    def search_log(self, name: str, text: str, level: str, since: float | None, limit: int) -> LogSearch:
        """Lines of a solver's log and its older files; see `log_search.search`."""
        return search(self._crew.log_file(name), text, level, since, limit)

    def history(self, name: str) -> SolverHistory:
        """A running solver's last minutes. Raises NotFoundError where it does not run, RemoteError where its runner does not tell."""
        run = self._crew.runs.get(name)
        if run is None or not run.lives():
            raise NotFoundError(f"{name} is not running")
        return history_of(run)

    def let_go(self) -> None:
        """Answer at once whoever waits for a log to grow, and start no runner again: the daemon is about to end."""
        self._crew.let_go.set()

    def close(self) -> None:
        """The daemon ends; the runners live on."""
        self._crew.let_go.set()
        self._lookout.close()

    def _stop_into(self, name: str, stopped: list[RunningSolver]) -> None:
        try:
            stopped.append(self.stop(name))
        except NotFoundError:
            return  # someone else was faster
