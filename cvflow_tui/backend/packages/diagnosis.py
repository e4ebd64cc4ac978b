"""Why can't this run here? Found out before anything is downloaded: Python, requirements, imports, weights' hosts, GPU, libraries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.environment import Environments
from cvflow_tui.backend.packages.filling import missing
from cvflow_tui.backend.packages.imports_ahead import import_findings
from cvflow_tui.backend.packages.interpreters import Interpreter, choose_interpreter, own_interpreter
from cvflow_tui.backend.packages.machine import gpu_names, missing_libraries, without
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.requirements import unmet
from cvflow_tui.backend.packages.resolution import Pin, Resolution, Wish, total_size
from cvflow_tui.backend.packages.resolver import UnresolvedError
from cvflow_tui.backend.packages.sealing import site_folders
from cvflow_tui.backend.packages.sizes import measured
from cvflow_tui.model.diagnosis import Finding
from cvflow_tui.model.errors import CvflowError, PackageError
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.text import one_line


@dataclass(slots=True)
class Outlook:
    """What an environment for a package would be, and what was found on the way there."""

    interpreter: Interpreter | None = None
    resolution: Resolution | None = None
    """None: it cannot be resolved, or the package runs on the app's own Python."""
    coming: tuple[Pin, ...] = ()
    """The distributions whose files are not on this machine yet."""
    ready: bool = False
    """Whether the environment is there already."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def download_bytes(self) -> int | None:
        """What comes over the network; None where the index does not tell."""
        return total_size(self.coming)


def look_ahead(package: Package, wish: Wish, environments: Environments, work: Path, progress: Progress) -> Outlook:
    """Find out what would become of a package's environment. Asks the index; changes nothing but uv's cache of the index."""
    outlook = Outlook()
    outlook.findings += python_findings(package, wish)
    if not outlook.findings:
        outlook.interpreter = own_interpreter() if package.environment == "host" else choose_interpreter(wish.python, wish.interpreter)
        if package.environment != "host":
            _resolve(outlook, wish, environments, work, progress)
        outlook.findings += _imports_ahead(package, outlook, environments)
    outlook.findings += gpu_findings(package)
    if outlook.resolution is not None:
        outlook.findings += [*build_findings(outlook.resolution, wish), *library_findings(outlook.resolution)]
    return outlook


def python_findings(package: Package, wish: Wish) -> Iterator[Finding]:
    """Whether there is a Python that the package takes, and, for the app's own, whether it has what the package asks for."""
    if package.environment == "host":
        own = own_interpreter()
        if not own.fits(wish.python):
            yield Finding("python", f"it needs Python {wish.python}, and this is {own.version}")
        if absent := unmet(package.requirements):
            yield Finding("requirements", f"the app's own Python does not have {', '.join(absent)}")
        if wish.added or wish.interpreter:
            what = "it runs on the app's own Python, into which nothing is installed"
            yield Finding("requirements", what, "leave --with and --python out", code="usage")
        return
    try:
        choose_interpreter(wish.python, wish.interpreter)
    except CvflowError as error:
        yield Finding("python", error.message, code=error.code, mends=error.mends)


def gpu_findings(package: Package) -> Iterator[Finding]:
    """Whether a package that asks for a GPU finds one."""
    table = package.manifest.package.model_extra or {}
    if table.get("gpu") is True and not gpu_names():
        mend = "it may run on the CPU, slowly, or fail at its start; run it on a machine with an NVIDIA GPU and its driver"
        yield Finding("gpu", "it asks for a GPU (gpu = true), and none is here", mend, blocks=False)


def build_findings(resolution: Resolution, wish: Wish) -> Iterator[Finding]:
    """What would be built here, which the user allows by name or has allowed before: said once more, with what exactly it is."""
    for pin in resolution.builds:
        what = one_line(pin.url or f"{pin.file} ({', '.join(pin.hashes)})", 200)
        before = "" if pin.name in wish.allow_build else ", as was allowed before"
        mend = f"--allow-build {pin.name} takes what else there may be by now" if before else ""
        told = " ".join([pin.name, *([pin.version] if pin.version else [])])
        yield Finding("build", f"{told}: its author's code runs to install it{before}: {what}", mend, blocks=False)


def library_findings(resolution: Resolution) -> Iterator[Finding]:
    """Libraries of the system that wheels are known to need, and that are not here."""
    for name, libraries, mend in missing_libraries([pin.name for pin in resolution.pins]):
        what = f"{name} needs {', '.join(libraries)}, which this system does not have"
        yield Finding("libraries", what, mend, blocks=False, mends=(Mend((other,)),) if (other := without(name)) else ())


def _imports_ahead(package: Package, outlook: Outlook, environments: Environments) -> list[Finding]:
    """What its code imports and nothing brings. Nothing can be said of requirements that cannot be resolved."""
    if outlook.interpreter is None or (outlook.resolution is None and package.environment != "host"):
        return []
    if outlook.resolution is None:
        return list(import_findings(package, outlook.interpreter, (), [Path(folder) for folder in sys.path if folder]))
    folders = site_folders(environments.path(outlook.resolution.key)) if outlook.ready else []
    return list(import_findings(package, outlook.interpreter, [pin.name for pin in outlook.resolution.pins], folders))


def _resolve(outlook: Outlook, wish: Wish, environments: Environments, work: Path, progress: Progress) -> None:
    try:
        resolution = environments.plan(wish, work, progress)
    except UnresolvedError as error:
        outlook.findings.append(Finding("requirements", error.message, detail=error.detail or "", code=error.code, mends=error.mends))
        return
    except CvflowError as error:
        topic = "requirements" if isinstance(error, PackageError) else "build" if error.code == "refused" else "index"
        outlook.findings.append(Finding(topic, error.message, detail=error.detail or "", code=error.code, mends=error.mends))
        return
    outlook.resolution = resolution
    outlook.ready = environments.has(resolution.key)
    if not outlook.ready:
        outlook.coming = measured(missing(resolution, work, progress, wish.caller), wish.caller)
    if outlook.coming and wish.caller.offline:
        what = "not all of its packages are on this machine, and nothing may come over the network"
        outlook.findings.append(Finding("requirements", what, "install it once with the network", code="remote"))
