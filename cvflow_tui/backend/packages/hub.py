"""The default hub: a folder of packages, by default those that cvflow brings itself."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from packaging.version import Version

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.describe import detail_of, installed_size, summary_of
from cvflow_tui.backend.packages.manifest import MANIFESTS, find_manifest
from cvflow_tui.backend.packages.package import Package, load_package
from cvflow_tui.backend.packages.sources.base import Fetched
from cvflow_tui.backend.packages.sources.folder import copy_folder
from cvflow_tui.backend.packages.sources.hub import Release, pick
from cvflow_tui.model.errors import NotFoundError, PackageError, UsageError
from cvflow_tui.model.packages import HubVersion, PackageDetail, PackageSummary
from cvflow_tui.model.text import one_line

log = logging.getLogger(__name__)

VENDOR = "cvflow"
"""The vendor of a bundled package that names none."""


class FolderHub:
    """A folder in which `NAME/` is a package of one version and `VENDOR/NAME/VERSION/` one of several. Reads only; thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def packages(self) -> list[Package]:
        """The newest version of every package, by name. One that cannot be read is logged and left out: it does not hide the others."""
        newest: dict[str, Package] = {}
        for ref, versions in _by_ref(self._all()).items():
            chosen = pick([_release(package) for package in versions], "")
            newest[ref] = next(package for package in versions if chosen is not None and package.version == chosen.version)
        return sorted(newest.values(), key=lambda package: package.ref)

    def search(self, query: str = "") -> list[Package]:
        """The packages in which every word of `query` appears: in name, vendor, tagline or a task; case does not matter."""
        words = query.casefold().split()
        return [package for package in self.packages() if all(word in _haystack(package) for word in words)]

    def find(self, ref: str, version: str | None = None) -> Package:
        """`vendor/name`, or `name` where it is unique; the newest version unless another is named.

        Raises NotFoundError that says what there is, PackageError for a broken one, UsageError where several packages are meant.
        """
        versions = self._versions(ref)
        if version is None:
            chosen = pick([_release(package) for package in versions], "")
            version = chosen.version if chosen is not None else None
        found = next((package for package in versions if package.version == version), None)
        if found is None:
            there = ", ".join(package.version for package in versions[:8])
            raise NotFoundError(f"the hub has no {one_line(ref, 60)!r} in version {one_line(str(version), 60)}; it has {there}")
        return found

    def list_versions(self, ref: str) -> list[Release]:
        """Every version of a package, the newest first. Raises as `find` does."""
        return [_release(package) for package in self._versions(ref)]

    def versions(self, ref: str, installed: Mapping[str, str]) -> list[HubVersion]:
        """What is known of every version of a package, the newest first; `installed`: versions by `vendor/name`. Raises as `find` does."""
        packages = self._versions(ref)
        newest = pick([_release(package) for package in packages], "")
        return [
            HubVersion(
                package.version,
                _release(package).source,
                installed_size(package),
                self._published(package),
                installed.get(package.ref) == package.version,
                newest is not None and package.version == newest.version,
            )
            for package in packages
        ]

    def _published(self, package: Package) -> float | None:
        """A version's folder is put there once and for all; one that holds whatever is the newest says nothing of when."""
        if package.root.parent == self.folder or (manifest := find_manifest(package.root)) is None:
            return None
        return manifest.stat().st_mtime

    def fetch(self, release: Release, into: Path, progress: Progress) -> Fetched:
        """Copy a version out of the folder."""
        package = self.find(release.ref, release.version)
        warnings = copy_folder(package.root, into, progress)
        return Fetched(source=release.source, vendor=package.vendor, bundled=True, warnings=tuple(warnings))

    def summary(self, package: Package, installed: str | None = None) -> PackageSummary:
        """A package of this hub in a list."""
        return summary_of(package, source=f"hub:{package.ref}", installed=installed)

    def detail(self, package: Package, installed: str | None = None) -> PackageDetail:
        """Everything about a package of this hub."""
        return detail_of(package, self.summary(package, installed))

    def _versions(self, ref: str) -> list[Package]:
        wanted = ref.lower()
        found = _by_ref(self._all())
        matches = [name for name in sorted(found) if wanted in (name, name.partition("/")[2])]
        if len(matches) > 1:
            raise UsageError(f"{one_line(ref, 60)!r} is the name of several packages: {', '.join(matches)}")
        if matches:
            return sorted(found[matches[0]], key=lambda package: Version(package.version), reverse=True)
        name = wanted.rpartition("/")[2]
        broken = next((folder for folder in _folders(self.folder) if folder.name == name), None)
        if broken is not None and find_manifest(broken) is not None:
            load_package(broken, vendor=VENDOR, bundled=True)  # raises what is wrong with it
        names = ", ".join(sorted(found)) or f"no package at all (a package is a folder with a {MANIFESTS[0]})"
        raise NotFoundError(f"the hub has no {one_line(ref, 60)!r}; it has {names}")

    def _all(self) -> Iterator[Package]:
        for path in _folders(self.folder):
            if find_manifest(path) is not None:
                yield from self._load(path, VENDOR)
                continue
            for name in _folders(path):
                for version in _folders(name):
                    if find_manifest(version) is not None:
                        yield from self._load(version, path.name)

    def _load(self, path: Path, vendor: str) -> Iterator[Package]:
        try:
            package = load_package(path, vendor=vendor, bundled=True)
            if path.parent != self.folder and (package.vendor, package.name, package.version) != _told_by(path):
                raise PackageError(f"its manifest says {package.ref} {package.version}")
        except PackageError as error:
            log.warning("hub: %s is left out: %s", path.relative_to(self.folder), error.message)
        else:
            yield package


def _told_by(path: Path) -> tuple[str, str, str]:
    return path.parent.parent.name, path.parent.name, path.name


def _by_ref(packages: Iterable[Package]) -> dict[str, list[Package]]:
    found: dict[str, list[Package]] = {}
    for package in packages:
        versions = found.setdefault(package.ref, [])
        if any(other.version == package.version for other in versions):
            log.warning("hub: %s %s is there twice; %s is left out", package.ref, package.version, package.root.name)
        else:
            versions.append(package)
    return found


def _release(package: Package) -> Release:
    return Release(package.vendor, package.name, package.version)


def _folders(folder: Path) -> list[Path]:
    # Not through links: a folder that leads up again would never end.
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.is_symlink()] if folder.is_dir() else []


def _haystack(package: Package) -> str:
    table = package.manifest.package
    return " ".join([package.ref, table.tagline, table.description, *(solver.task for solver in package.solvers)]).casefold()
