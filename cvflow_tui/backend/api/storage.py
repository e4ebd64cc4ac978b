"""`/storage`: what takes room, freeing what nobody uses, verifying what is installed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cvflow_tui.backend.api.body import AsJson
from cvflow_tui.backend.api.document import fails
from cvflow_tui.backend.api.routes import routes
from cvflow_tui.backend.api.services import Caller, Rooms
from cvflow_tui.backend.jobs import Progress
from cvflow_tui.model.jobs import Job
from cvflow_tui.model.storage import DiskUsage, Pruning, Verification

router = routes("storage", "/storage")


@dataclass(frozen=True, slots=True)
class VerifyBody:
    """Which package (None: all), whether to bring back what is missing or damaged, and whether to delete what is no part of what was
    installed; `offline`: only from this machine."""

    ref: str | None = None
    repair: bool = False
    remove_extra: bool = False
    offline: bool = False


@router.get("")
def usage(rooms: Rooms) -> DiskUsage:
    """Every byte of the home folder, by what it is."""
    return rooms.packages.storage.usage()


@router.get("/prunable")
def prunable(rooms: Rooms, keep_versions: bool = False, cache: bool = False) -> Pruning:
    """What nobody uses; with `keep_versions`, but for the versions that upgrades kept; with `cache`, and uv's."""
    return rooms.packages.storage.prunable(keep_versions=keep_versions, cache=cache)


@router.post("/prune", status_code=202)
def prune(rooms: Rooms, keep_versions: bool = False, cache: bool = False) -> Job:
    """Begin to delete what nobody uses; with `cache`, all that uv keeps too."""

    def work(progress: Progress) -> Pruning:
        return rooms.packages.storage.prune(progress, keep_versions=keep_versions, cache=cache)

    return rooms.jobs.start("prune", "what nobody uses", work)


@router.post("/verify", status_code=202, responses=fails(404))
def verify(rooms: Rooms, caller: Caller, body: Annotated[VerifyBody, AsJson()]) -> Job:
    """Begin to read every installed file and compare it."""
    storage = rooms.packages.storage
    ref = storage.known(body.ref) if body.ref is not None else None

    def work(progress: Progress) -> Verification:
        network = caller.kept_offline(body.offline)
        return storage.verify(ref, progress, repair=body.repair, remove_extra=body.remove_extra, caller=network)

    return rooms.jobs.start("verify", ref or "all packages", work)
