"""`/packages/new`, `/packages/check`: what the author of a package needs."""

from __future__ import annotations

from typing import Annotated

from cvflow_tui.backend.api.body import AsJson
from cvflow_tui.backend.api.routes import routes
from cvflow_tui.backend.api.services import Caller, Rooms
from cvflow_tui.backend.packages.template import create_package
from cvflow_tui.model.authoring import CheckRequest, NewPackage, NewPackageRequest
from cvflow_tui.model.jobs import Job
from cvflow_tui.model.text import one_line

router = routes("packages", "/packages")


@router.post("/new", status_code=201)
def new(body: Annotated[NewPackageRequest, AsJson()]) -> NewPackage:
    """Write a package to begin with into a folder that is not there yet."""
    return create_package(body)


@router.post("/check", status_code=202)
def check(rooms: Rooms, caller: Caller, body: Annotated[CheckRequest, AsJson()]) -> Job:
    """Begin to check a package; the job's result is a CheckReport."""
    return rooms.jobs.start("check", one_line(body.source), lambda progress: rooms.packages.check(body, progress, caller))
