"""A package as lists and detail panes show it: every text from outside is cleaned here, once."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from cvflow_tui.backend.packages.manifest import ModelTable
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.trust import RISK, risk_of
from cvflow_tui.model.packages import PackageDetail, PackageSummary, SolverInfo, WeightInfo
from cvflow_tui.model.text import clean, one_line

README_LIMIT = 256 << 10
"""Bytes of a README that are shown."""

SKIPPED = frozenset({".git", "__pycache__", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints"})
"""Folders that tools leave behind and that belong to no package."""


def summary_of(package: Package, *, source: str, installed: str | None = None) -> PackageSummary:
    """The package in a list."""
    table = package.manifest.package
    return PackageSummary(
        vendor=package.vendor,
        name=package.name,
        version=package.version,
        tagline=one_line(table.tagline or table.description),
        license=one_line(table.license, 60),
        tasks=tuple(dict.fromkeys(solver.task for solver in package.solvers)),
        solvers=tuple(solver.name for solver in package.solvers),
        size=installed_size(package),
        source=source,
        installed=installed,
    )


def detail_of(
    package: Package, summary: PackageSummary, *, path: str | None = None, commit: str | None = None, more_warnings: tuple[str, ...] = ()
) -> PackageDetail:
    """Everything about the package; `more_warnings` are those of its source."""
    weights = tuple(_weight(package, model) for model in package.models)
    risks = [f"{each.name} is untrusted ({each.untrusted}): {RISK}" for each in weights if each.untrusted]
    return PackageDetail(
        summary=summary,
        readme=readme_of(package.root),
        solvers=tuple(_clean_solver(solver) for solver in package.solvers),
        weights=weights,
        environment=package.environment,
        requirements=tuple(one_line(line) for line in package.requirements),
        python=package.manifest.package.python,
        path=path,
        commit=commit,
        warnings=tuple(one_line(warning) for warning in dict.fromkeys([*more_warnings, *package.warnings, *risks])),
    )


def readme_of(root: Path) -> str:
    """The text of the package's README, clean; empty where there is none."""
    names = sorted(entry.name for entry in root.iterdir() if entry.name.lower().partition(".")[0] == "readme" and entry.is_file())
    if not names:
        return ""
    with (root / names[0]).open("rb") as file:
        return clean(file.read(README_LIMIT).decode("utf-8", "replace"))


def installed_size(package: Package) -> int | None:
    """Bytes of the files and of the weights that come from elsewhere; None where the manifest does not say how large those are."""
    size = files_size(package.root)
    for model in package.models:
        if is_relative(model.url):
            continue
        present = package.root / "pretrained" / model.name
        if present.is_file():
            continue
        if model.size is None:
            return None
        size += model.size
    return size


def is_relative(url: str) -> bool:
    """Whether a weight's URL is a path inside the package."""
    scheme, colon, _ = url.partition(":")
    return not (colon and len(scheme) > 1 and scheme.replace("+", "").replace("-", "").isalnum())


def files_size(root: Path) -> int:
    """Bytes of all files below a folder, each counted once however often it is linked."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED]
        for name in files:
            try:
                found = Path(folder, name).lstat()
            except FileNotFoundError:
                continue
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_size
    return total


def _weight(package: Package, model: ModelTable) -> WeightInfo:
    """What comes, or what is there: the file itself says more of its format than its name does."""
    root = package.root.resolve()
    there = [root / "pretrained" / model.name, *([root / model.url] if is_relative(model.url) else [])]
    path = next((path for path in there if path.is_file() and path.resolve().is_relative_to(root)), None)
    size = path.stat().st_size if model.size is None and path is not None else model.size
    return WeightInfo(one_line(model.name), one_line(model.url, 500), model.sha256, size, risk_of(model.name, path))


def _clean_solver(solver: SolverInfo) -> SolverInfo:
    return replace(solver, labels=tuple(one_line(label) for label in solver.labels))
