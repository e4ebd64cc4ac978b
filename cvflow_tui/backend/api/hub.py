"""`/hub/…`: what can be installed."""

from __future__ import annotations

from cvflow_tui.backend.api.document import fails
from cvflow_tui.backend.api.names import PackageRef, Words
from cvflow_tui.backend.api.routes import routes
from cvflow_tui.backend.api.services import Rooms
from cvflow_tui.model.packages import HubVersion, PackageDetail, PackageSummary

router = routes("hub", "/hub")


@router.get("/packages")
def search(rooms: Rooms, query: Words = "") -> list[PackageSummary]:
    """Packages whose name, task or tagline match."""
    return rooms.packages.hub_packages(query)


@router.get("/package", responses=fails(404))
def show(rooms: Rooms, ref: PackageRef) -> PackageDetail:
    """One package of the hub."""
    return rooms.packages.hub_package(ref)


@router.get("/versions", responses=fails(404))
def versions(rooms: Rooms, ref: PackageRef) -> list[HubVersion]:
    """Every version of a package of the hub, the newest first."""
    return rooms.packages.hub_versions(ref)
