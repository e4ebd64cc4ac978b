"""What an install would do, found out before anything is done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.describe import detail_of, files_size, installed_size, summary_of
from cvflow_tui.backend.packages.diagnosis import Outlook, look_ahead, python_findings
from cvflow_tui.backend.packages.disk import free_bytes
from cvflow_tui.backend.packages.environment import UNPACKED, Environments
from cvflow_tui.backend.packages.first_use import first_use_findings
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.reach import named_files, own_weight_findings, weight_findings
from cvflow_tui.backend.packages.resolution import Resolution, Wish, total_size
from cvflow_tui.backend.packages.sizes import measured
from cvflow_tui.backend.packages.sources import Fetched
from cvflow_tui.backend.packages.weights import Weight, WeightFetcher
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.diagnosis import Finding
from cvflow_tui.model.errors import CvflowError
from cvflow_tui.model.packages import InstallPlan
from cvflow_tui.model.text import in_bytes


def problems_of(package: Package, wish: Wish) -> list[str]:
    """Why a package cannot run here at all, one sentence each: what is known without asking an index."""
    return [finding.sentence for finding in python_findings(package, wish)]


def make_plan(
    package: Package,
    fetched: Fetched,
    *,
    wish: Wish,
    work: Path,
    home: Path,
    environments: Environments,
    weights: WeightFetcher,
    replaces: str | None,
    first: Mapping[str, Weight],
) -> tuple[InstallPlan, Resolution | None]:
    """The plan for a package that was fetched, and what its environment would hold.

    Asks the index for its requirements, and the network how large the weights are.
    """
    outlook = look_ahead(package, wish, environments, work, Progress())
    findings = [*outlook.findings, *own_weight_findings(package, fetched.source), *named_files(package)]
    findings += weight_findings(weights.absent(package), fetched.source, wish.caller, package.supplied)
    findings += first_use_findings(package, first, weights)
    download, free = _weights_bytes(package, weights, findings), free_bytes(home)
    disk = installed_size(package)
    if disk is None and download is not None:
        disk = files_size(package.root) + download
    # While it is installed, an archive and what is unpacked from it are there both; uv unpacks as it receives.
    unpacked = (disk or 0) + (download or 0)
    coming, added = outlook.download_bytes, environment_size(outlook, wish.caller)
    download = None if download is None or coming is None else download + coming
    disk = None if disk is None or added is None else disk + added
    needed = unpacked + (added or 0)
    if needed > free:
        what = f"no disk space: it needs {in_bytes(needed)}, and {home} has {in_bytes(free)} free"
        findings.append(Finding("disk", what, "make room or move CVFLOW_HOME", code="refused"))
    summary = summary_of(package, source=fetched.source, installed=replaces)
    steps = [f"copy the files of {package.ref} {package.version}"]
    sentence = environment_sentence(package, outlook)
    if package.environment == "venv" and not outlook.ready:
        steps.append("make the environment")
    names = ", ".join(solver.name for solver in package.solvers)
    steps.append(f"import {names}, to see that {'they' if len(package.solvers) > 1 else 'it'} can run")
    if package.models:
        steps.append(_weights_step(package))
    if replaces is not None:
        steps.append(f"replace version {replaces}")
    plan = InstallPlan(
        package=detail_of(package, summary, commit=fetched.commit, more_warnings=fetched.warnings),
        source=fetched.source,
        download_bytes=download,
        disk_bytes=disk,
        free_bytes=free,
        environment=sentence,
        steps=tuple(steps),
        problems=tuple(finding.sentence for finding in findings if finding.blocks),
        findings=tuple(findings),
        environment_packages=len(outlook.resolution.pins) if outlook.resolution else None,
        environment_bytes=outlook.download_bytes if outlook.resolution else None,
        replaces=replaces,
    )
    return plan, outlook.resolution


def _weights_bytes(package: Package, weights: WeightFetcher, findings: list[Finding]) -> int | None:
    """Bytes of weights that have to come; None where a source does not tell. An index without them is a finding."""
    if any(finding.topic == "weights" and finding.blocks for finding in findings):
        return None
    try:
        return weights.missing_bytes(package)
    except CvflowError as error:
        findings.append(Finding("weights", error.message, detail=error.detail or "", code=error.code, mends=error.mends))
        return None


def environment_size(outlook: Outlook, caller: Circumstances) -> int | None:
    """Bytes that the environment adds to the disk, about; None where the index does not tell."""
    if outlook.resolution is None or outlook.ready:
        return 0
    size = total_size(measured(outlook.resolution.pins, caller))
    return None if size is None else UNPACKED * size


def environment_sentence(package: Package, outlook: Outlook) -> str:
    """Which environment it will be, with how many packages and how much of them has to come."""
    if package.environment == "host":
        return "the app's own Python, nothing is installed into it"
    resolution = outlook.resolution
    if resolution is None:
        return "a virtualenv that cannot be made"
    count = len(resolution.pins)
    what = f"{count} package{'s' if count != 1 else ''}"
    python = "" if resolution.interpreter.own else f" on Python {resolution.interpreter.version}"
    if outlook.ready:
        return f"a virtualenv that is there already{python}, with {what}"
    told = f"a new virtualenv{python}" + (f" with {what}" if count else "")
    if not outlook.coming:
        return told + (", all of them at hand" if count else "")
    size = outlook.download_bytes
    how_much = "whose sizes the index does not tell" if size is None else in_bytes(size)
    return f"{told}, {len(outlook.coming)} to download: {how_much}"


def _weights_step(package: Package) -> str:
    count, checked = len(package.models), sum(model.sha256 is not None for model in package.models)
    told = "checked by sha256" if checked == count else "none of them checked" if not checked and count > 1 else "not checked"
    if 0 < checked < count:
        told = f"{checked} of them checked by sha256"
    return f"bring {count} weight{'s' if count > 1 else ''}, {told}"
