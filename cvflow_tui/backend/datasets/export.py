"""A project's finished pictures as a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cvflow_tui import __version__
from cvflow_tui.backend.datasets.formats import format_named
from cvflow_tui.backend.datasets.records import LabelledBox, LabelledPicture, Source
from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.projects import ExportReport


def export_project(source: Source, name: str, format: str, out: Path) -> ExportReport:
    """Write what a person stands behind, confirmed empty pictures included.

    An older export at `out` is replaced; what is no text (a picture, a weight) is not.

    Raises NotFoundError for an unknown project or a missing folder, UsageError for an unknown format, a relative path, or an `out` that
    is something else already.
    """
    kind, project = format_named(format), source.project(name)
    if not out.is_absolute():
        raise UsageError(f"out: {out} is not an absolute path")
    if out.is_dir():
        raise UsageError(f"out: {out} is a folder: name a file in it, such as {out / (name + kind.ending)}")
    if not _may_be_replaced(out):
        raise UsageError(f"out: {out} is there already and is no text file: it is not written over")
    unread: list[str] = []
    info = {
        "description": f"cvflow project {name}",
        "project": name,
        "version": __version__,
        "contributor": project.credit or "",
        "date_created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    written = kind.save(out, project.labels, _pictures(source, name, unread), info)
    dropped = (*written.dropped, *(f"{picture}: its size is not known" for picture in unread))
    return ExportReport(kind.name, written.pictures, written.annotations, dropped, str(out))


def _pictures(source: Source, name: str, unread: list[str]) -> Iterator[LabelledPicture]:
    for picture, held in source.finished(name):
        if picture.width is None or picture.height is None:  # it was finished, and became unreadable since
            unread.append(picture.name)
            continue
        objects = tuple(LabelledBox(annotation.label, annotation.box) for annotation in held)
        yield LabelledPicture(picture.name, picture.width, picture.height, objects)


def _may_be_replaced(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"\0" not in file.read(4096)
    except FileNotFoundError:
        return True
