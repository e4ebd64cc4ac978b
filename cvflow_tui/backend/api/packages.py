"""`/packages`, `/package`: what is installed, installing, removing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from cvflow_tui.backend.api.body import AsJson
from cvflow_tui.backend.api.document import fails
from cvflow_tui.backend.api.names import PackageRef
from cvflow_tui.backend.api.routes import routes
from cvflow_tui.backend.api.services import Caller, Rooms
from cvflow_tui.model.errors import RefusedError
from cvflow_tui.model.jobs import Job
from cvflow_tui.model.packages import (
    InstallPlan,
    InstallRequest,
    PackageDetail,
    PackageSummary,
    PackageUses,
    Removal,
    Upgrade,
    UpgradeRequest,
)
from cvflow_tui.model.text import one_line

router = routes("packages")


@dataclass(frozen=True, slots=True)
class RemoveBody:
    """Which package; `force`: also where projects ask its solvers."""

    ref: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class RollbackBody:
    """Which package, and whether its solvers are restarted."""

    ref: str
    restart: bool = False


@dataclass(frozen=True, slots=True)
class LockText:
    """A lock, as it stands in its file."""

    text: str


@router.get("/packages")
def installed(rooms: Rooms) -> list[PackageSummary]:
    """Installed packages."""
    return rooms.packages.installed()


@router.get("/package", responses=fails(404, 424))
def show(rooms: Rooms, ref: PackageRef) -> PackageDetail:
    """One installed package."""
    return rooms.packages.detail(ref)


@router.post("/packages/plan", responses=fails(404, 424, 502))
def plan(rooms: Rooms, caller: Caller, body: Annotated[InstallRequest, AsJson()]) -> InstallPlan:
    """What installing would do."""
    return rooms.packages.plan(body, caller)


@router.post("/packages/install", status_code=202)
def install(rooms: Rooms, caller: Caller, body: Annotated[InstallRequest, AsJson()]) -> Job:
    """Begin to install."""
    return rooms.jobs.start("install", one_line(body.source), lambda progress: rooms.packages.install(body, progress, caller))


@router.post("/packages/upgrade/plan", responses=fails(404, 424, 502))
def plan_upgrade(rooms: Rooms, caller: Caller, body: Annotated[UpgradeRequest, AsJson()]) -> InstallPlan:
    """What an upgrade would change."""
    return rooms.upgrader.plan(body, caller)


@router.post("/packages/upgrade", status_code=202)
def upgrade(rooms: Rooms, caller: Caller, body: Annotated[UpgradeRequest, AsJson()]) -> Job:
    """Begin to upgrade."""
    return rooms.jobs.start("upgrade", one_line(body.ref), lambda progress: rooms.upgrader.upgrade(body, progress, caller))


@router.post("/packages/rollback", responses=fails(404, 424, 502))
def rollback(rooms: Rooms, body: Annotated[RollbackBody, AsJson()]) -> Upgrade:
    """Go back to the version that the last upgrade kept."""
    return rooms.upgrader.roll_back(body.ref, body.restart)


@router.get("/package/lock", responses=fails(404, 424))
def lock(rooms: Rooms, ref: PackageRef) -> LockText:
    """The lock of an installed package."""
    return LockText(rooms.packages.lock(ref))


@router.get("/package/uses", responses=fails(404))
def uses(rooms: Rooms, ref: PackageRef) -> PackageUses:
    """Who uses a package, and what of it would stay."""
    found = rooms.packages.uses(ref)
    running = tuple(solver.name for solver in rooms.supervisor.solvers() if solver.package == found.package and solver.state.is_live)
    projects = tuple(
        project.name for project in rooms.projects.projects() if (project.settings.solver or "").startswith(f"{found.package}/")
    )
    return replace(found, running=running, projects=projects)


@router.post("/packages/remove", responses=fails(404))
def remove(rooms: Rooms, body: Annotated[RemoveBody, AsJson()]) -> Removal:
    """Stop the package's solvers, then remove it."""
    found = uses(rooms, body.ref)
    if found.projects and not body.force:
        names = ", ".join(found.projects)
        raise RefusedError(
            f"{found.package} suggests in {names}: give the project another solver, or remove it all the same: cvflow remove --force"
        )
    running = [solver.name for solver in rooms.supervisor.solvers() if solver.package == found.package]
    for name in running:
        rooms.supervisor.stop(name)
    removed = rooms.packages.remove(found.package)
    rooms.supervisor.settings.forget(found.package)
    return replace(removed, stopped=tuple(running))
