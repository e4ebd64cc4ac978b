"""`/solvers/…/settings` and `/variables`: how solvers are to run. Values of variables go in and never come out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from cvflow_tui.backend.api.body import AsJson
from cvflow_tui.backend.api.document import fails
from cvflow_tui.backend.api.names import PackagePart, PackageRef, SolverPart, VendorPart
from cvflow_tui.backend.api.routes import routes
from cvflow_tui.backend.api.services import Rooms
from cvflow_tui.model.errors import NotFoundError
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.settings import SettingsReport, Variable, setting_names

router = routes("settings")


@dataclass(frozen=True, slots=True)
class SettingsChanges:
    """Settings by name, as a person writes them; an empty text takes one back."""

    changes: Annotated[dict[str, str], Field(json_schema_extra={"propertyNames": {"enum": list(setting_names())}})]


@dataclass(frozen=True, slots=True)
class VariableBody:
    """Which variable of which package or solver, and what it shall be."""

    ref: str
    name: Annotated[str, Field(json_schema_extra={"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})]
    value: str = field(default="", repr=False)


@router.get("/solvers/{vendor}/{package}/{solver}/settings", responses=fails(404))
def settings(rooms: Rooms, vendor: VendorPart, package: PackagePart, solver: SolverPart) -> SettingsReport:
    """A solver's settings, and what of them it does not run with yet."""
    return _report(rooms, rooms.packages.resolve(f"{vendor}/{package}/{solver}"))


@router.patch("/solvers/{vendor}/{package}/{solver}/settings", responses=fails(404))
def change(
    rooms: Rooms, vendor: VendorPart, package: PackagePart, solver: SolverPart, body: Annotated[SettingsChanges, AsJson()]
) -> SettingsReport:
    """Set some, all or none."""
    name: SolverName = rooms.packages.resolve(f"{vendor}/{package}/{solver}")
    rooms.supervisor.settings.change(str(name), body.changes)
    return _report(rooms, name)


@router.get("/variables", responses=fails(404, 424))
def variables(rooms: Rooms, ref: PackageRef) -> list[Variable]:
    """Which are set, without their values: a solver's own, or a package's and those of its solvers."""
    owner = _owner(rooms, ref)
    return [each for each in rooms.supervisor.settings.variables() if each.owner == owner or each.owner.startswith(f"{owner}/")]


@router.put("/variables", responses=fails(404, 424))
def set_variable(rooms: Rooms, body: Annotated[VariableBody, AsJson()]) -> list[Variable]:
    """Set one, for the next start."""
    rooms.supervisor.settings.set_variable(_owner(rooms, body.ref), body.name, body.value)
    return variables(rooms, body.ref)


@router.delete("/variables", responses=fails(404, 424))
def unset_variable(rooms: Rooms, body: Annotated[VariableBody, AsJson()]) -> list[Variable]:
    """Forget one."""
    rooms.supervisor.settings.unset_variable(_owner(rooms, body.ref), body.name)
    return variables(rooms, body.ref)


def _report(rooms: Rooms, name: SolverName) -> SettingsReport:
    report = rooms.supervisor.report(str(name), name.package_ref)
    unknown = [f"after: {each} is not installed: nobody waits for it" for each in report.settings.after if not _is_installed(rooms, each)]
    return replace(report, warnings=(*report.warnings, *unknown))


def _is_installed(rooms: Rooms, solver: str) -> bool:
    try:
        rooms.packages.resolve(solver)
    except NotFoundError:
        return False
    return True


def _owner(rooms: Rooms, ref: str) -> str:
    """`vendor/package` of a package, `vendor/package/solver` of a solver: whichever `ref` means. A package's name means the package."""
    try:
        return rooms.packages.detail(ref).summary.ref
    except NotFoundError:
        return str(rooms.packages.resolve(ref))
