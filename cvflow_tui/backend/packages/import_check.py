"""Whether a solver's class can be imported where it will run: found out at the installation, not at the first start."""

from __future__ import annotations

import os
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.tools import run_tool
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.packages import SolverInfo
from cvflow_tui.model.text import one_line

SDK = Path(__file__).resolve().parents[2] / "solvers" / "sdk"
"""What a worker finds first on its path."""

SECONDS = 300.0
"""How long an import may take: the large frameworks need half a minute on a cold disk."""

_CODE = """\
import importlib, sys
sdk, root, path = sys.argv[1:]
sys.path[:0] = [sdk, root]
*module, name = path.split("/")
found = getattr(importlib.import_module(".".join(module)), name, None)
if not isinstance(found, type):
    raise ImportError("%s has no class %s" % ("/".join(module) + ".py", name))
"""


def check_imports(package: Package, python: Path, progress: Progress, seconds: float = SECONDS) -> None:
    """Import every solver's class with the package's own interpreter.

    Raises PackageError that ends with the traceback's last line; its `detail` is the whole traceback.
    """
    progress.step("checking that it imports", total=len(package.solvers), unit="solvers")
    for number, solver in enumerate(package.solvers, start=1):
        _check(package, solver, python, progress, seconds)
        progress.advance(number)


def _check(package: Package, solver: SolverInfo, python: Path, progress: Progress, seconds: float) -> None:
    command = [str(python), "-P", "-B", "-c", _CODE, str(SDK), str(package.root), solver.class_path]
    dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in dropped} | {"PYTHONNOUSERSITE": "1", "NO_COLOR": "1"}
    status, output = run_tool(command, progress=progress, seconds=seconds, cwd=package.root, env=environment)
    if status == 0:
        return
    who = f"{package.ref}: solver {solver.name!r} (class {solver.class_path})"
    if status is None:
        raise PackageError(f"{who} was still being imported after {seconds:.0f} s", detail=output)
    lines = [line for line in output.splitlines() if line.strip()]
    said = one_line(lines[-1], 300) if lines else f"its Python ended with status {status}"
    raise PackageError(f"{who} cannot be imported: {said}", detail=output)
