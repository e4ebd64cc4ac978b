"""Starts, watches, finds again and ends the runners of one home."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cvflow_tui.backend.processes import boot_id, start_time
from cvflow_tui.backend.runtime import exchange, logs, ports, sessions
from cvflow_tui.backend.runtime.log_search import search
from cvflow_tui.backend.runtime.marks import bearers
from cvflow_tui.backend.runtime.polling import Poller, as_solver, history_of, status_of, without_process
from cvflow_tui.backend.runtime.records import Run, Runs
from cvflow_tui.backend.runtime.runner.scratch import SHARED_MEMORY, sweep
from cvflow_tui.backend.runtime.settings import Settings
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.worker import RUN_MARK
from cvflow_tui.backend.store.database import Database
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError, NotFoundError, PackageError, RefusedError
from cvflow_tui.model.settings import SettingsReport, differing
from cvflow_tui.model.solvers import LogChunk, LogSearch, RunningSolver, SolverHistory, SolverState
from cvflow_tui.model.space import full_disk

SPARE_SECONDS = 10.0
"""How much longer than its start may take we wait for a solver: its runner knows best why it is not ready."""

log = logging.getLogger(__name__)

CACHED_SECONDS = 0.5
_PACKAGE_ROOT = Path(__file__).resolve().parents[3]
_DIED = "its runner ended unexpectedly (see the log)"


class Supervisor:
    """The runners of one home folder. All methods block and may be called from any thread."""

    def __init__(self, home: Home, state: Database, on_first_ready: Callable[[str, str], None] | None = None) -> None:
        """`on_first_ready` is told the package and the version of whatever became ready, once for each in our life."""
        self.settings = Settings(state)
        self._home = home
        self._on_first_ready = on_first_ready
        self._proven: set[tuple[str, str]] = set()
        self.rebooted: list[Run] = []
        self._runs = Runs(state)
        self._poller = Poller()
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        self._guard = threading.Lock()
        self._polling = threading.Lock()
        self._let_go = threading.Event()
        self._changes = 0
        self._seen: tuple[float, int, list[RunningSolver]] = (float("-inf"), 0, [])
        self._failures: dict[str, PackageError] = {}

    def adopt(self) -> list[RunningSolver]:
        """Find again what an earlier daemon left running; forget what did not survive. Returns what runs.

        `rebooted` then holds what ran when the machine went down.
        """
        for run in self._runs.all():
            with self._lock(run.name):
                if run.pid is None and run.error is None:
                    run = self._recognise(run)  # noqa: PLW2901 - the same row, read anew
                if not run.lives():
                    if run.error in (None, _DIED) and run.boot_id not in (None, boot_id()):
                        self.rebooted.append(run)
                    self._clean(run)
        self._sweep()
        return self.solvers()

    def solvers(self) -> list[RunningSolver]:
        """Every run, live or failed and not dismissed; at most half a second old."""
        with self._polling:
            seen_at, changes, known = self._seen
            if changes == self._changes and time.monotonic() - seen_at < CACHED_SECONDS:
                return list(known)
            changes, runs = self._changes, self._runs.all()
            live = {run.name: run for run in runs if run.lives()}
            told = dict(zip(live, self._poller.ask(live.values()), strict=True))
            found = [as_solver(run, told[run.name]) if run.name in live else self._dead(run) for run in runs]
            for solver in found:
                self._note(solver)
            shown = [solver if solver.state.is_live else replace(solver, pid=None, port=None, url=None) for solver in found]
            self._seen = (time.monotonic(), changes, shown)
        for solver in found:
            if solver.state is SolverState.FAILED and solver.pid is not None:
                # A solver that can't start needs no process and no port; why stays, until it is started again or dismissed.
                self._end_failed(live[solver.name], solver.error or "failed", keep=True)
        return list(shown)

    def start(self, spec: RunSpec, port: int | None = None, wait: bool = True) -> RunningSolver:
        """Start a solver, or find it running. With `wait`, returns when it is ready.

        Without, it is followed until it is ready or has failed; a failure stays to be seen. Raises RefusedError for a port in use (and
        by whom), PackageError where the solver fails to start: nothing of it is left then.
        """
        with self._lock(spec.name):
            run = self._runs.get(spec.name)
            if run is not None and not self._serves(run):
                self._clean(run)
                run = None
            if run is None:
                spec = self.settings.apply(spec)
                run = self._spawn(spec, port or spec.settings.port)
        if wait:
            return self._wait(run)
        threading.Thread(target=self.settle, args=(run.name,), name=f"settle-{run.name}", daemon=True).start()
        return self._look(run)

    def restart(self, spec: RunSpec) -> RunningSolver:
        """Stop a solver that runs, and start it with its settings as they are now, at its old port if that is still free."""
        with self._lock(spec.name):
            run = self._runs.get(spec.name)
            if run is not None:
                self._clean(run)
            return self.start_near(spec, run.port if run is not None else None)

    def exchange(self, spec: RunSpec, port: int | None = None) -> RunningSolver:
        """Have a solver serve by another specification (another version) with its settings as they are now, at the port it has.

        One that serves is exchanged in its runner: nothing is dropped, and where the new one does not start the old one serves on.
        Every other is started anew, at `port` if that is free. Raises as `start` does.
        """
        with self._lock(spec.name):
            run = self._runs.get(spec.name)
            serves = run is not None and run.lives() and self._look(run).state in (SolverState.READY, SolverState.BUSY)
            if run is not None and serves and self._exchange(run, spec):
                return self._wait(self._runs.get(spec.name) or run)
            if run is not None:
                self._clean(run)
                port = run.port or port
            return self.start_near(spec, port)

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
            raise PackageError(error.message, detail=self._tail(spec.name)) from error
        finally:
            new.unlink(missing_ok=True)
        self._runs.exchanged(run.name, run.pid, spec.version)
        self._forget_seen()
        return True

    def start_near(self, spec: RunSpec, port: int | None, wait: bool = True) -> RunningSolver:
        """Start a solver at the port it had; at any other where somebody has taken that, unless it is set to have it."""
        with self._lock(spec.name):
            try:
                return self.start(spec, port if self.settings.get(spec.name).port is None else None, wait)
            except RefusedError:
                if port is None or self.settings.get(spec.name).port is not None or self._runs.get(spec.name) is not None:
                    raise
                log.warning("%s had port %d, which somebody else has now", spec.name, port)
                return self.start(spec, None, wait)

    def settle(self, name: str) -> None:
        """Return once a solver that is starting is ready, has failed (which stays to be seen) or was stopped."""
        run = self._runs.get(name)
        if run is None:
            return
        try:
            self._wait(run, keep=True)
        except CvflowError as error:
            log.info("%s", error.message)
        except sqlite3.Error as error:
            log.info("%s is not followed any more: %s", name, error)  # the daemon has closed its files

    def failed(self, name: str, version: str, why: str) -> None:
        """Remember, to be seen, that a solver which should run could not even be started."""
        with self._lock(name):
            if self._runs.get(name) is None:
                self._runs.insert(name, version, str(self._spec_file(name)), "", 0)
                self._runs.fail(name, None, why)
        self._forget_seen()

    def report(self, name: str, package: str) -> SettingsReport:
        """A solver's settings, and what of them it does not run with yet."""
        settings, run = self.settings.get(name), self._runs.get(name)
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
        return SettingsReport(name, settings, chosen, tuple(variables), run is not None and run.lives(), pending)

    def stop(self, name: str) -> RunningSolver:
        """End a solver, or dismiss a failed one; when this returns no process and no port is left. Raises NotFoundError."""
        with self._lock(name):
            run = self._runs.get(name)
            if run is None:
                raise NotFoundError(f"{name} is not running")
            self._clean(run)
            return without_process(run, SolverState.STOPPED)

    def stop_all(self) -> list[RunningSolver]:
        """End every solver, side by side."""
        names = [run.name for run in self._runs.all()]
        stopped: list[RunningSolver] = []
        threads = [threading.Thread(target=self._stop_into, args=(name, stopped), name=f"stop-{name}") for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return stopped

    def endpoint(self, name: str) -> tuple[str, str] | None:
        """Where a live solver listens, and the token of its control routes; None where it does not run."""
        run = self._runs.get(name)
        return (run.url, run.token) if run is not None and run.lives() else None

    def log(
        self, name: str, offset: int | None = None, limit: int = 65536, wait: float = 0.0, *, file: str = "", until: int | None = None
    ) -> LogChunk:
        """A piece of a solver's log; see `logs.read_log`."""
        return logs.read_log(self._log_file(name), offset, limit, wait, self._let_go, file=file, until=until)

    def search_log(self, name: str, text: str, level: str, since: float | None, limit: int) -> LogSearch:
        """Lines of a solver's log and its older files; see `log_search.search`."""
        return search(self._log_file(name), text, level, since, limit)

    def history(self, name: str) -> SolverHistory:
        """A running solver's last minutes. Raises NotFoundError where it does not run, RemoteError where its runner does not tell."""
        run = self._runs.get(name)
        if run is None or not run.lives():
            raise NotFoundError(f"{name} is not running")
        return history_of(run)

    def let_go(self) -> None:
        """Answer at once whoever waits for a log to grow: the daemon is about to end."""
        self._let_go.set()

    def close(self) -> None:
        """The daemon ends; the runners live on."""
        self._poller.close()

    # -- inside

    def _serves(self, run: Run) -> bool:
        """Whether a live runner stands behind it whose solver has not failed."""
        return run.lives() and as_solver(run, status_of(run.port)).state.is_live

    def _lock(self, name: str) -> threading.RLock:
        with self._guard:
            return self._locks[name]

    def _spawn(self, spec: RunSpec, port: int | None) -> Run:
        self._home.make()
        listening = ports.listen(port)
        try:
            token = secrets.token_urlsafe(32)
            file = self._spec_file(spec.name)
            replace(spec, token=token).save(file)
            bound = int(listening.getsockname()[1])
            try:
                self._runs.insert(spec.name, spec.version, str(file), token, bound)
                self._failures.pop(spec.name, None)
                self._run(spec.name, file, listening)
            except (OSError, sqlite3.Error) as error:
                file.unlink(missing_ok=True)
                with suppress(sqlite3.Error):  # a full disk may not take that either; a row without process is forgotten by `adopt`
                    self._runs.delete(spec.name, None)
                raise full_disk(error) or PackageError(f"{spec.name} can't be started: {error}") from error
        finally:
            listening.close()
        self._forget_seen()
        run = self._runs.get(spec.name)
        assert run is not None
        return run

    def _recognise(self, run: Run) -> Run:
        """A runner that was started by a daemon that died before it could write down which process it is."""
        told = status_of(run.port)
        if told is None or (told["package"], told["solver"]) != (run.package, run.solver):
            return run
        pid = int(told["id"])
        if pid not in bearers(RUN_MARK, run.spec):
            return run  # somebody else has the port now, whatever it says it is
        self._runs.record_process(run.name, pid, start_time(pid), boot_id())
        return self._runs.get(run.name) or run

    def _run(self, name: str, file: Path, listening: socket.socket) -> None:
        """Start the runner: a session of its own, so that nothing that ends us ends it."""
        log = self._log_file(name)
        options = ["--spec", str(file), "--fd", str(listening.fileno()), "--log", str(log), "--scratch", str(self._home.runs)]
        with log.open("ab") as output:
            log.chmod(0o600)
            process = subprocess.Popen(
                [sys.executable, "-m", "cvflow_tui.backend.runtime.runner", *options],
                cwd=_PACKAGE_ROOT,
                env={**os.environ, RUN_MARK: str(file)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(listening.fileno(),),
                start_new_session=True,
            )
        try:
            self._runs.record_process(name, process.pid, start_time(process.pid), boot_id())
        except BaseException:
            process.kill()  # nobody would know it again
            process.wait()
            raise
        # Someone must reap it, or it stays behind as a zombie for as long as we live.
        threading.Thread(target=self._reap, args=(process,), name=f"reap-{name}", daemon=True).start()

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._sweep(process.pid)

    def _wait(self, run: Run, *, keep: bool = False) -> RunningSolver:
        """The solver once it is ready. Raises PackageError with why it is not; `keep` leaves its row then, to be seen."""
        limit = self.settings.get(run.name).start_timeout
        deadline = time.monotonic() + limit + SPARE_SECONDS
        pause = 0.02
        while time.monotonic() < deadline:
            told = status_of(run.port, timeout=5.0)
            solver = as_solver(run, told)
            if solver.state in (SolverState.READY, SolverState.BUSY):
                self._forget_seen()
                self._note(solver)
                return solver
            if solver.state is SolverState.FAILED:
                raise self._end_failed(run, solver.error or "failed", keep=keep)
            if not run.lives():
                raise self._gone(run, keep)
            if keep and self._let_go.is_set():
                return solver  # nobody waits, and the daemon is about to end
            time.sleep(pause)
            pause = min(0.1, pause * 1.2)
        raise self._end_failed(run, f"it was not ready after {limit:g} s (setting start_timeout)", keep=keep)

    def _note(self, solver: RunningSolver) -> None:
        """A version of a package has shown that it starts."""
        proven = (solver.package, solver.version)
        if solver.state in (SolverState.READY, SolverState.BUSY) and proven not in self._proven:
            try:
                if self._on_first_ready is not None:
                    self._on_first_ready(*proven)
            except (CvflowError, sqlite3.Error) as error:  # told again at the next look; what serves is shown all the same
                log.warning("that %s %s has started could not be noted: %s", *proven, error)
            else:
                self._proven.add(proven)

    def _spec_file(self, name: str) -> Path:
        return self._home.specification(name)

    def _log_file(self, name: str) -> Path:
        """Where a solver's log is written. A runner that an older version of us started has it under its specification's name."""
        run = self._runs.get(name)
        if run is not None and Path(run.spec).name != self._spec_file(name).name:
            return self._home.logs / f"{Path(run.spec).stem}.log"
        return logs.log_path(self._home, name)

    def _look(self, run: Run) -> RunningSolver:
        return as_solver(run, status_of(run.port, timeout=0.2))

    def _end_failed(self, run: Run, why: str, *, keep: bool) -> PackageError:
        """Clear away a run that failed; `keep` leaves its row, to be seen. Returns what to tell."""
        with self._lock(run.name):
            if (known := self._failures.get(run.name)) is not None and not run.lives():
                error = known
            else:
                error = PackageError(f"{run.name} failed to start: {why}", detail=self._tail(run.name))
                self._failures[run.name] = error
            if keep:
                self._end(run)
                self._runs.fail(run.name, run.pid, why)
            else:
                self._clean(run)
        self._forget_seen()
        return error

    def _gone(self, run: Run, keep: bool) -> PackageError | RefusedError:
        """Why a runner that we waited for is no more."""
        with self._lock(run.name):
            if (known := self._failures.get(run.name)) is not None:
                if not keep:
                    self._clean(run)
                return known
            current = self._runs.get(run.name)
            if current is None or current.pid != run.pid:
                return RefusedError(f"{run.name} was stopped while it started")
        return self._end_failed(run, _DIED, keep=keep)

    def _end(self, run: Run) -> None:
        """No process of the run, and no upload."""
        sessions.end(run)
        if run.pid is not None:
            self._sweep(run.pid)

    def _sweep(self, owner: int | None = None) -> None:
        """Take away the uploads of runners (one, by its process) that were killed: they could not do it themselves."""
        for folder in (SHARED_MEMORY, self._home.runs):
            if folder.is_dir():
                sweep(folder, owner)

    def _clean(self, run: Run) -> None:
        """No process, no port, no specification, no row."""
        self._end(run)
        current = self._runs.get(run.name)
        if current is not None and current.pid in (run.pid, None):
            Path(run.spec).unlink(missing_ok=True)
            self._runs.delete(run.name, current.pid)
        self._forget_seen()

    def _dead(self, run: Run) -> RunningSolver:
        """A row without its process: it failed, is about to be recorded, or its runner was killed."""
        if run.pid is None and run.error is None:
            return without_process(run, SolverState.STARTING)
        if run.error is None:
            self._end(run)
            self._runs.fail(run.name, run.pid, _DIED)
        return without_process(run, SolverState.FAILED, run.error or _DIED)

    def _stop_into(self, name: str, stopped: list[RunningSolver]) -> None:
        try:
            stopped.append(self.stop(name))
        except NotFoundError:
            return  # someone else was faster

    def _tail(self, name: str) -> str:
        return self.log(name, None, 8192).text

    def _forget_seen(self) -> None:
        self._changes += 1
