"""What the daemon's routes ask of annotation: projects, their pictures, and the acts of an annotator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cvflow_tui.backend.annotation import pictures as pages
from cvflow_tui.backend.annotation.folder import ProjectFolder
from cvflow_tui.backend.annotation.journal import Entry
from cvflow_tui.backend.annotation.opening import open_picture, view_of
from cvflow_tui.backend.annotation.provider import Provider
from cvflow_tui.backend.annotation.registry import Registry
from cvflow_tui.backend.store import Database
from cvflow_tui.home import Home
from cvflow_tui.model.errors import NotFoundError, UsageError
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.projects import (
    Act,
    ActResult,
    Annotation,
    Picture,
    PicturePage,
    PictureState,
    PictureView,
    Project,
    ProjectSettings,
)


class ProjectService:
    """The projects of a home folder. Blocking and thread-safe.

    Every method that takes a project's name raises NotFoundError, naming the projects there are, for one that does not exist.
    """

    def __init__(self, home: Home, state: Database, provider: Provider) -> None:
        self._registry = Registry(home, state)
        self._provider = provider
        self._before_removal: list[Callable[[str], None]] = []

    def before_removal(self, callback: Callable[[str], None]) -> None:
        """Have `callback(name)` called before a project is deleted, so that whoever works on it lets go of it."""
        self._before_removal.append(callback)

    def recover(self) -> None:
        """At the daemon's start: tidy up after a killed process."""
        self._registry.recover()

    def close(self) -> None:
        """Let go of every project."""
        self._registry.close()

    def projects(self) -> list[Project]:
        """All projects by name; one that can't be opened has `error`."""
        return [self._registry.summary(name) for name in self._registry.names()]

    def project(self, name: str) -> Project:
        """One project."""
        return self.folder(name).summary()

    def folder(self, name: str) -> ProjectFolder:
        """The open folder of a project, for learning."""
        return self._registry.folder(name)

    def create(
        self, name: str, pictures: Sequence[str], labels: Sequence[str], settings: ProjectSettings | None = None, credit: str | None = None
    ) -> Project:
        """Make a project of pictures and folders of pictures (absolute paths), none of them read yet.

        Raises UsageError for a name, label or setting that won't do and where there is no picture, NotFoundError for a path that
        is missing, RefusedError for a name that is taken.
        """
        settings = _checked(settings or ProjectSettings())
        return self._registry.create(name, pictures, labels, settings, credit).summary()

    def change(self, name: str, settings: ProjectSettings) -> Project:
        """Give a project other settings. Raises UsageError naming the one that won't do."""
        folder = self.folder(name)
        folder.change(_checked(settings))
        return folder.summary()

    def remove(self, name: str) -> None:
        """Delete a project's folder; its pictures stay where they are."""
        for callback in self._before_removal:
            callback(name)
        self._registry.remove(name)

    def pictures(self, name: str, offset: int = 0, limit: int = 100, query: str = "", state: PictureState | None = None) -> PicturePage:
        """A window of a project's pictures, in their order; at most 1000."""
        return pages.page(self.folder(name).database, offset, limit, query, state)

    def open(self, name: str, position: int | None = None) -> PictureView:
        """Open the picture at a position (None: the first that is not finished), asking the solver where that is due."""
        folder = self.folder(name)
        if position is None:
            position = pages.next_position(folder.database)
        return open_picture(folder, pages.at_position(folder.database, position), self._provider)

    def content(self, name: str, picture: int) -> Path:
        """The file of one of the project's pictures. Raises NotFoundError where it is gone."""
        path = Path(pages.with_id(self.folder(name).database, picture)["path"])
        if not path.is_file():
            raise NotFoundError(f"{path} is gone: put it back, or skip it")
        return path

    def act(self, name: str, picture: int, act: Act) -> ActResult:
        """Do something to a picture. When this returns it is in the journal, on disk.

        Raises NotFoundError, UsageError or RefusedError where it can't be done; then nothing was done.
        """
        folder = self.folder(name)
        row = pages.with_id(folder.database, picture)
        if row["stamp"] is None and row["error"] is None:
            pages.looked_at(folder.database, row)
        return self._told(folder, folder.journal.act(picture, act))

    def undo(self, name: str) -> ActResult:
        """Take the last act of the project back, whichever picture it was on. Raises RefusedError when there is none."""
        folder = self.folder(name)
        return self._told(folder, folder.journal.undo())

    def redo(self, name: str) -> ActResult:
        """Do again what was undone last. Raises RefusedError when there is nothing."""
        folder = self.folder(name)
        return self._told(folder, folder.journal.redo())

    def finished(self, name: str) -> Iterator[tuple[Picture, tuple[Annotation, ...]]]:
        """Every finished picture with what a person stands behind, by position; read a few at a time."""
        folder = self.folder(name)
        for row in pages.finished(folder.database):
            yield pages.to_picture(row), pages.annotations_of(folder.database, row["id"], folder.labels)

    def _told(self, folder: ProjectFolder, entry: Entry) -> ActResult:
        return ActResult(view_of(folder, entry.picture), entry.message, entry.affected)


def _checked(settings: ProjectSettings) -> ProjectSettings:
    if settings.solver is not None:
        try:
            SolverName.parse(settings.solver)
        except ValueError as error:
            raise UsageError(f"solver: {error}") from error
    if not math.isfinite(settings.threshold) or not 0 <= settings.threshold <= 1:
        raise UsageError(f"threshold: {settings.threshold} must lie between 0 and 1")
    if settings.round_every < 0:
        raise UsageError(f"round_every: {settings.round_every} must be 0 (never by itself) or more")
    return settings
