"""A project's folder: `project.db`, `labels.toml`, `checkpoints/`, `cache/`."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from cvflow_tui.backend.annotation import pictures
from cvflow_tui.backend.annotation.journal import Journal
from cvflow_tui.backend.annotation.labels import Labels, load_labels, save_labels
from cvflow_tui.backend.annotation.provider import Variant
from cvflow_tui.backend.annotation.schema import MIGRATIONS
from cvflow_tui.backend.annotation.suggesting import Serving
from cvflow_tui.backend.store import Database
from cvflow_tui.model.errors import NotFoundError
from cvflow_tui.model.projects import PictureState, Project, ProjectSettings


class ProjectFolder:
    """An open project. Thread-safe, as its database is.

    Raises NotFoundError where the folder or its database is missing, UsageError for a broken `labels.toml`.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        if not (path / "project.db").is_file():
            raise NotFoundError(f"project {name}: {path / 'project.db'} is missing")
        self.labels = load_labels(path / "labels.toml")
        self.database = Database(path / "project.db", MIGRATIONS)
        self.journal = Journal(self.database, self.labels)

    @classmethod
    def make(cls, name: str, path: Path, labels: Labels, settings: ProjectSettings, credit: str | None) -> ProjectFolder:
        """Make the folder of an empty project."""
        for folder in (path, path / "checkpoints", path / "cache"):
            folder.mkdir(mode=0o700)
        save_labels(path / "labels.toml", labels)
        database = Database(path / "project.db", MIGRATIONS)
        with database.write() as connection:
            connection.execute(
                "INSERT INTO project (id, solver, threshold, round_every, credit, created_at) VALUES (1, ?, ?, ?, ?, ?)",
                (settings.solver, settings.threshold, settings.round_every, credit, time.time()),
            )
        database.close()
        return cls(name, path)

    @property
    def checkpoints(self) -> Path:
        """`rN`: what round N wrote, a file or a folder as its solver likes."""
        return self.path / "checkpoints"

    @property
    def cache(self) -> Path:
        """What can be made again: features by picture digest, datasets of running rounds."""
        return self.path / "cache"

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def facts(self) -> sqlite3.Row:
        """The project's own row."""
        row = self.database.row("SELECT * FROM project")
        if row is None:
            raise NotFoundError(f"project {self.name}: {self.database.path} holds no project")
        return row

    def settings(self) -> ProjectSettings:
        """What its owner set."""
        row = self.facts()
        return ProjectSettings(row["solver"], row["threshold"], row["round_every"])

    def change(self, settings: ProjectSettings) -> None:
        """Set something else. Another solver goes on from the last checkpoint that was its own."""
        with self.database.write() as connection:
            connection.execute(
                "UPDATE project SET solver = ?, threshold = ?, round_every = ?, checkpoint ="
                " (SELECT checkpoint FROM rounds WHERE state = 'promoted' AND solver = ? ORDER BY number DESC LIMIT 1)",
                (settings.solver, settings.threshold, settings.round_every, settings.solver),
            )

    def serving(self) -> Serving | None:
        """Who suggests now; None where the project has no solver."""
        row = self.facts()
        return Serving(row["solver"], row["checkpoint"]) if row["solver"] else None

    def variant(self, serving: Serving) -> Variant | None:
        """The weights to ask for; None for the package's own."""
        return Variant(self.name, self.checkpoints / serving.checkpoint) if serving.checkpoint else None

    def newly_finished(self) -> int:
        """Finished pictures that no round has been taught with."""
        row = self.database.row(
            "SELECT COUNT(*) FROM pictures WHERE state IN (?, ?) AND taught IS NULL", [state.value for state in pictures.FINISHED]
        )
        return int(row[0]) if row else 0

    def summary(self) -> Project:
        """The project as a list and the status line show it."""
        facts, counts = self.facts(), pictures.tallies(self.database)
        rounds = self.database.row("SELECT COUNT(*) FROM rounds WHERE state = 'promoted'")
        learns = facts["solver"] is not None and facts["round_every"] > 0
        return Project(
            name=self.name,
            path=str(self.path),
            labels=self.labels.names,
            settings=ProjectSettings(facts["solver"], facts["threshold"], facts["round_every"]),
            pictures=sum(number for number, _ in counts.values()),
            finished=sum(counts.get(state, (0, 0))[0] for state in pictures.FINISHED),
            counts={state.value: counts[state][0] for state in PictureState if counts.get(state, (0, 0))[0]},
            annotations=sum(number for _, number in counts.values()),
            rounds=int(rounds[0]) if rounds else 0,
            checkpoint=facts["checkpoint"],
            until_round=max(0, facts["round_every"] - self.newly_finished()) if learns else None,
            credit=facts["credit"],
        )
