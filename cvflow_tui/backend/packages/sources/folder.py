"""Packages in a folder of this machine."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.describe import SKIPPED, files_size
from cvflow_tui.backend.packages.disk import require_space, writing
from cvflow_tui.backend.packages.manifest import MANIFESTS, find_manifest
from cvflow_tui.backend.packages.meter import Meter
from cvflow_tui.backend.packages.sources.base import Fetched
from cvflow_tui.backend.packages.sources.links import NOWHERE, OUT, left_out, place_links
from cvflow_tui.model.errors import NotFoundError, PackageError


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A folder with a manifest in it. `bundled`: it is one of those that cvflow brings itself.

    `editable`: the folder stays where it is and only its weights are copied, which the store keeps by digest.
    """

    path: Path
    vendor: str = "local"
    bundled: bool = False
    editable: bool = False

    @property
    def text(self) -> str:
        """The folder's path."""
        return str(self.path)

    def fetch(self, into: Path, progress: Progress) -> Fetched:
        """Copy the folder. Raises NotFoundError where there is none, PackageError for one without a manifest."""
        path = self.path.expanduser().absolute()
        if not path.is_dir():
            raise NotFoundError(f"{path}: there is no such folder")
        if find_manifest(path) is None:
            # Said before anything is copied: the folder may be someone's whole home.
            raise PackageError(f"{path}: there is no {MANIFESTS[0]} in this folder; a package needs one")
        if self.editable:
            into.mkdir(parents=True)
            return Fetched(source=str(path), vendor=self.vendor, editable=path.resolve())
        warnings = copy_folder(path, into, progress)
        return Fetched(source=str(path), vendor=self.vendor, bundled=self.bundled, warnings=tuple(warnings))


def copy_folder(origin: Path, into: Path, progress: Progress) -> list[str]:
    """Copy a package's files without version control, caches, environments, special files and links that lead out of it. Links that stay
    inside become what they lead to.

    Returns what was left out, one sentence each. Raises PackageError for files that cannot be read, RefusedError without space.
    """
    total = files_size(origin)
    require_space(into.parent, total, f"copying {origin.name}")
    progress.step(f"copying {origin.name}", total=total, unit="bytes")
    real, warnings, ends, done, meter = origin.resolve(), list[str](), dict[str, str](), 0, Meter(progress)
    with writing(into.parent, total):
        for folder, folders, files in os.walk(origin):
            here = into / os.path.relpath(folder, origin)
            here.mkdir(mode=0o755, parents=True, exist_ok=True)
            links = [name for name in folders if Path(folder, name).is_symlink()]
            folders[:] = sorted(name for name in folders if name not in SKIPPED and name not in links)
            for name in sorted([*files, *links]):
                file = Path(folder, name)
                if file.is_symlink():
                    _follow(file, os.path.relpath(file, origin), real, ends, warnings)
                else:
                    done += _copy(file, here / name, os.path.relpath(file, origin), warnings)
                meter.at(done)
        place_links(into, ends, warnings)
    meter.at(done, end=True)
    return warnings


def _copy(file: Path, target: Path, shown: str, warnings: list[str]) -> int:
    """Copy one entry; the bytes copied."""
    try:
        mode = file.lstat().st_mode
        if not stat.S_ISREG(mode):
            warnings.append(left_out(shown, "it is neither a file nor a folder"))
            return 0
        shutil.copyfile(file, target)
        target.chmod(0o755 if mode & stat.S_IXUSR else 0o644)
        return target.stat().st_size
    except (PermissionError, FileNotFoundError) as error:
        raise PackageError(f"{file} cannot be read: {error.strerror}") from error


def _follow(link: Path, name: str, root: Path, ends: dict[str, str], warnings: list[str]) -> None:
    """Note where a link leads that stays inside the package."""
    try:
        end = link.resolve(strict=True)
    except (OSError, RuntimeError):
        warnings.append(left_out(name, NOWHERE))
        return
    if not end.is_relative_to(root) or SKIPPED & set(end.relative_to(root).parts):
        warnings.append(left_out(name, OUT))
    else:
        ends[name] = str(end.relative_to(root))
