"""Starting a runner: its port, its row, its process; and hearing of its end."""

from __future__ import annotations

import logging
import secrets
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cvflow_tui.backend.processes import boot_id, listening_port, start_time
from cvflow_tui.backend.runtime import ports
from cvflow_tui.backend.runtime.crew import Crew
from cvflow_tui.backend.runtime.endings import how
from cvflow_tui.backend.runtime.keeper import wait_for_end
from cvflow_tui.backend.runtime.launch import launch
from cvflow_tui.backend.runtime.marks import bearers
from cvflow_tui.backend.runtime.polling import status_of
from cvflow_tui.backend.runtime.records import Run
from cvflow_tui.backend.runtime.restarts import Restarts
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.runtime.worker import RUN_MARK
from cvflow_tui.model.errors import PackageError, RefusedError
from cvflow_tui.model.space import full_disk

log = logging.getLogger(__name__)


def moved(name: str, port: int) -> str:
    """What is said of a solver that gets another port than it had."""
    return f"it had port {port}, which somebody else has now: it gets another (cvflow set {name} port={port}: that or none)"


class Starter:
    """Starts runners and follows those that it started or was shown: one that ends unasked is started again, on a thread of its own.

    `settle` returns once a solver that is starting is ready or has failed.
    """

    def __init__(self, crew: Crew, settle: Callable[[str], None]) -> None:
        self._crew = crew
        self._restarts = Restarts(crew, self.spawn_near, settle)

    def spawn(self, spec: RunSpec, port: int | None) -> Run:
        """Bind the port (None: a free one), write the row, start the runner with the bound socket. The caller holds the solver's lock.

        Raises RefusedError for a port in use or a full disk, PackageError where no process can be started; nothing is left then.
        """
        crew = self._crew
        crew.home.make()
        listening = ports.listen(port)
        try:
            token = secrets.token_urlsafe(32)
            file = crew.spec_file(spec.name)
            replace(spec, token=token).save(file)
            bound = int(listening.getsockname()[1])
            try:
                crew.runs.insert(spec.name, spec.version, str(file), token, bound)
                crew.failures.pop(spec.name, None)
                self._run(spec.name, file, listening)
            except (OSError, sqlite3.Error) as error:
                file.unlink(missing_ok=True)
                with suppress(sqlite3.Error):  # a full disk may not take that either; a row without process is forgotten by `adopt`
                    crew.runs.delete(spec.name, None)
                raise full_disk(error) or PackageError(f"{spec.name} can't be started: {error}") from error
        finally:
            listening.close()
        crew.changed()
        run = crew.runs.get(spec.name)
        assert run is not None
        return run

    def spawn_near(self, spec: RunSpec, port: int) -> Run:
        """As `spawn` at that port; where somebody else has it now, at any other, unless it is set to have one."""
        if spec.settings.port is not None:
            return self.spawn(spec, spec.settings.port)
        try:
            return self.spawn(spec, port)
        except RefusedError:
            self._crew.say(spec.name, moved(spec.name, port))
            return self.spawn(spec, None)

    def find_unlisted(self) -> None:
        """Write down again which runners serve though no row speaks of them: the database was lost, their specifications were not."""
        known = {run.spec for run in self._crew.runs.all()}
        for file in sorted(self._crew.home.runs.glob("*.json")):
            if str(file) in known or (port := listening_port(bearers(RUN_MARK, str(file)))) is None:
                continue
            try:
                spec = RunSpec.load(file)
            except PackageError as error:
                log.warning("%s", error.message)
                continue
            if self._crew.spec_file(spec.name) == file:
                log.warning("%s serves at port %d and was not listed: listing it", spec.name, port)
                self._crew.runs.insert(spec.name, spec.version, str(file), spec.token, port)

    def recognise(self, run: Run) -> Run:
        """A runner that was started by a daemon that died before it could write down which process it is."""
        told = status_of(run.port)
        if told is None or (told["package"], told["solver"]) != (run.package, run.solver):
            return run
        pid = int(told["id"])
        if pid not in bearers(RUN_MARK, run.spec):
            return run  # somebody else has the port now, whatever it says it is
        self._crew.runs.record_process(run.name, pid, start_time(pid), boot_id())
        return self._crew.runs.get(run.name) or run

    def follow(self, run: Run) -> None:
        """Hear of the end of a runner that another daemon started."""
        self._crew.keeper.follow(run.name, run.pid or 0, served=True)
        threading.Thread(target=self._follow, args=(run,), name=f"follow-{run.name}", daemon=True).start()

    def _run(self, name: str, file: Path, listening: socket.socket) -> None:
        process = launch(file, listening, self._crew.log_file(name), self._crew.home.runs)
        try:
            self._crew.runs.record_process(name, process.pid, start_time(process.pid), boot_id())
        except BaseException:
            process.kill()  # nobody would know it again
            process.wait()
            raise
        self._crew.keeper.follow(name, process.pid)
        # Someone must reap it, or it stays behind as a zombie for as long as we live.
        threading.Thread(target=self._reap, args=(name, process), name=f"reap-{name}", daemon=True).start()

    def _reap(self, name: str, process: subprocess.Popen[bytes]) -> None:
        status = process.wait()
        self._crew.sweep(process.pid)
        self._restarts.ended(name, process.pid, how(status))

    def _follow(self, run: Run) -> None:
        wait_for_end(run, self._crew.let_go)
        self._restarts.ended(run.name, run.pid or 0, "ended")
