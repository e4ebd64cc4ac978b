"""What a user set of solvers, kept in state.db: settings, and environment variables whose values only a worker gets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.backend.store.database import Database
from cvflow_tui.model.errors import NotFoundError, UsageError
from cvflow_tui.model.settings import SolverSettings, Variable, read_setting, read_settings, setting_names

LONGEST_VALUE = 32 * 1024
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_OURS = ("CVFLOW_", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "PYTHONIOENCODING")
"""What a worker's start depends on."""


class Settings:
    """Reads and writes the tables `settings` and `variables`. Solvers are named in full, in the manifest's spelling."""

    def __init__(self, state: Database) -> None:
        self._state = state
        self._state.rows("PRAGMA secure_delete=ON")  # a value that is unset or replaced is not left in a free page

    def get(self, solver: str) -> SolverSettings:
        """A solver's settings."""
        return read_settings(self.chosen(solver))

    def chosen(self, solver: str) -> dict[str, str]:
        """What was set, as it was written."""
        rows = self._state.rows("SELECT name, value FROM settings WHERE solver = ? ORDER BY name", (solver,))
        return {row["name"]: row["value"] for row in rows}

    def change(self, solver: str, changes: Mapping[str, str]) -> None:
        """Set some, all or none; an empty text takes one back. Raises UsageError for one that can't be, and then nothing is changed."""
        for name, text in changes.items():
            if text or name not in setting_names():
                read_setting(name, text)
        if changes.get("after"):
            self._check_order(solver, read_setting("after", changes["after"]))
        with self._state.write() as connection:
            for name, text in changes.items():
                if text:
                    connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?, ?)", (solver, name, text.strip()))
                else:
                    connection.execute("DELETE FROM settings WHERE solver = ? AND name = ?", (solver, name))

    def all(self) -> dict[str, SolverSettings]:
        """Settings of every solver of which something was set."""
        told: dict[str, dict[str, str]] = {}
        for row in self._state.rows("SELECT solver, name, value FROM settings ORDER BY solver"):
            told.setdefault(row["solver"], {})[row["name"]] = row["value"]
        return {solver: read_settings(texts) for solver, texts in told.items()}

    def variables(self, owner: str | None = None) -> list[Variable]:
        """Which variables are set (of one owner); never their values."""
        rows = self._state.rows("SELECT owner, name FROM variables WHERE ? IS NULL OR owner = ? ORDER BY owner, name", (owner, owner))
        return [Variable(row["owner"], row["name"]) for row in rows]

    def set_variable(self, owner: str, name: str, value: str) -> None:
        """Set a variable of a package's or a solver's workers. Raises UsageError (which never says the value)."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name[:40]!r} is no name of a variable: letters, digits and _ only")
        if name.startswith(_OURS):
            raise UsageError(f"{name} is cvflow's own; a worker would not start with another")
        if "\0" in value or len(value) > LONGEST_VALUE or (not value.isascii() and any(0xD800 <= ord(letter) < 0xE000 for letter in value)):
            raise UsageError(
                f"the value of {name} can't be given to a process: at most {LONGEST_VALUE} characters of text, none of them zero"
            )
        with self._state.write() as connection:
            connection.execute("INSERT OR REPLACE INTO variables VALUES (?, ?, ?)", (owner, name, value))
        self._leave_no_trace()

    def unset_variable(self, owner: str, name: str) -> None:
        """Forget a variable. Raises NotFoundError."""
        with self._state.write() as connection:
            if not connection.execute("DELETE FROM variables WHERE owner = ? AND name = ?", (owner, name)).rowcount:
                raise NotFoundError(f"{owner} has no variable {name[:40]}")
        self._leave_no_trace()

    def _leave_no_trace(self) -> None:
        """What was deleted stands in the write-ahead log until that is begun anew."""
        self._state.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def environment(self, package: str, solver: str) -> dict[str, str]:
        """The variables of a solver's workers: the package's, and over them the solver's own."""
        found: dict[str, str] = {}
        for owner in (package, solver):
            rows = self._state.rows("SELECT name, value FROM variables WHERE owner = ?", (owner,))
            found.update({row["name"]: row["value"] for row in rows})
        return found

    def apply(self, spec: RunSpec) -> RunSpec:
        """The specification with what was set for it."""
        return replace(spec, settings=self.get(spec.name), environment=self.environment(spec.package, spec.name))

    def forget(self, package: str) -> None:
        """A package is gone: so are its settings, its secrets and those of its solvers."""
        with self._state.write() as connection:
            like = (f"{package}/",)
            connection.execute("DELETE FROM settings WHERE substr(solver, 1, length(?1)) = ?1", like)
            connection.execute("DELETE FROM variables WHERE substr(owner, 1, length(?1)) = ?1", like)
            connection.execute("DELETE FROM variables WHERE owner = ?", (package,))
        self._leave_no_trace()

    def _check_order(self, solver: str, after: tuple[str, ...]) -> None:
        """No solver may have to wait for itself."""
        known = {name: settings.after for name, settings in self.all().items()} | {solver: after}
        in_order(known, known)


def in_order(after: Mapping[str, tuple[str, ...]], wanted: Mapping[str, object]) -> list[str]:
    """The wanted solvers, each behind those it comes after. Raises UsageError where they wait for each other."""
    done: dict[str, bool] = {}
    ordered: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if done.get(name):
            return
        if name in path:
            raise UsageError(f"after: these would wait for each other: {' -> '.join((*path[path.index(name) :], name))}")
        for earlier in sorted(after.get(name, ())):
            visit(earlier, (*path, name))
        done[name] = True
        if name in wanted:
            ordered.append(name)

    for name in sorted(wanted):
        visit(name, ())
    return ordered
