"""From what a user types to an installed solver or package."""

from __future__ import annotations

from collections.abc import Sequence

from cvflow_tui.model.errors import NotFoundError, UsageError
from cvflow_tui.model.names import SolverName
from cvflow_tui.model.text import one_line


def resolve_solver(text: str, known: Sequence[SolverName]) -> SolverName:
    """The solver that `vendor/package/solver`, `package/solver`, `vendor/package`, `package` or `solver` means; case does not matter.

    Raises NotFoundError that says what there is, UsageError where several solvers are meant.
    """
    wanted = text.strip().lower()
    matches = [name for name in known if wanted in _spellings(name)]
    if len(matches) > 1:
        raise UsageError(f"{one_line(text, 60)!r} may be {_listed(matches)}: say which")
    if not matches:
        there = f"installed are {_listed(known)}" if known else "no package is installed yet (see: cvflow hub search)"
        raise NotFoundError(f"there is no solver {one_line(text, 60)!r}; {there}")
    return matches[0]


def resolve_package(text: str, known: Sequence[str]) -> str:
    """The package that `vendor/name` or `name` means. Raises as `resolve_solver` does."""
    wanted = text.strip().lower()
    matches = [ref for ref in known if wanted in (ref, ref.partition("/")[2])]
    if len(matches) > 1:
        raise UsageError(f"{one_line(text, 60)!r} may be {', '.join(matches)}: say which")
    if not matches:
        there = f"installed are {', '.join(known)}" if known else "no package is installed yet"
        raise NotFoundError(f"{one_line(text, 60)!r} is not installed; {there}")
    return matches[0]


def _spellings(name: SolverName) -> set[str]:
    vendor, package, solver = name.vendor.lower(), name.package.lower(), name.solver.lower()
    return {f"{vendor}/{package}/{solver}", f"{package}/{solver}", f"{vendor}/{package}", package, solver}


def _listed(names: Sequence[SolverName]) -> str:
    shown = ", ".join(str(name) for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
