"""What the state database knows of installed packages."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.packages.weights import Weight
from cvflow_tui.backend.store import Database


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

    @property
    def ref(self) -> str:
        """`vendor/name`."""
        return f"{self.vendor}/{self.name}"


class Records:
    """Rows of `packages` and `weights`. A package is installed when, and only when, its row is there."""

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

    def put(self, record: Record, weights: Sequence[Weight]) -> None:
        """Write a package's rows, over those of another version."""
        with self._state.write() as connection:
            connection.execute("DELETE FROM packages WHERE vendor = ? AND name = ?", (record.vendor, record.name))
            connection.execute(
                "INSERT INTO packages (vendor, name, version, source, commit_id, path, environment, size, warnings, installed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record.vendor,
                    record.name,
                    record.version,
                    record.source,
                    record.commit,
                    str(record.path),
                    record.environment,
                    record.size,
                    json.dumps(record.warnings),
                    record.installed_at,
                ),
            )
            connection.executemany(
                "INSERT INTO weights (sha256, size, vendor, name, file) VALUES (?, ?, ?, ?, ?)",
                [(weight.sha256, weight.size, record.vendor, record.name, weight.name) for weight in weights],
            )

    def delete(self, vendor: str, name: str) -> None:
        """Take a package's rows away."""
        with self._state.write() as connection:
            connection.execute("DELETE FROM packages WHERE vendor = ? AND name = ?", (vendor, name))

    def weights(self, vendor: str, name: str) -> list[Weight]:
        """A package's weights."""
        rows = self._state.rows("SELECT file, sha256, size FROM weights WHERE vendor = ? AND name = ? ORDER BY file", (vendor, name))
        return [Weight(row["file"], row["sha256"], row["size"]) for row in rows]

    def used_weights(self) -> set[str]:
        """Digests of all weights of all packages."""
        return {row["sha256"] for row in self._state.rows("SELECT DISTINCT sha256 FROM weights")}

    def used_environments(self) -> set[str]:
        """Keys of all environments of all packages."""
        return {row["environment"] for row in self._state.rows("SELECT DISTINCT environment FROM packages WHERE environment IS NOT NULL")}

    def _record(self, row: sqlite3.Row) -> Record:
        return Record(
            vendor=row["vendor"],
            name=row["name"],
            version=row["version"],
            source=row["source"],
            commit=row["commit_id"],
            path=self.folder(row["vendor"], row["name"], row["version"]),
            environment=row["environment"],
            size=row["size"],
            warnings=tuple(json.loads(row["warnings"])),
            installed_at=row["installed_at"],
        )
