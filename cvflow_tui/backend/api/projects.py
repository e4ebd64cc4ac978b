"""`/projects`: pictures, acts, rounds, exports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from fastapi import Body, Query
from pydantic import Discriminator, Field
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from cvflow_tui.backend.api.body import AsJson
from cvflow_tui.backend.api.document import Schema, fails
from cvflow_tui.backend.api.names import LARGEST, PROJECT, PictureId, ProjectName, Words
from cvflow_tui.backend.api.routes import routes
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

AnyAct = Annotated[Act, Discriminator("kind")]
router = routes("projects", "/projects")


_FILE: dict[int | str, Schema] = {
    200: {"description": "The file", "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


class WholeFile(FileResponse):
    """A file, always the whole of it: a `Range` that makes no sense would be answered in other words than ours."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        self.headers["accept-ranges"] = "none"
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


@dataclass(frozen=True, slots=True)
class NewProject:
    """A project to make of pictures and folders of pictures (absolute paths)."""

    name: Annotated[str, Field(json_schema_extra=PROJECT)]
    pictures: Annotated[tuple[str, ...], Field(json_schema_extra={"minItems": 1})]
    labels: Annotated[tuple[str, ...], Field(json_schema_extra={"minItems": 1, "uniqueItems": True})]
    settings: ProjectSettings | None = None
    credit: str | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """That the project is."""

    removed: bool = True


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


@router.post("", status_code=201, responses=fails(404))
def create(rooms: Rooms, new: Annotated[NewProject, AsJson()]) -> Project:
    """Make a project."""
    settings = new.settings or ProjectSettings()
    if settings.solver:
        settings = replace(settings, solver=str(rooms.packages.resolve(settings.solver)))
    return rooms.projects.create(new.name, new.pictures, new.labels, settings, new.credit)


@router.get("/{name}", responses=fails(404))
def show(rooms: Rooms, name: ProjectName) -> ProjectStatus:
    """A project with its accuracy and its rounds."""
    return rooms.learning.status(name)


@router.put("/{name}/settings", responses=fails(404))
def change(rooms: Rooms, name: ProjectName, settings: Annotated[ProjectSettings, AsJson()]) -> Project:
    """Other settings."""
    if settings.solver:
        settings = replace(settings, solver=str(rooms.packages.resolve(settings.solver)))
    return rooms.projects.change(name, settings)


@router.delete("/{name}", responses=fails(404))
def remove(rooms: Rooms, name: ProjectName) -> Gone:
    """Delete a project; its pictures stay."""
    rooms.projects.remove(name)
    return Gone()


@router.get("/{name}/pictures", responses=fails(404))
def pictures(
    rooms: Rooms,
    name: ProjectName,
    offset: Annotated[int, Query(ge=0, lt=LARGEST)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    query: Words = "",
    state: PictureState | None = None,
) -> PicturePage:
    """A window of the pictures."""
    return rooms.projects.pictures(name, offset, limit, query, state)


@router.post("/{name}/open", responses=fails(404))
def open_picture(rooms: Rooms, name: ProjectName, which: Annotated[Open, AsJson()]) -> PictureView:
    """Open a picture, with suggestions."""
    return rooms.projects.open(name, which.position)


@router.get("/{name}/pictures/{picture}/content", response_class=WholeFile, responses=_FILE | fails(404))
def content(rooms: Rooms, name: ProjectName, picture: PictureId) -> WholeFile:
    """The picture's file, as it is."""
    return WholeFile(rooms.projects.content(name, picture), media_type="application/octet-stream")


@router.post("/{name}/pictures/{picture}/acts", responses=fails(404))
def act(
    rooms: Rooms, name: ProjectName, picture: PictureId, act: Annotated[Act, Discriminator("kind"), Body(), AsJson(AnyAct)]
) -> ActResult:
    """Do something to a picture; journalled when this returns."""
    return _with_round(rooms, name, rooms.projects.act(name, picture, act))


@router.post("/{name}/undo", responses=fails(404))
def undo(rooms: Rooms, name: ProjectName) -> ActResult:
    """Take the last act back."""
    return rooms.projects.undo(name)


@router.post("/{name}/redo", responses=fails(404))
def redo(rooms: Rooms, name: ProjectName) -> ActResult:
    """Do it again."""
    return _with_round(rooms, name, rooms.projects.redo(name))


@router.post("/{name}/train", status_code=202, responses=fails(404, 424, 502))
def train(rooms: Rooms, name: ProjectName) -> Job:
    """Begin a round now."""
    return rooms.learning.train(name)


@router.post("/{name}/export", responses=fails(404))
def export(rooms: Rooms, name: ProjectName, how: Annotated[Export, AsJson()]) -> ExportReport:
    """Write the annotations to a file."""
    if not how.out:
        raise UsageError("out: the absolute path of the file to write is needed")
    return export_project(rooms.projects, name, how.format, Path(how.out))


def _with_round(rooms: Rooms, name: str, result: ActResult) -> ActResult:
    started = rooms.learning.after_act(name, result)
    return result if started is None else replace(result, round_started=started)
