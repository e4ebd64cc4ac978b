"""`/packages`, `/package`: what is installed, installing, removing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi import APIRouter

from cvflow_tui.backend.api.services import Rooms
from cvflow_tui.model.jobs import Job
from cvflow_tui.model.packages import InstallPlan, InstallRequest, PackageDetail, PackageSummary, Removal

router = APIRouter(tags=["packages"])


@dataclass(frozen=True, slots=True)
class RefBody:
    """Which package."""

    ref: str


@router.get("/packages")
def installed(rooms: Rooms) -> list[PackageSummary]:
    """Installed packages."""
    return rooms.packages.installed()


@router.get("/package")
def show(rooms: Rooms, ref: str) -> PackageDetail:
    """One installed package."""
    return rooms.packages.detail(ref)


@router.post("/packages/plan")
def plan(rooms: Rooms, body: InstallRequest) -> InstallPlan:
    """What installing would do."""
    return rooms.packages.plan(body)


@router.post("/packages/install", status_code=202)
def install(rooms: Rooms, body: InstallRequest) -> Job:
    """Begin to install."""
    return rooms.jobs.start("install", body.source, lambda progress: rooms.packages.install(body, progress))


@router.post("/packages/remove")
def remove(rooms: Rooms, body: RefBody) -> Removal:
    """Stop the package's solvers, then remove it."""
    package = rooms.packages.detail(body.ref).summary
    running = [solver.name for solver in rooms.supervisor.solvers() if solver.package == package.ref]
    for name in running:
        rooms.supervisor.stop(name)
    removed = replace(rooms.packages.remove(package.ref), stopped=tuple(running))
    rooms.supervisor.settings.forget(package.ref)
    return removed
