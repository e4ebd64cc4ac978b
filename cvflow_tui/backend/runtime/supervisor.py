"""Starts, watches, finds again and ends the runners of one home."""

from __future__ import annotations

import logging
import secrets
import socket
import sqlite3
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from cvflow_tui.backend.processes import boot_id, port_owner, start_time
from cvflow_tui.backend.runtime import exchange, logs, ports, sessions
from cvflow_tui.backend.runtime.devices import NoDevice, check_devices
from cvflow_tui.backend.runtime.endings import how
from cvflow_tui.backend.runtime.keeper import Keeper, wait_for_end
from cvflow_tui.backend.runtime.launch import launch
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
DIED = "its runner ended unexpectedly (see the log)"


def moved(name: str, port: int) -> str:
    """What is said of a solver that gets another port than it had."""
    return f"it had port {port}, which somebody else has now: it gets another (cvflow set {name} port={port}: that or none)"


class Supervisor:
    """The runners of one home folder. All methods block and may be called from any thread."""

    def __init__(self, home: Home, state: Database, on_first_ready: Callable[[str, str], None] | None = None) -> None:
        """`on_first_ready` is told the package and the version of whatever became ready, once for each in our life."""
        self.settings = Settings(state)
        self._home = home
        self._on_first_ready = on_first_ready
        self._proven: set[tuple[str, str]] = set()
        self.rebooted: list[Run] = []
        self.died: list[Run] = []
        self._keeper = Keeper()
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
        """Find again what an earlier daemon left running; what failed stays to be seen. Returns what runs or failed.

        `rebooted` then holds what ran when the machine went down, `died` whose runner ended while there was no daemon.
        """
        for run in self._runs.all():
            with self._lock(run.name):
                if run.pid is None and run.error is None:
                    run = self._recognise(run)  # noqa: PLW2901 - the same row, read anew
                self._adopt(run)
        self._sweep()
        return self.solvers()

    def _adopt(self, run: Run) -> None:
        if run.lives() and not run.leaves:
            self._keeper.follow(run.name, run.pid or 0, served=True)
            threading.Thread(target=self._follow, args=(run,), name=f"follow-{run.name}", daemon=True).start()
            return
        if run.lives():  # a daemon that died was about to end it, which may take it some seconds
            threading.Thread(target=self._leave, args=(run,), name=f"stop-{run.name}", daemon=True).start()
            return
        if run.error in (None, DIED) and run.boot_id not in (None, boot_id()):
            self.rebooted.append(run)
        elif run.error is None and run.pid is not None and Path(run.spec).exists():
            self.died.append(run)
        elif run.error is not None and not run.leaves:
            return  # it failed: why, is still to be read
        self._clean(run)

    def solvers(self) -> list[RunningSolver]:
        """Every run, live or failed and not dismissed; at most half a second old."""
        with self._polling:
            seen_at, changes, known = self._seen
            if changes == self._changes and time.monotonic() - seen_at < CACHED_SECONDS:
                return list(known)
            changes, runs = self._changes, self._runs.all()
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
                self._end_failed(live[solver.name], solver.error or "failed")
        return list(shown)

    def start(self, spec: RunSpec, port: int | None = None, wait: bool = True) -> RunningSolver:
        """Start a solver, or find it running. With `wait`, returns when it is ready.

        Without, it is followed until it is ready or has failed. Raises RefusedError for a port in use (and by whom), PackageError where
        the solver fails to start: no process of it is left then, and why it failed stays to be seen. One that was to be started again,
        its runner having died, is started at its old port.
        """
        with self._lock(spec.name):
            run = self._runs.get(spec.name)
            if run is not None and not self._serves(run):
                awaited = self._keeper.mends(run.name, run.pid)
                self._clean(run)
                if awaited and port is None:
                    return self.start_near(spec, run.port, wait)
                run = None
            if run is None:
                spec = self.settings.apply(spec)
                run = self._spawn(spec, port or spec.settings.port)
        if wait:
            return self._wait(run)
        threading.Thread(target=self.settle, args=(run.name,), name=f"settle-{run.name}", daemon=True).start()
        return self._look(run)

    def restart(self, spec: RunSpec) -> RunningSolver:
        """Stop a solver that runs, and start it with its settings as they are now, at its old port if that is still free.

        Raises RefusedError where it is set to have a port that somebody else has: it serves on then as it did.
        """
        with self._lock(spec.name):
            run = self._runs.get(spec.name)
            return self._start_anew(spec, run, run.port if run is not None else None)

    def _start_anew(self, spec: RunSpec, run: Run | None, port: int | None) -> RunningSolver:
        """End `run`, and start the solver at that port if it is free. Raises RefusedError, ending nothing, where it can't have its own."""
        if (fault := self._port_fault(spec.name, run)) is not None:
            raise RefusedError(fault)
        if run is not None:
            self._clean(run)
        try:
            return self.start_near(spec, port)
        except RefusedError as error:  # somebody was faster
            self.failed(spec.name, spec.version, error.message)
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
        with self._lock(spec.name):
            run = self._runs.get(spec.name)
            serves = run is not None and run.lives() and self._look(run).state in (SolverState.READY, SolverState.BUSY)
            if run is not None and serves and self._exchange(run, spec):
                return self._wait(self._runs.get(spec.name) or run)
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
                self._say(spec.name, moved(spec.name, port))
                return self.start(spec, None, wait)

    def settle(self, name: str) -> None:
        """Return once a solver that is starting is ready, has failed (which stays to be seen) or was stopped."""
        run = self._runs.get(name)
        if run is None:
            return
        try:
            self._wait(run)
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
        warnings: tuple[str, ...] = ()
        try:
            check_devices(settings.gpu)
        except NoDevice as error:  # it may be plugged in later; until then the solver does not start
            warnings = (f"{error}: until it is there, {name} does not start",)
        if (fault := self._port_fault(name, run)) is not None:
            warnings += (fault,)
        return SettingsReport(name, settings, chosen, tuple(variables), run is not None and run.lives(), pending, warnings)

    def stop(self, name: str) -> RunningSolver:
        """End a solver, or dismiss a failed one; when this returns no process and no port is left. Raises NotFoundError."""
        with self._lock(name):
            run = self._runs.get(name)
            if run is None:
                raise NotFoundError(f"{name} is not running")
            self._leave(run)
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
        """Answer at once whoever waits for a log to grow, and start no runner again: the daemon is about to end."""
        self._let_go.set()

    def close(self) -> None:
        """The daemon ends; the runners live on."""
        self._let_go.set()
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
        process = launch(file, listening, self._log_file(name), self._home.runs)
        try:
            self._runs.record_process(name, process.pid, start_time(process.pid), boot_id())
        except BaseException:
            process.kill()  # nobody would know it again
            process.wait()
            raise
        self._keeper.follow(name, process.pid)
        # Someone must reap it, or it stays behind as a zombie for as long as we live.
        threading.Thread(target=self._reap, args=(name, process), name=f"reap-{name}", daemon=True).start()

    def _reap(self, name: str, process: subprocess.Popen[bytes]) -> None:
        status = process.wait()
        self._sweep(process.pid)
        self._ended(name, process.pid, how(status))

    def _follow(self, run: Run) -> None:
        """Wait for a runner that another daemon started."""
        wait_for_end(run, self._let_go)
        self._ended(run.name, run.pid or 0, "ended")

    # -- a runner that ended

    def _ended(self, name: str, pid: int, how_it_ended: str) -> None:
        """Start a runner that has ended again, after a pause: unless somebody ended it, it never served, or it ended too often."""
        try:
            with self._lock(name):
                run = self._runs.get(name)
                if self._let_go.is_set() or run is None or run.pid != pid or run.error is not None or not self._keeper.mends(name, pid):
                    return
                self._end(run)
                if not Path(run.spec).exists():  # it was told so over its own port (`control.py`)
                    self._give_up(run, "it was told to stop over its own port")
                    return
                if (pause := self._keeper.died(name, how_it_ended)) is None:
                    self._give_up(run, self._keeper.why(name))
                    return
                self._say(name, self._keeper.why(name))
            self._forget_seen()
            if not self._let_go.wait(pause):
                self._again(name, pid)
        except sqlite3.Error as error:
            log.info("%s is not followed any more: %s", name, error)  # the daemon has closed its files
        except Exception:
            log.exception("%s could not be started again", name)  # a thread has nobody to raise to; the list shows it as failed
            self._keeper.forget(name)
            self._forget_seen()

    def _again(self, name: str, pid: int) -> None:
        """Start a solver as it was, at the port it had, with its settings as they are now; unless somebody was faster."""
        with self._lock(name):
            run = self._runs.get(name)
            if self._let_go.is_set() or run is None or run.pid != pid or run.error is not None:
                return
            try:
                started = self._spawn_near(self.settings.apply(RunSpec.load(Path(run.spec))), run.port)
            except CvflowError as error:
                self._give_up(run, error.message)
                return
            self._keeper.served(name, started.pid or 0)
        self.settle(name)

    def _spawn_near(self, spec: RunSpec, port: int) -> Run:
        """At that port; where somebody else has it now, at any other, unless it is set to have one."""
        if spec.settings.port is not None:
            return self._spawn(spec, spec.settings.port)
        try:
            return self._spawn(spec, port)
        except RefusedError:
            self._say(spec.name, moved(spec.name, port))
            return self._spawn(spec, None)

    def _give_up(self, run: Run, why: str) -> None:
        self._say(run.name, why)
        Path(run.spec).unlink(missing_ok=True)
        if self._runs.get(run.name) is None:
            self.failed(run.name, run.version, why)
        else:
            self._runs.fail(run.name, run.pid, why)
        self._keeper.forget(run.name)  # last: who looks meanwhile must not take it for one that nobody knows anything of
        self._forget_seen()

    def _say(self, name: str, what: str) -> None:
        """In our log and in the solver's own, which no runner writes now."""
        log.warning("%s: %s", name, what)
        logs.note(self._log_file(name), what)

    def _wait(self, run: Run) -> RunningSolver:
        """The solver once it is ready. Raises PackageError with why it is not; its row stays then, to be seen."""
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
                raise self._end_failed(run, solver.error or "failed")
            if not run.lives():
                raise self._gone(run)
            if self._let_go.is_set():
                return solver  # the daemon is about to end; the next one finds it
            time.sleep(pause)
            pause = min(0.05, pause * 1.2)
        raise self._end_failed(run, f"it was not ready after {limit:g} s (setting start_timeout)")

    def _note(self, solver: RunningSolver) -> None:
        """A solver serves; a version of a package has shown that it starts."""
        if solver.state in (SolverState.READY, SolverState.BUSY) and solver.pid is not None:
            self._keeper.served(solver.name, solver.pid)
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
        return self._living(run, status_of(run.port, timeout=0.2))

    def _living(self, run: Run, told: dict[str, Any] | None) -> RunningSolver:
        solver = as_solver(run, told)
        return replace(solver, restarts=solver.restarts + self._keeper.restarts(run.name))

    def _end_failed(self, run: Run, why: str) -> PackageError:
        """Clear away a run that failed but for its row, which says why until it is started anew or dismissed. Returns what to tell."""
        with self._lock(run.name):
            if (known := self._failures.get(run.name)) is not None and not run.lives():
                error = known
            else:
                error = PackageError(f"{run.name} failed to start: {why}", detail=self._tail(run.name))
                self._failures[run.name] = error
            self._end(run)
            current = self._runs.get(run.name)
            if current is not None and current.pid == run.pid:
                Path(run.spec).unlink(missing_ok=True)  # it may hold secrets, and nobody reads it again
                self._runs.fail(run.name, run.pid, why)
        self._forget_seen()
        return error

    def _gone(self, run: Run) -> PackageError | RefusedError:
        """Why a runner that we waited for is no more."""
        with self._lock(run.name):
            if (known := self._failures.get(run.name)) is not None:
                return known
            if self._keeper.restarts(run.name) or self._keeper.mends(run.name, run.pid):
                return PackageError(f"{run.name}: its runner ended while it started; it is started again (see cvflow ps)")
            current = self._runs.get(run.name)
            if current is None or current.pid != run.pid:
                return RefusedError(f"{run.name} was stopped while it started")
        return self._end_failed(run, DIED)

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
        self._keeper.forget(run.name)
        self._forget_seen()

    def _leave(self, run: Run) -> None:
        """Stop a run on somebody's wish: a daemon that dies over it leaves that to the next one."""
        with self._lock(run.name):
            self._runs.leave(run.name, run.pid)
            self._clean(run)

    def _dead(self, run: Run) -> RunningSolver:
        """A row without its process: it failed, is about to be recorded, or its runner was killed."""
        if run.pid is None and run.error is None:
            return without_process(run, SolverState.STARTING)
        if run.error is None and self._keeper.mends(run.name, run.pid):
            restarts = self._keeper.restarts(run.name)
            return replace(without_process(run, SolverState.BACKOFF, self._keeper.why(run.name) or DIED), restarts=restarts)
        if run.error is None:
            self._end(run)
            self._runs.fail(run.name, run.pid, DIED)  # nothing, where a reason was written meanwhile
            run = self._runs.get(run.name) or run
        return without_process(run, SolverState.FAILED, run.error or DIED)

    def _stop_into(self, name: str, stopped: list[RunningSolver]) -> None:
        try:
            stopped.append(self.stop(name))
        except NotFoundError:
            return  # someone else was faster

    def _tail(self, name: str) -> str:
        return self.log(name, None, 8192).text

    def _forget_seen(self) -> None:
        self._changes += 1
