"""`/repo/running`, `/repos/running`, `/solvers/running`: starting, listing and stopping as the original's clients ask for it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from cvflow_tui.backend.api import solvers
from cvflow_tui.backend.api.services import Rooms
from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.solvers import RunningSolver

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Start:
    """Which solver; an empty port means any."""

    vendor: str
    name: str
    solver: str
    port: str | int = ""


@router.post("/repo/running")
def start(rooms: Rooms, body: Start) -> dict[str, str]:
    """Start a solver. The reply comes when it can be asked, with the port that it has."""
    running = solvers.start(rooms, body.vendor, body.name, body.solver, solvers.Start(_port(body.port), wait=True))
    return {"code": "success", "port": str(running.port)}


@router.get("/repos/running")
@router.get("/solvers/running")
def running(rooms: Rooms) -> list[dict[str, str]]:
    """Every solver that runs."""
    return [_told(each) for each in rooms.supervisor.solvers() if each.state.is_live and each.port]


@router.get("/solvers/running/{vendor}/{package}")
def running_of(rooms: Rooms, vendor: str, package: str) -> list[dict[str, str]]:
    """Those of one package."""
    wanted = (vendor.lower(), package.lower())
    return [each for each in running(rooms) if (each["Vendor"], each["Package"]) == wanted]


@router.delete("/solvers/running/{vendor}/{package}/{solver}")
def stop(rooms: Rooms, vendor: str, package: str, solver: str) -> dict[str, str]:
    """Stop a solver: when this answers, no process and no port of it is left."""
    solvers.stop(rooms, vendor, package, solver)
    return {"code": "success", "message": "Successfully stopped"}


def _told(running: RunningSolver) -> dict[str, str]:
    name = SolverName.parse(running.name)
    return {"Vendor": name.vendor, "Package": name.package, "SolverName": name.solver, "Port": str(running.port)}


def _port(told: str | int) -> int | None:
    if told in ("", 0, "0"):
        return None
    try:
        return int(told)
    except ValueError:
        raise UsageError(f"port {str(told)[:20]!r} is no number") from None
