"""The default hub: a folder of packages, by default those that cvflow brings itself."""

from __future__ import annotations

import logging
from pathlib import Path

from cvflow_tui.backend.packages.describe import detail_of, summary_of
from cvflow_tui.backend.packages.manifest import MANIFESTS, find_manifest
from cvflow_tui.backend.packages.package import Package, load_package
from cvflow_tui.model.errors import NotFoundError, PackageError, UsageError
from cvflow_tui.model.packages import PackageDetail, PackageSummary
from cvflow_tui.model.text import one_line

log = logging.getLogger(__name__)

VENDOR = "cvflow"
"""The vendor of a bundled package that names none."""


class Hub:
    """Every sub-folder of `folder` with a manifest in it is a package. Reads files only; thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def packages(self) -> list[Package]:
        """All packages that can be read, by name; one that cannot is logged and left out, so that it does not hide the others."""
        found = []
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            if not path.is_dir() or find_manifest(path) is None:
                continue
            try:
                found.append(load_package(path, vendor=VENDOR, bundled=True))
            except PackageError as error:
                log.warning("hub: %s is left out: %s", path.name, error.message)
        return found

    def search(self, query: str = "") -> list[Package]:
        """The packages in which every word of `query` appears: in name, vendor, tagline or a task; case does not matter."""
        words = query.casefold().split()
        return [package for package in self.packages() if all(word in _haystack(package) for word in words)]

    def find(self, ref: str) -> Package:
        """`vendor/name`, or `name` where it is unique. Raises NotFoundError that says what there is, PackageError for a broken one."""
        wanted = ref.lower()
        packages = self.packages()
        matches = [package for package in packages if wanted in (package.ref, package.name)]
        if len(matches) > 1:
            raise UsageError(f"{one_line(ref, 60)!r} is the name of several packages: {', '.join(package.ref for package in matches)}")
        if matches:
            return matches[0]
        broken = self.folder / wanted.rpartition("/")[2]
        if find_manifest(broken) is not None:
            load_package(broken, vendor=VENDOR, bundled=True)  # raises what is wrong with it
        names = ", ".join(package.ref for package in packages) or f"no package at all (a package is a folder with a {MANIFESTS[0]})"
        raise NotFoundError(f"the hub has no {one_line(ref, 60)!r}; it has {names}")

    def summary(self, package: Package, installed: str | None = None) -> PackageSummary:
        """A package of this hub in a list."""
        return summary_of(package, source=f"hub:{package.ref}", installed=installed)

    def detail(self, package: Package, installed: str | None = None) -> PackageDetail:
        """Everything about a package of this hub."""
        return detail_of(package, self.summary(package, installed))


def _haystack(package: Package) -> str:
    table = package.manifest.package
    return " ".join([package.ref, table.tagline, table.description, *(solver.task for solver in package.solvers)]).casefold()
