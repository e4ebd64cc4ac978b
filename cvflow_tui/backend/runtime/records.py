"""The table `runs`: which runner serves which solver, and how to know it again."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cvflow_tui.backend.processes import is_same_process
from cvflow_tui.backend.store.database import Database
from cvflow_tui.model.space import is_full

log = logging.getLogger(__name__)

LEAVING = "it is being stopped"
"""Stands as the error of a run that somebody stops, until it has ended."""


@dataclass(frozen=True, slots=True)
class Run:
    """A row. Without a pid it is being started, or (with an error) has failed."""

    name: str
    version: str
    spec: str
    token: str
    port: int
    pid: int | None
    start_time: float | None
    boot_id: str | None
    error: str | None
    started_at: float

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def package(self) -> str:
        """`vendor/package`."""
        return self.name.rpartition("/")[0]

    @property
    def solver(self) -> str:
        """The solver's own name."""
        return self.name.rpartition("/")[2]

    @property
    def leaves(self) -> bool:
        """Whether somebody stops it."""
        return self.error == LEAVING

    def lives(self) -> bool:
        """Whether the very process that was recorded is alive."""
        return self.pid is not None and is_same_process(self.pid, self.start_time or 0.0, self.boot_id or "")


class Runs:
    """Reads and writes the rows. A full disk keeps nobody from ending a run: its row is not seen any more, and goes once there is room."""

    def __init__(self, state: Database) -> None:
        self._state = state
        self._owed: set[tuple[str, int | None]] = set()

    def all(self) -> list[Run]:
        """Every row, oldest first."""
        for name, pid in list(self._owed):
            self.delete(name, pid)
        found = [_run(row) for row in self._state.rows("SELECT * FROM runs ORDER BY started_at, name")]
        return [run for run in found if (run.name, run.pid) not in self._owed]

    def get(self, name: str) -> Run | None:
        """A solver's row."""
        row = self._state.row("SELECT * FROM runs WHERE name = ?", (name,))
        return None if row is None or (name, row["pid"]) in self._owed else _run(row)

    def insert(self, name: str, version: str, spec: str, token: str, port: int) -> None:
        """A run that is about to begin, in place of one that is over."""
        with self._state.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO runs (name, version, spec, token, port, started_at) VALUES (?, ?, ?, ?, ?, ?)",
                (name, version, spec, token, port, time.time()),
            )
        self._owed = {(owed, pid) for owed, pid in self._owed if owed != name}

    def record_process(self, name: str, pid: int, started: float, boot: str) -> None:
        """Which process it is."""
        with self._state.write() as connection:
            connection.execute("UPDATE runs SET pid = ?, start_time = ?, boot_id = ? WHERE name = ?", (pid, started, boot, name))

    def exchanged(self, name: str, pid: int | None, version: str) -> None:
        """Its runner serves another version now."""
        with suppress_full(), self._state.write() as connection:  # what it serves it says itself
            connection.execute("UPDATE runs SET version = ? WHERE name = ? AND pid IS ?", (version, name, pid))

    def fail(self, name: str, pid: int | None, error: str) -> None:
        """No process stands behind it any more, and why. Leaves a row alone that another process has taken over."""
        with suppress_full(), self._state.write() as connection:  # a row with a dead process is looked at again
            connection.execute("UPDATE runs SET pid = NULL, error = ? WHERE name = ? AND pid IS ?", (error, name, pid))

    def leave(self, name: str, pid: int | None) -> None:
        """It is being ended on somebody's wish: whoever finds it half ended goes on with that."""
        with suppress_full(), self._state.write() as connection:
            connection.execute("UPDATE runs SET error = ? WHERE name = ? AND pid IS ?", (LEAVING, name, pid))

    def delete(self, name: str, pid: int | None) -> None:
        """Forget it. Leaves a row alone that another process has taken over."""
        self._owed.add((name, pid))
        with suppress_full():
            with self._state.write() as connection:
                connection.execute("DELETE FROM runs WHERE name = ? AND pid IS ?", (name, pid))
            self._owed.discard((name, pid))


@contextmanager
def suppress_full() -> Iterator[None]:
    """Go on where the disk is full: what is to be written can be written later, what is to be ended must end now."""
    try:
        yield
    except sqlite3.Error as error:
        if not is_full(error):
            raise
        log.warning("the disk is full: a run's end will be written down later")


def _run(row: sqlite3.Row) -> Run:
    return Run(**dict(row))
