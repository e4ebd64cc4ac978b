"""A project's finished pictures as a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cvflow_tui import __version__
from cvflow_tui.backend.datasets.formats import format_named
from cvflow_tui.backend.datasets.records import LabelledBox, LabelledPicture, Source
from cvflow_tui.model.errors import RefusedError, UsageError
from cvflow_tui.model.projects import ExportReport
from cvflow_tui.model.text import one_line


def export_project(source: Source, name: str, format: str, out: Path) -> ExportReport:
    """Write what a person stands behind, confirmed empty pictures included.

    An older export at `out` is replaced; what is no text (a picture, a weight) is not.

    Raises NotFoundError for an unknown project or a missing folder, UsageError for an unknown format, a relative path, or an `out` that
    is something else already, RefusedError where that is a device, a pipe, or cannot be read.
    """
    kind, project = format_named(format), source.project(name)
    if not out.is_absolute():
        raise UsageError(f"out: {out} is not an absolute path")
    if out.is_dir():
        raise UsageError(f"out: {out} is a folder: name a file in it, such as {out / (name + kind.ending)}")
    _refuse_what_is_no_export(out)
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


def _refuse_what_is_no_export(out: Path) -> None:
    """An older export may be written over, and nothing else: the new file is renamed into its place. What is wrong with the path itself,
    the save tells."""
    shown = one_line(str(out))
    if out.exists() and not out.is_file():
        raise RefusedError(f"{shown} is a device or a pipe, which a file would take the place of: name another file")
    try:
        with out.open("rb") as file:
            is_text = b"\0" not in file.read(4096)
    except (FileNotFoundError, NotADirectoryError):
        return
    except PermissionError as error:
        raise RefusedError(f"{shown} is there already and cannot be read: name another file") from error
    if not is_text:
        raise UsageError(f"out: {shown} is there already and is no text file: it is not written over")
