"""Where the home folder lies and what lies where in it. Imports nothing heavy: the command line needs it at once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cvflow_tui.model.file_names import file_stem

if TYPE_CHECKING:
    from cvflow_tui.model.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Home:
    """One home folder. Two homes never see each other: ports, packages, projects and the daemon's lock are all below it."""

    root: Path

    @classmethod
    def default(cls) -> Home:
        """`$CVFLOW_HOME`, or the platform's place for a program's data."""
        if chosen := os.environ.get("CVFLOW_HOME"):
            return cls(Path(chosen).expanduser().absolute())
        from platformdirs import user_data_path

        return cls(user_data_path("cvflow", appauthor=False))

    @property
    def state_db(self) -> Path:
        """The daemon's SQLite database: installed packages, runs, known projects."""
        return self.root / "state.db"

    @property
    def daemon_file(self) -> Path:
        """`{"url", "pid", "start_time", "boot_id", "version"}` of the daemon that serves this home; 0600."""
        return self.root / "daemon.json"

    @property
    def daemon_lock(self) -> Path:
        """Held (flock) by the one daemon of this home for as long as it lives; there from the beginning: it marks a folder as a home."""
        return self.root / "daemon.lock"

    @property
    def token_file(self) -> Path:
        """The daemon's bearer token; 0600."""
        return self.root / "token"

    @property
    def packages(self) -> Path:
        """`packages/VENDOR/NAME/VERSION/`: installed packages, not changed once they are there."""
        return self.root / "packages"

    @property
    def environments(self) -> Path:
        """`environments/KEY/`: virtualenvs, named by what they hold."""
        return self.root / "environments"

    @property
    def weights(self) -> Path:
        """`weights/SHA256`: every weight once, hard-linked into the packages that use it."""
        return self.root / "weights"

    @property
    def bytecode(self) -> Path:
        """`bytecode/INTERPRETER/`: what was compiled of distributions' modules, for the next environment that holds them."""
        return self.root / "bytecode"

    @property
    def projects(self) -> Path:
        """`projects/NAME/`: annotation projects."""
        return self.root / "projects"

    @property
    def logs(self) -> Path:
        """`logs/daemon.log`, `logs/VENDOR+PACKAGE+SOLVER.log` and `logs/install@VENDOR+PACKAGE.log`."""
        return self.root / "logs"

    def solver_log(self, name: str) -> Path:
        """The log of `vendor/package/solver`, and of no other."""
        return self.logs / f"{file_stem(name)}.log"

    def install_log(self, ref: str) -> Path:
        """What the scripts of `vendor/package` said; no solver's log is called like this: an `@` is escaped there."""
        return self.logs / f"install@{file_stem(ref)}.log"

    @property
    def runs(self) -> Path:
        """Private (0700) folder of the runners: their specifications and, without a tmpfs, their uploads."""
        return self.root / "runs"

    def specification(self, name: str) -> Path:
        """What the runner of `vendor/package/solver` is told. Its path marks the run's processes too: no two solvers may share it."""
        return self.runs / f"{file_stem(name)}.json"

    @property
    def ballast(self) -> Path:
        """Room on the disk that is given up when there is none, so that making room can be written down."""
        return self.root / "ballast"

    @property
    def staging(self) -> Path:
        """Where installs are built before the one rename that makes them real; emptied at daemon start."""
        return self.root / "staging"

    def make(self) -> None:
        """Create the folders, private to the user. Raises RefusedError where it can't be written, or is somebody else's.

        What a daemon finds in its home and knows nothing of it deletes, so a folder is one only if it was empty when it became one.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.daemon_lock.exists():
                if others := sorted(path.name for path in self.root.iterdir() if path.name != "lost+found"):
                    raise self._refused(f"it is none of cvflow's and not empty ({others[0]}{', …' if others[1:] else ''} is in it)")
                self.daemon_lock.touch(mode=0o600)
            for folder in (self.packages, self.environments, self.weights, self.projects, self.logs, self.runs, self.staging):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            from cvflow_tui.model.space import is_full, no_space

            raise no_space(self.root) if is_full(error) else self._refused(error.strerror or str(error)) from error
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise self._refused("it can't be written")

    def _refused(self, why: str) -> RefusedError:
        from cvflow_tui.model.errors import RefusedError

        return RefusedError(f"the home folder can't be used: {why}; choose another with --home or $CVFLOW_HOME (this one: {self.root})")
