"""`/projects`: pictures, acts, rounds, exports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Body, Query
from fastapi import Path as InPath
from starlette.responses import FileResponse

from cvflow_tui.backend.api.services import Rooms
from cvflow_tui.backend.datasets.export import export_project
from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.jobs import Job
from cvflow_tui.model.projects import (
    Act,
    ActResult,
    ExportReport,
    PicturePage,
    PictureState,
    PictureView,
    Project,
    ProjectSettings,
    ProjectStatus,
)

PictureId = Annotated[int, InPath(ge=0, lt=1 << 63)]
"""A picture's number, as the database can hold it."""

router = APIRouter(prefix="/projects", tags=["projects"])


@dataclass(frozen=True, slots=True)
class NewProject:
    """A project to make of pictures and folders of pictures (absolute paths)."""

    name: str
    pictures: tuple[str, ...]
    labels: tuple[str, ...]
    settings: ProjectSettings | None = None
    credit: str | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """Which picture: position from 1; None = the first that is not finished."""

    position: int | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """Where to write what; `out` is an absolute path on the daemon's machine."""

    format: str = "coco"
    out: str | None = None


@router.get("")
def list_projects(rooms: Rooms) -> list[Project]:
    """The projects of this home."""
    return rooms.projects.projects()


@router.post("", status_code=201)
def create(rooms: Rooms, new: NewProject) -> Project:
    """Make a project."""
    settings = new.settings or ProjectSettings()
    if settings.solver:
        settings = replace(settings, solver=str(rooms.packages.resolve(settings.solver)))
    return rooms.projects.create(new.name, new.pictures, new.labels, settings, new.credit)


@router.get("/{name}")
def show(rooms: Rooms, name: str) -> ProjectStatus:
    """A project with its accuracy and its rounds."""
    return rooms.learning.status(name)


@router.put("/{name}/settings")
def change(rooms: Rooms, name: str, settings: ProjectSettings) -> Project:
    """Other settings."""
    if settings.solver:
        settings = replace(settings, solver=str(rooms.packages.resolve(settings.solver)))
    return rooms.projects.change(name, settings)


@router.delete("/{name}", status_code=200)
def remove(rooms: Rooms, name: str) -> dict[str, bool]:
    """Delete a project; its pictures stay."""
    rooms.projects.remove(name)
    return {"removed": True}


@router.get("/{name}/pictures")
def pictures(
    rooms: Rooms,
    name: str,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    query: str = "",
    state: PictureState | None = None,
) -> PicturePage:
    """A window of the pictures."""
    return rooms.projects.pictures(name, offset, limit, query, state)


@router.post("/{name}/open")
def open_picture(rooms: Rooms, name: str, which: Open) -> PictureView:
    """Open a picture, with suggestions."""
    return rooms.projects.open(name, which.position)


@router.get("/{name}/pictures/{picture}/content")
def content(rooms: Rooms, name: str, picture: PictureId) -> FileResponse:
    """The picture's file, as it is."""
    return FileResponse(rooms.projects.content(name, picture), media_type="application/octet-stream")


@router.post("/{name}/pictures/{picture}/acts")
def act(rooms: Rooms, name: str, picture: PictureId, act: Annotated[Act, Body(discriminator="kind")]) -> ActResult:
    """Do something to a picture; journalled when this returns."""
    return _with_round(rooms, name, rooms.projects.act(name, picture, act))


@router.post("/{name}/undo")
def undo(rooms: Rooms, name: str) -> ActResult:
    """Take the last act back."""
    return rooms.projects.undo(name)


@router.post("/{name}/redo")
def redo(rooms: Rooms, name: str) -> ActResult:
    """Do it again."""
    return _with_round(rooms, name, rooms.projects.redo(name))


@router.post("/{name}/train", status_code=202)
def train(rooms: Rooms, name: str) -> Job:
    """Begin a round now."""
    return rooms.learning.train(name)


@router.post("/{name}/export")
def export(rooms: Rooms, name: str, how: Export) -> ExportReport:
    """Write the annotations to a file."""
    if not how.out:
        raise UsageError("out: the absolute path of the file to write is needed")
    return export_project(rooms.projects, name, how.format, Path(how.out))


def _with_round(rooms: Rooms, name: str, result: ActResult) -> ActResult:
    started = rooms.learning.after_act(name, result)
    return result if started is None else replace(result, round_started=started)
