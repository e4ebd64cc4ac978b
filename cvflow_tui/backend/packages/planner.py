"""What an install would do, found out before anything is done."""

from __future__ import annotations

import platform
from pathlib import Path

from packaging.specifiers import SpecifierSet

from cvflow_tui.backend.packages.describe import detail_of, files_size, installed_size, summary_of
from cvflow_tui.backend.packages.disk import free_bytes, human
from cvflow_tui.backend.packages.environment import Environments, key_of
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.requirements import unmet
from cvflow_tui.backend.packages.sources import Fetched
from cvflow_tui.backend.packages.weights import WeightFetcher
from cvflow_tui.model.packages import InstallPlan


def problems_of(package: Package) -> list[str]:
    """Why a package cannot run here, one sentence each."""
    found = []
    wanted = package.manifest.package.python
    if wanted and not SpecifierSet(wanted).contains(platform.python_version(), prereleases=True):
        found.append(f"it needs Python {wanted}, and this is {platform.python_version()}")
    if package.environment == "host" and (missing := unmet(package.requirements)):
        found.append(f"the app's own Python does not have {', '.join(missing)}")
    return found


def make_plan(
    package: Package, fetched: Fetched, *, home: Path, environments: Environments, weights: WeightFetcher, replaces: str | None
) -> InstallPlan:
    """The plan for a package that was fetched. Asks the network how large the weights are."""
    download, free = weights.missing_bytes(package), free_bytes(home)
    disk = installed_size(package)
    if disk is None and download is not None:
        disk = files_size(package.root) + download
    problems = problems_of(package)
    # While it is installed, an archive and what is unpacked from it are there both.
    needed = (disk or 0) + (download or 0)
    if needed > free:
        problems.append(f"no disk space: it needs {human(needed)}, and {home} has {human(free)} free")
    summary = summary_of(package, source=fetched.source, installed=replaces)
    steps = [f"copy the files of {package.ref} {package.version}"]
    sentence = _environment(package, environments)
    if package.environment == "venv":
        steps.append("make the environment")
    if package.models:
        count = len(package.models)
        steps.append(f"bring {count} weight{'s' if count > 1 else ''}, checked by sha256")
    names = ", ".join(solver.name for solver in package.solvers)
    steps.append(f"import {names}, to see that {'they' if len(package.solvers) > 1 else 'it'} can run")
    if replaces is not None:
        steps.append(f"replace version {replaces}")
    return InstallPlan(
        package=detail_of(package, summary, commit=fetched.commit, more_warnings=fetched.warnings),
        source=fetched.source,
        download_bytes=download,
        disk_bytes=disk,
        free_bytes=free,
        environment=sentence,
        steps=tuple(steps),
        problems=tuple(problems),
        replaces=replaces,
    )


def _environment(package: Package, environments: Environments) -> str:
    if package.environment == "host":
        return "the app's own Python, nothing is installed into it"
    count = len(package.requirements)
    what = f"{count} requirement{'s' if count != 1 else ''}"
    if environments.has(key_of(package.requirements)):
        return f"a virtualenv that is there already, with {what}"
    return f"a new virtualenv with {what}" + (", whose sizes the index tells only as they come" if count else "")
