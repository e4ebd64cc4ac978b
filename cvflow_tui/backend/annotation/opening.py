"""Opening a picture: its header is read, a solver is asked if one is due, and the annotator gets the view."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from cvflow_tui.backend.annotation import pictures, suggesting
from cvflow_tui.backend.annotation.folder import ProjectFolder
from cvflow_tui.backend.annotation.provider import Provider
from cvflow_tui.backend.annotation.suggesting import Serving
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.geometry import Size
from cvflow_tui.model.projects import PictureView
from cvflow_tui.model.text import one_line

log = logging.getLogger(__name__)


def open_picture(folder: ProjectFolder, row: sqlite3.Row, provider: Provider) -> PictureView:
    """The view of a picture, with suggestions as fresh as they may be. A solver that fails leaves a note, never an error."""
    row = pictures.looked_at(folder.database, row)
    serving, note = folder.serving(), None
    if serving is not None and suggesting.is_due(folder.database, row, serving):
        note = _ask(folder, row, serving, provider)
    return view_of(folder, row["id"], note)


def view_of(folder: ProjectFolder, picture: int, note: str | None = None) -> PictureView:
    """A picture as it stands."""
    database = folder.database
    row = pictures.with_id(database, picture)
    content = pictures.content_of(database, row, folder.labels)
    return PictureView(
        picture=pictures.to_picture(row),
        annotations=content.annotations,
        suggestions=content.suggestions,
        total=sum(number for number, _ in pictures.tallies(database).values()),
        can_undo=folder.journal.can_undo(),
        can_redo=folder.journal.can_redo(),
        note=note,
    )


def _ask(folder: ProjectFolder, row: sqlite3.Row, serving: Serving, provider: Provider) -> str | None:
    try:
        objects = provider.suggest(serving.solver, Path(row["path"]), threshold=suggesting.FLOOR, variant=folder.variant(serving))
    except CvflowError as error:
        return one_line(error.message)
    except Exception as error:  # a fault of ours in asking must not keep anyone from annotating
        log.exception("%s could not be asked about %s", serving.solver, row["path"])
        return one_line(f"{serving.solver} could not be asked: {type(error).__name__}: {error}")
    proposals = suggesting.fitted(objects, folder.labels, Size(row["width"], row["height"]))
    annotations = pictures.annotations_of(folder.database, row["id"], folder.labels)
    suggesting.keep(folder.database, row, serving, suggesting.new_to(proposals, annotations), folder.labels)
    return suggesting.unknown_labels(objects, folder.labels, serving.solver) if not serving.checkpoint else None
