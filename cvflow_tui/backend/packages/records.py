"""What the state database knows of installed packages."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvflow_tui.backend.packages.weights import Weight
from cvflow_tui.backend.store import Database

_COLUMNS = ("version", "source", "commit_id", "path", "environment", "size", "warnings", "installed_at", "request", "editable", "proven")
_PUT = """
    INSERT INTO packages
        (vendor, name, version, source, commit_id, path, environment, size, warnings, installed_at, request, editable, proven)
    VALUES
        (:vendor, :name, :version, :source, :commit_id, :path, :environment, :size, :warnings, :installed_at, :request, :editable, :proven)
    ON CONFLICT (vendor, name) DO UPDATE SET
        version = excluded.version, source = excluded.source, commit_id = excluded.commit_id, path = excluded.path,
        environment = excluded.environment, size = excluded.size, warnings = excluded.warnings, installed_at = excluded.installed_at,
        request = excluded.request, editable = excluded.editable, proven = excluded.proven
"""
_WEIGHTS = "INSERT INTO weights (sha256, size, vendor, name, file) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Record:
    """An installed package."""

    vendor: str
    name: str
    version: str
    source: str
    commit: str | None
    path: Path
    environment: str | None
    """Key of its virtualenv; None = the app's own Python."""
    size: int
    warnings: tuple[str, ...] = ()
    installed_at: float = 0.0
    """Seconds since the epoch; also in the package's lock, so that a folder and its row know each other."""
    request: str | None = None
    """JSON of the InstallRequest: what an upgrade asks again. None for what an older cvflow installed."""
    editable: Path | None = None
    """The author's folder, where the package is only linked to it."""
    proven: bool = True
    """Whether one of its solvers has started once."""

    @property
    def ref(self) -> str:
        """`vendor/name`."""
        return f"{self.vendor}/{self.name}"

    @property
    def root(self) -> Path:
        """Where its author's files are."""
        return self.editable or self.path


@dataclass(frozen=True, slots=True)
class Kept:
    """A version that an upgrade left in its place, with its weights: the way back."""

    record: Record
    weights: tuple[Weight, ...]
    kept_at: float


class Records:
    """Rows of `packages`, `weights` and `kept_versions`. A package is installed when, and only when, its row is there."""

    def __init__(self, state: Database, packages: Path) -> None:
        self._state = state
        self._packages = packages

    def folder(self, vendor: str, name: str, version: str) -> Path:
        """Where a version of a package is installed. Worked out, not read: a home folder that was moved still finds its packages."""
        return self._packages / vendor / name / version

    def all(self) -> list[Record]:
        """Every installed package, by name."""
        return [self._record(row) for row in self._state.rows("SELECT * FROM packages ORDER BY vendor, name")]

    def get(self, vendor: str, name: str) -> Record | None:
        """One package, or None."""
        row = self._state.row("SELECT * FROM packages WHERE vendor = ? AND name = ?", (vendor, name))
        return None if row is None else self._record(row)

    def put(self, record: Record, weights: Sequence[Weight], *, keep: Sequence[Kept] = ()) -> None:
        """Write a package's rows over those of another version; of its other versions exactly `keep` are kept. One transaction."""
        with self._state.write() as connection:
            _write(connection, record, weights)
            connection.execute("DELETE FROM kept_versions WHERE vendor = ? AND name = ?", (record.vendor, record.name))
            for kept in keep:
                _keep(connection, kept)

    def delete(self, vendor: str, name: str) -> None:
        """Take a package's rows away, with those of the versions that were kept."""
        with self._state.write() as connection:
            connection.execute("DELETE FROM packages WHERE vendor = ? AND name = ?", (vendor, name))

    def prove(self, vendor: str, name: str, version: str) -> bool:
        """Note that a version has started; False where that is known already or another version is installed."""
        with self._state.write() as connection:
            told = "UPDATE packages SET proven = 1 WHERE vendor = ? AND name = ? AND version = ? AND proven = 0"
            return connection.execute(told, (vendor, name, version)).rowcount == 1

    # -- versions that were kept

    def kept(self) -> list[Kept]:
        """Every version that an upgrade kept, by package, the newest first."""
        return [self._kept(row) for row in self._state.rows("SELECT * FROM kept_versions ORDER BY vendor, name, kept_at DESC")]

    def kept_of(self, vendor: str, name: str) -> list[Kept]:
        """The kept versions of one package, the newest first: the first is where a rollback leads."""
        rows = self._state.rows("SELECT * FROM kept_versions WHERE vendor = ? AND name = ? ORDER BY kept_at DESC", (vendor, name))
        return [self._kept(row) for row in rows]

    def drop_kept(self, vendor: str, name: str, version: str) -> None:
        """Take a kept version's row away."""
        with self._state.write() as connection:
            told = "DELETE FROM kept_versions WHERE vendor = ? AND name = ? AND version = ?"
            connection.execute(told, (vendor, name, version))

    # -- what they use

    def weights(self, vendor: str, name: str) -> list[Weight]:
        """A package's weights."""
        rows = self._state.rows("SELECT file, sha256, size FROM weights WHERE vendor = ? AND name = ? ORDER BY file", (vendor, name))
        return [Weight(row["file"], row["sha256"], row["size"]) for row in rows]

    def used_weights(self) -> set[str]:
        """Digests of all weights of all packages, those of kept versions included."""
        installed = {row["sha256"] for row in self._state.rows("SELECT DISTINCT sha256 FROM weights")}
        return installed | {weight.sha256 for kept in self.kept() for weight in kept.weights}

    def used_environments(self) -> set[str]:
        """Keys of all environments of all packages, those of kept versions included."""
        records = [*self.all(), *(kept.record for kept in self.kept())]
        return {record.environment for record in records if record.environment is not None}

    def _record(self, row: sqlite3.Row) -> Record:
        return self._told(row["vendor"], row["name"], {column: row[column] for column in _COLUMNS})

    def _kept(self, row: sqlite3.Row) -> Kept:
        told = json.loads(row["record"])
        weights = tuple(Weight(file, sha256, size) for file, sha256, size in told.pop("weights"))
        return Kept(self._told(row["vendor"], row["name"], told), weights, row["kept_at"])

    def _told(self, vendor: str, name: str, told: dict[str, Any]) -> Record:
        return Record(
            vendor=vendor,
            name=name,
            version=told["version"],
            source=told["source"],
            commit=told["commit_id"],
            path=self.folder(vendor, name, told["version"]),
            environment=told["environment"],
            size=told["size"],
            warnings=tuple(json.loads(told["warnings"])),
            installed_at=told["installed_at"],
            request=told["request"],
            editable=Path(told["editable"]) if told["editable"] else None,
            proven=bool(told["proven"]),
        )


def kept_now(record: Record, weights: Iterable[Weight]) -> Kept:
    """A version that is kept from now on."""
    return Kept(record, tuple(weights), time.time())


def _row(record: Record) -> dict[str, Any]:
    """A record as the columns of its table."""
    return {
        "version": record.version,
        "source": record.source,
        "commit_id": record.commit,
        "path": str(record.path),
        "environment": record.environment,
        "size": record.size,
        "warnings": json.dumps(record.warnings),
        "installed_at": record.installed_at,
        "request": record.request,
        "editable": str(record.editable) if record.editable else None,
        "proven": int(record.proven),
    }


def _write(connection: sqlite3.Connection, record: Record, weights: Sequence[Weight]) -> None:
    told = {"vendor": record.vendor, "name": record.name} | _row(record)
    # No "INSERT OR REPLACE": it deletes the row first, and with it what hangs on it.
    connection.execute(_PUT, told)
    connection.execute("DELETE FROM weights WHERE vendor = ? AND name = ?", (record.vendor, record.name))
    connection.executemany(_WEIGHTS, [(weight.sha256, weight.size, record.vendor, record.name, weight.name) for weight in weights])


def _keep(connection: sqlite3.Connection, kept: Kept) -> None:
    told = _row(kept.record) | {"weights": [(weight.name, weight.sha256, weight.size) for weight in kept.weights]}
    connection.execute(
        "INSERT INTO kept_versions (vendor, name, version, kept_at, record) VALUES (?, ?, ?, ?, ?)",
        (kept.record.vendor, kept.record.name, kept.record.version, kept.kept_at, json.dumps(told)),
    )
