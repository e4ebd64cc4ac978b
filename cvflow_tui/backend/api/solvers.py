"""`/solvers`: starting, stopping, watching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from cvflow_tui.backend.api.body import AsJson
from cvflow_tui.backend.api.document import fails
from cvflow_tui.backend.api.names import LARGEST, PackagePart, SolverPart, SolverRef, VendorPart, Wait, Words
from cvflow_tui.backend.api.routes import routes
from cvflow_tui.backend.api.services import Rooms
from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.solvers import LogChunk, LogSearch, RunningSolver, SolverHistory

router = routes("solvers", "/solvers")

LOG_LIMIT = 1024 * 1024
LINES_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class Start:
    """How to start: `port` None = any free one; `wait` = reply when it is ready."""

    port: Annotated[int | None, Field(json_schema_extra={"minimum": 1, "maximum": 65535})] = None
    wait: bool = True


@router.get("")
def running(rooms: Rooms) -> list[RunningSolver]:
    """Every solver that runs or failed."""
    return rooms.supervisor.solvers()


@router.get("/resolve", responses=fails(404))
def resolve(rooms: Rooms, name: SolverRef) -> SolverName:
    """The full name of an installed solver."""
    return rooms.packages.resolve(name)


@router.post("/{vendor}/{package}/{solver}/start", responses=fails(404, 424, 502))
def start(rooms: Rooms, vendor: VendorPart, package: PackagePart, solver: SolverPart, how: Annotated[Start, AsJson()]) -> RunningSolver:
    """Start a solver, or find it running."""
    if how.port is not None and not 0 < how.port < 65536:
        raise UsageError(f"port {how.port} is not between 1 and 65535")
    return rooms.upgrader.start(_name(vendor, package, solver), how.port, how.wait)


@router.post("/{vendor}/{package}/{solver}/stop", responses=fails(404))
def stop(rooms: Rooms, vendor: VendorPart, package: PackagePart, solver: SolverPart) -> RunningSolver:
    """Stop a solver: no process and no port is left."""
    return rooms.supervisor.stop(str(_name(vendor, package, solver)))


@router.post("/{vendor}/{package}/{solver}/restart", responses=fails(404, 424, 502))
def restart(rooms: Rooms, vendor: VendorPart, package: PackagePart, solver: SolverPart) -> RunningSolver:
    """Stop a solver and start it with its settings as they are now; reply when it is ready."""
    return rooms.upgrader.restart(_name(vendor, package, solver))


@router.get("/{vendor}/{package}/{solver}/history", responses=fails(404, 502))
def history(rooms: Rooms, vendor: VendorPart, package: PackagePart, solver: SolverPart) -> SolverHistory:
    """The last ten minutes of a running solver, second by second."""
    return rooms.supervisor.history(str(_name(vendor, package, solver)))


@router.get("/{vendor}/{package}/{solver}/log/search")
def search_log(
    rooms: Rooms,
    vendor: VendorPart,
    package: PackagePart,
    solver: SolverPart,
    text: Words = "",
    level: Annotated[Literal["debug", "info", "warning", "error"], Query()] = "debug",
    since: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    limit: Annotated[int, Query(ge=1, le=LINES_LIMIT)] = 1000,
) -> LogSearch:
    """The last lines, older files included, that hold `text` (capitals count where it has some), are of `level` or above, and were
    written after `since` (seconds since 1970).
    """
    return rooms.supervisor.search_log(str(_name(vendor, package, solver)), text, level, since, limit)


@router.get("/{vendor}/{package}/{solver}/log", responses=fails(404))
def log(
    rooms: Rooms,
    vendor: VendorPart,
    package: PackagePart,
    solver: SolverPart,
    offset: Annotated[int | None, Query(ge=0, lt=LARGEST)] = None,
    limit: Annotated[int, Query(ge=1, le=LOG_LIMIT)] = 65536,
    wait: Wait = 0,
    file: Annotated[str, Query(max_length=60)] = "",
    until: Annotated[int | None, Query(ge=0, lt=LARGEST)] = None,
) -> LogChunk:
    """A piece of a solver's log: from byte `offset` on, else before byte `until`, else its end; `file` names one of its files."""
    return rooms.supervisor.log(str(_name(vendor, package, solver)), offset, limit, wait, file=file, until=until)


def _name(vendor: str, package: str, solver: str) -> SolverName:
    try:
        return SolverName.parse(f"{vendor}/{package}/{solver}")
    except ValueError as error:
        raise UsageError(str(error)) from error
