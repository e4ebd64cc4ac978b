"""Putting files that were made anew into the place of missing and damaged ones: one after another, each in one rename.

Whoever has a file open, or imports the next one, finds it whole: a solver that runs goes on. Nothing is deleted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from cvflow_tui.backend.packages.disk import link_or_copy, writing
from cvflow_tui.backend.packages.environment_files import environment_files
from cvflow_tui.backend.packages.sealing import seal_again, site_folders
from cvflow_tui.backend.packages.weights import FOLDER, Weight, WeightStore
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.storage import Finding

MENDED = ("missing", "damaged")
"""Kinds of findings that a repair mends."""


def mend_files(root: Path, new: Path, findings: Collection[Finding]) -> None:
    """The package's own files, from its folder as it was made anew. Raises what `put` raises, once the others are mended."""
    fault: PackageError | None = None
    for finding in findings:
        if finding.part == "file" and finding.kind in MENDED:
            try:
                put(new / finding.path, root / finding.path, root)
            except PackageError as error:
                fault = fault or error
    if fault is not None:
        raise fault


def mend_weights(root: Path, new: Path, weights: Sequence[Weight], store: WeightStore) -> None:
    """Its weights, under every name that they have in its folder: links to the store, as ever."""
    files = {(new / FOLDER / weight.name).stat().st_ino: weight for weight in weights}
    for weight in weights:
        store.adopt(new / FOLDER / weight.name, weight.sha256)
    for path in sorted((new / FOLDER).iterdir()) if weights else ():
        found, place = files.get(path.stat().st_ino), root / FOLDER / path.name
        if found is not None and not (place.is_file() and place.samefile(store.path(found.sha256))):
            put(store.path(found.sha256), place, root, link=True)


def mend_environment(folder: Path, new: Path, findings: Collection[Finding]) -> None:
    """An environment's distributions, each with a finding as a whole: its records tell of files that name their own place."""
    wrong = {folder / finding.path for finding in findings if finding.part == "environment" and finding.kind in MENDED}
    for site in site_folders(new):
        place = folder / site.relative_to(new)
        for info in sorted(site.glob("*.dist-info")):
            files = list(_files(info, new))
            if not (place / info.name / "RECORD").is_file() or any(folder / name in wrong for name in files):
                for name in sorted(files, key=lambda name: name.name == "RECORD"):
                    put(new / name, folder / name, folder)
    seal_again(folder)


def put(file: Path, target: Path, root: Path, *, link: bool = False) -> None:
    """Have `target` be as `file`, in one rename; another link to it where it is one that others have too (`link`).

    Raises PackageError for a place that leads out of `root`, or where a folder stands that holds something.
    """
    try:
        if any(parent.exists() and not parent.is_dir() for parent in target.parents):
            name = target.relative_to(root)
            raise PackageError(f"{name} cannot be mended: a file stands in the place of a folder, and goes with --remove-extra only")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(root.resolve()):
            raise PackageError(
                f"{target.relative_to(root)} cannot be mended: it leads out of {root}, by a link that goes with --remove-extra only"
            )
        if target.is_dir() and not target.is_symlink():
            if any(target.iterdir()):
                name = target.relative_to(root)
                raise PackageError(
                    f"{name} cannot be mended: a folder stands in its place, and what it holds goes with --remove-extra only"
                )
            target.rmdir()
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with writing(target.parent, what=target.name):
                if link:
                    link_or_copy(file, temporary)
                else:
                    shutil.copy2(file, temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise PackageError(f"{target} cannot be mended: {error.strerror or error}") from error


def remove_files(root: Path, names: Collection[str]) -> int:
    """Delete files of a folder, and folders that are empty then; how many files it were."""
    count = 0
    for name in names:
        path = root / name
        if path.parent.resolve().is_relative_to(root.resolve()) and os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
            path.unlink()
            count += 1
            for parent in path.relative_to(root).parents[:-1]:
                if any((root / parent).iterdir()):
                    break
                (root / parent).rmdir()
    return count


def _files(info: Path, folder: Path) -> Iterator[Path]:
    """What a distribution consists of, relative to the environment."""
    for path, _, _ in environment_files(folder, info.name):
        if path.is_relative_to(folder) and path.is_file():
            yield path.relative_to(folder)
