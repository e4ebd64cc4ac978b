"""One SQLite file: opened, migrated, written by one thread at a time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cvflow_tui.model.errors import CvflowError, RefusedError
from cvflow_tui.model.space import is_full, no_space


class Database:
    """A database file and the lock that makes its writers take turns.

    `migrations` are SQL scripts; number N brings `user_version` N - 1 to N, each in a transaction of its own.
    `synchronous=FULL`: a committed act survives a power cut, not only a killed process.
    Raises RefusedError for a file that a newer version wrote and for a full disk, CvflowError for one that is no database.
    """

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10.0)
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA foreign_keys=ON")
            path.chmod(0o600)
            self._migrate(migrations)
        except sqlite3.Error as error:
            raise no_space(path.parent) if is_full(error) else CvflowError(f"{path}: {error}") from error

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that commits on leaving and rolls back on an exception."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # a COMMIT that failed (disk full) may have rolled back by itself
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock:
            return self._connection.execute(sql, tuple(arguments)).fetchall()

    def row(self, sql: str, arguments: Sequence[object] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        with self._lock:
            row: sqlite3.Row | None = self._connection.execute(sql, tuple(arguments)).fetchone()
            return row

    def _migrate(self, migrations: Sequence[str]) -> None:
        with self._lock:
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version > len(migrations):
                raise RefusedError(f"{self.path} was written by a newer cvflow (schema {version}, this one knows {len(migrations)})")
            for number, script in enumerate(migrations[version:], start=version + 1):
                self._connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={number};\nCOMMIT;")
