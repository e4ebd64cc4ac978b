"""The one place where CVPM and IAE meet: IAE is handed a way to a solver's URL."""

from __future__ import annotations

from cvflow_tui.backend.annotation.projects import ProjectService
from cvflow_tui.backend.annotation.solver_provider import Endpoint, SolverProvider
from cvflow_tui.backend.jobs import JobBoard
from cvflow_tui.backend.learning.service import LearningService
from cvflow_tui.backend.packages.service import PackageService
from cvflow_tui.backend.packages.upgrader import Upgrader
from cvflow_tui.backend.runtime.revival import Revival
from cvflow_tui.backend.runtime.supervisor import Supervisor
from cvflow_tui.backend.store import Database
from cvflow_tui.home import Home
from cvflow_tui.model.errors import RefusedError, RemoteError
from cvflow_tui.model.names import SolverName


class Rooms:
    """Every room of one home, opened in order and closed in reverse."""

    def __init__(self, home: Home, state: Database) -> None:
        self._ending = False
        self.jobs = JobBoard()
        self.packages = PackageService(home, state)
        self.supervisor = Supervisor(home, state, on_first_ready=self.packages.prove)
        self.upgrader = Upgrader(self.packages, self.supervisor)
        self._revival = Revival(self.supervisor, lambda solver: self.packages.run_spec(SolverName.parse(solver)))
        self._provider = provider = SolverProvider(self._endpoint, self._running)
        self.projects = ProjectService(home, state, provider)
        self.learning = LearningService(self.projects, provider, self.jobs)

    def recover(self) -> None:
        """Put right what a daemon that died left behind, and find its solvers again."""
        self.packages.recover()
        self.supervisor.adopt()
        self.projects.recover()
        self.learning.recover()
        self._revival.begin(self.supervisor.rebooted, self.supervisor.died)

    def let_go(self) -> None:
        """Answer every request that waits for something: the daemon is about to end. From here on no solver is started."""
        self._ending = True
        self._revival.let_go()
        self.jobs.let_go()
        self.supervisor.let_go()

    def close(self, *, stop_solvers: bool = False) -> None:
        """Call off what runs, then stop the solvers if they shall not go on serving, then close the files."""
        self.jobs.close()
        self._revival.join(5.0)
        if stop_solvers:  # not before: a job would find its solver gone and start it anew
            self.supervisor.stop_all()
        self.projects.close()
        self._provider.close()
        self.supervisor.close()

    def _endpoint(self, solver: str) -> Endpoint:
        """A solver's URL and control token, starting it if it does not run."""
        found = self._running(solver)
        if found is None:
            if self._ending:
                raise RefusedError(f"{solver} is not started: the daemon is ending")
            self.supervisor.start(self.packages.run_spec(SolverName.parse(solver)), None, True)
            found = self._running(solver)
        if found is None:
            raise RemoteError(f"{solver} started but cannot be reached")
        return found

    def _running(self, solver: str) -> Endpoint | None:
        """A solver's URL and control token, if it runs."""
        found = self.supervisor.endpoint(solver)
        return None if found is None else Endpoint(*found)
