"""Which projects a home folder has and where they lie; making, opening and removing their folders."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from cvflow_tui.backend.annotation import pictures as pages
from cvflow_tui.backend.annotation.folder import ProjectFolder
from cvflow_tui.backend.annotation.labels import check_labels
from cvflow_tui.backend.annotation.provider import CANDIDATE
from cvflow_tui.backend.pictures.walk import check_roots, common_root, walk
from cvflow_tui.backend.store import Database
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError, NotFoundError, RefusedError, UsageError
from cvflow_tui.model.projects import Project, ProjectSettings
from cvflow_tui.model.space import is_full, no_space
from cvflow_tui.model.text import clean, one_line

log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ASIDE = re.compile(r"\.(?P<name>.+)\.(new|removed)-[0-9a-f]{32}")


def check_name(name: str) -> str:
    """A project's name as it was given. Raises UsageError for one that can't be a folder and a variant's name."""
    if not _NAME.fullmatch(name) or name.endswith(CANDIDATE):
        raise UsageError(
            f"project name {clean(name)!r}: use up to 64 lower-case letters, digits, '.', '_' and '-', beginning with a letter or digit"
            + (f", and not ending in {CANDIDATE}" if name.endswith(CANDIDATE) else "")
        )
    return name


class Registry:
    """The projects of a home, by name. Thread-safe."""

    def __init__(self, home: Home, state: Database) -> None:
        self._home = home
        self._state = state
        self._open: dict[str, ProjectFolder] = {}
        self._lock = threading.RLock()

    def names(self) -> list[str]:
        """All names, in order."""
        return [row["name"] for row in self._state.rows("SELECT name FROM projects ORDER BY name")]

    def summary(self, name: str) -> Project:
        """A project, or what is known of one that can't be opened, with why."""
        try:
            return self.folder(name).summary()
        except (CvflowError, sqlite3.Error) as error:
            row = self._state.row("SELECT path FROM projects WHERE name = ?", (name,))
            return Project(name, row["path"] if row else "", (), ProjectSettings(), error=one_line(str(error)))

    def folder(self, name: str) -> ProjectFolder:
        """An open project. Raises NotFoundError naming those that exist, and what opening a broken one raises."""
        with self._lock:
            if name in self._open:
                return self._open[name]
            row = self._state.row("SELECT path FROM projects WHERE name = ?", (name,))
            if row is None:
                known = self.names()
                listed = f"there are {', '.join(known[:8])}{', …' if len(known) > 8 else ''}" if known else "there are none yet"
                raise NotFoundError(f"there is no project {clean(name)!r}: {listed}")
            self._open[name] = ProjectFolder(name, Path(row["path"]))
            return self._open[name]

    def create(
        self, name: str, pictures: Sequence[str], labels: Sequence[str], settings: ProjectSettings, credit: str | None
    ) -> ProjectFolder:
        """Make a project. Built aside and renamed, so that it is there whole or not at all.

        Raises UsageError, NotFoundError or RefusedError for a name that can't be or is taken, pictures or labels that won't do.
        """
        check_name(name)
        checked, roots = check_labels(labels), check_roots(pictures)
        self._refuse_taken(name)
        aside = self._home.projects / f".{name}.new-{uuid.uuid4().hex}"
        try:
            self._home.projects.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = ProjectFolder.make(name, aside, checked, settings, credit)
            try:
                count = pages.insert_pictures(folder.database, walk(roots), common_root(roots)) if roots else 0
            finally:
                folder.close()
            if not count:
                raise UsageError(f"no pictures in {', '.join(map(str, roots)) or 'an empty list'}: name files or folders that hold some")
            with self._lock:  # not before: a million pictures take their time, and other projects are worked on meanwhile
                self._refuse_taken(name)
                _rename(aside, self._home.projects / name)
                self._register(name, self._home.projects / name)
                return self.folder(name)
        except (OSError, sqlite3.Error) as error:
            if is_full(error):
                raise no_space(self._home.projects) from error
            raise CvflowError(f"project {name} could not be written: {error}") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def remove(self, name: str) -> None:
        """Delete a project's folder. Its pictures stay where they are."""
        with self._lock:
            row = self._state.row("SELECT path FROM projects WHERE name = ?", (name,))
            if row is None:
                self.folder(name)  # raises, naming what there is
                return
            if (folder := self._open.pop(name, None)) is not None:
                folder.close()
            path = Path(row["path"])
            aside = path.with_name(f".{name}.removed-{uuid.uuid4().hex}")
            if path.exists():
                _rename(path, aside)
            with self._state.write() as connection:
                connection.execute("DELETE FROM projects WHERE name = ?", (name,))
        shutil.rmtree(aside, ignore_errors=True)

    def close(self) -> None:
        """Let go of every database."""
        with self._lock:
            for folder in self._open.values():
                folder.close()
            self._open.clear()

    def recover(self) -> None:
        """Finish what a killed process left: half-made and half-removed folders go, a whole one that was not listed yet is listed."""
        if not self._home.projects.is_dir():
            return
        with self._lock:
            known = set(self.names())
            for path in sorted(self._home.projects.iterdir()):
                if found := _ASIDE.fullmatch(path.name):
                    self._forget_gone(found["name"])
                    shutil.rmtree(path, ignore_errors=True)
                elif path.name not in known and _NAME.fullmatch(path.name) and (path / "project.db").is_file():
                    log.warning("project %s was made and not listed: listing it", path.name)
                    self._register(path.name, path)

    def _forget_gone(self, name: str) -> None:
        """Take a project off the list whose removal was cut short: its folder stands aside, and nothing took its place."""
        row = self._state.row("SELECT path FROM projects WHERE name = ?", (name,))
        if row is not None and not Path(row["path"]).exists():
            with self._state.write() as connection:
                connection.execute("DELETE FROM projects WHERE name = ?", (name,))

    def _refuse_taken(self, name: str) -> None:
        if name in self.names() or (self._home.projects / name).exists():
            raise RefusedError(f"there is a project {name} already: choose another name, or remove it first")

    def _register(self, name: str, path: Path) -> None:
        with self._state.write() as connection:
            connection.execute("INSERT INTO projects (name, path, created_at) VALUES (?, ?, ?)", (name, str(path), time.time()))


def _rename(source: Path, target: Path) -> None:
    source.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
