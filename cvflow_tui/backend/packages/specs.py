"""From an installed package to what its runner needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.weights import FOLDER
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.model.packages import SolverInfo


def spec_of(package: Package, solver: SolverInfo, root: Path, python: Path, weights: Sequence[str]) -> RunSpec:
    """The specification of a solver whose package is (or will be) installed at `root`."""
    return RunSpec(
        package=package.ref,
        version=package.version,
        solver=solver.name,
        root=str(root),
        class_path=solver.class_path,
        task=solver.task,
        python=str(python),
        labels=solver.labels,
        weights={name: str(root / FOLDER / name) for name in weights},
        batch=solver.batch,
        result=solver.result,
    )
