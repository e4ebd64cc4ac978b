"""`/solvers/…/settings` and `/variables`: how solvers are to run. Values of variables go in and never come out."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import APIRouter

from cvflow_tui.backend.api.services import Rooms
from cvflow_tui.model.errors import NotFoundError
from cvflow_tui.model.packages import SolverName
from cvflow_tui.model.settings import SettingsReport, Variable

router = APIRouter(tags=["settings"])


@dataclass(frozen=True, slots=True)
class Changes:
    """Settings by name, as a person writes them; an empty text takes one back."""

    changes: dict[str, str]


@dataclass(frozen=True, slots=True)
class VariableBody:
    """Which variable of which package or solver, and what it shall be."""

    ref: str
    name: str
    value: str = field(default="", repr=False)


@router.get("/solvers/{vendor}/{package}/{solver}/settings")
def settings(rooms: Rooms, vendor: str, package: str, solver: str) -> SettingsReport:
    """A solver's settings, and what of them it does not run with yet."""
    name = rooms.packages.resolve(f"{vendor}/{package}/{solver}")
    return rooms.supervisor.report(str(name), name.package_ref)


@router.patch("/solvers/{vendor}/{package}/{solver}/settings")
def change(rooms: Rooms, vendor: str, package: str, solver: str, body: Changes) -> SettingsReport:
    """Set some, all or none."""
    name: SolverName = rooms.packages.resolve(f"{vendor}/{package}/{solver}")
    rooms.supervisor.settings.change(str(name), body.changes)
    return rooms.supervisor.report(str(name), name.package_ref)


@router.get("/variables")
def variables(rooms: Rooms, ref: str) -> list[Variable]:
    """Which are set, without their values: a solver's own, or a package's and those of its solvers."""
    owner = _owner(rooms, ref)
    return [each for each in rooms.supervisor.settings.variables() if each.owner == owner or each.owner.startswith(f"{owner}/")]


@router.put("/variables")
def set_variable(rooms: Rooms, body: VariableBody) -> list[Variable]:
    """Set one, for the next start."""
    rooms.supervisor.settings.set_variable(_owner(rooms, body.ref), body.name, body.value)
    return variables(rooms, body.ref)


@router.delete("/variables")
def unset_variable(rooms: Rooms, body: VariableBody) -> list[Variable]:
    """Forget one."""
    rooms.supervisor.settings.unset_variable(_owner(rooms, body.ref), body.name)
    return variables(rooms, body.ref)


def _owner(rooms: Rooms, ref: str) -> str:
    """`vendor/package` of a package, `vendor/package/solver` of a solver: whichever `ref` means. A package's name means the package."""
    try:
        return rooms.packages.detail(ref).summary.ref
    except NotFoundError:
        return str(rooms.packages.resolve(ref))
