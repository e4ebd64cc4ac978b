"""A package on its way into a home folder: what was asked for, what came, and where it is built."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.describe import is_relative
from cvflow_tui.backend.packages.disk import require_space, writing
from cvflow_tui.backend.packages.downloads import Downloads
from cvflow_tui.backend.packages.locked import Lock
from cvflow_tui.backend.packages.package import Package, inside, load_package
from cvflow_tui.backend.packages.records import Record
from cvflow_tui.backend.packages.resolution import Wish
from cvflow_tui.backend.packages.sources import Fetched
from cvflow_tui.backend.packages.specs import spec_of
from cvflow_tui.backend.packages.weights import FOLDER
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.model.circumstances import Circumstances
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.packages import InstallRequest, Script, SolverInfo
from cvflow_tui.model.text import one_line


@dataclass(frozen=True, slots=True)
class Job:
    """One install, from the moment on at which its files are here."""

    request: InstallRequest
    fetched: Fetched
    package: Package
    """As its author's files say: in `staged`, or in the author's own folder."""
    version: str
    """Under which it is listed (`numbering.py`)."""
    staged: Path
    """The folder that becomes the installed package."""
    work: Path
    wish: Wish
    scripts: tuple[Script, ...]
    installed: Record | None
    """The version that is there."""
    lock: Lock | None
    """The lock that is followed."""
    caller: Circumstances
    """Whoever asked, as long as it takes: nothing of theirs is written down."""
    downloads: Downloads
    """Theirs, which knows what this install has fetched."""

    def own(self, progress: Progress) -> Package:
        """The package in the folder that cvflow writes into. Of a linked one, the weights that its author ships are copied there."""
        if self.fetched.editable is None:
            return self.package
        for model in self.package.models:
            if is_relative(model.url):
                progress.step(f"copying {one_line(model.name)}")
                _copy(inside(self.package.root, model.url, one_line(model.name)), self.staged / model.url)
        return replace(self.package, root=self.staged)


def read_package(fetched: Fetched, staged: Path) -> Package:
    """Read what a source delivered. Raises PackageError that names the source, the file in it and the mend."""
    root = fetched.editable or staged
    try:
        return load_package(root, vendor=fetched.vendor, commit=fetched.commit, bundled=fetched.bundled)
    except PackageError as error:
        raise PackageError(f"{one_line(fetched.source, 200)}: {error.message}", detail=error.detail) from error


def installed_spec(record: Record, package: Package, solver: SolverInfo, python: Path, weights: Sequence[str]) -> RunSpec:
    """What the runner of an installed solver needs to know: its code where the author has it, its weights where cvflow keeps them."""
    spec = spec_of(package, solver, record.root, python, weights)
    return replace(spec, version=record.version, weights={name: str(record.path / FOLDER / name) for name in weights})


def _copy(file: Path, target: Path) -> None:
    # Never a link: what the author writes into it later must not reach the store.
    size = file.stat().st_size
    require_space(target.parent, size, f"copying {file.name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with writing(target.parent, size):
        shutil.copyfile(file, target)
