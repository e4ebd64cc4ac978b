"""Under which version an install is listed: its author's, unless that is what other contents are listed under already.

A version whose contents changed gets a local label (PEP 440): of 1.0.0 it makes 1.0.0+g1a2b3c4 (a commit) or 1.0.0+c1a2b3c4 (contents). So
both lie beside one another, the one before serves on, and a rollback leads back to it, though the author forgot to raise the version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from cvflow_tui.backend.packages.describe import SKIPPED
from cvflow_tui.backend.packages.lock import LOCK, digests
from cvflow_tui.backend.packages.locked import Lock, read_lock
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.records import Record
from cvflow_tui.backend.packages.sources import Fetched
from cvflow_tui.model.errors import NotFoundError, PackageError

_SHOWN = 7
"""Characters of a digest in a label."""


def listed_version(package: Package, fetched: Fetched, there: Iterable[Record]) -> str:
    """The version of a package that has come, where these versions of it are there already.

    Contents that are there keep their version: they are installed anew in their own place. A linked folder has no contents of its own.
    """
    records = list(there)
    taken = {record.version for record in records}
    if fetched.editable is not None or not any(is_listed_as(package.version, record.version) for record in records):
        return package.version
    came = {name: digest for name, digest in digests(package.root) if not SKIPPED & set(Path(name).parts)}
    for record in records:
        if _is_same(package, record, came):
            return record.version
    if package.version not in taken:
        return package.version
    return _labelled(package.version, fetched.commit, came, taken)


def is_listed_as(version: str, listed: str) -> bool:
    """Whether an author's version may be what is listed under another."""
    return listed == version or listed.startswith(f"{version}{_separator(version)}")


def _separator(version: str) -> str:
    return "." if "+" in version else "+"


def _is_same(package: Package, record: Record, came: Mapping[str, str]) -> bool:
    if not is_listed_as(package.version, record.version):
        return False
    if record.editable is not None:
        return record.version == package.version
    try:
        lock = read_lock(record.path / LOCK)
    except (OSError, NotFoundError, PackageError):  # damaged: this is what brings it back; or somebody is just removing it
        return record.version == package.version
    return lock.version == package.version and _holds(lock, came, package.weight_files)


def _holds(lock: Lock, came: Mapping[str, str], weights: Collection[str]) -> bool:
    """Whether what came is what was installed; scripts that ran then may have made more of it."""
    files = {name: digest for name, digest in came.items() if name not in weights}
    before = {name: digest for name, digest in lock.files.items() if name not in weights}
    return files.items() <= before.items() if lock.scripts else files == before


def _labelled(version: str, commit: str | None, came: Mapping[str, str], taken: Collection[str]) -> str:
    contents = hashlib.sha256("\n".join(f"{name} {digest}" for name, digest in sorted(came.items())).encode("utf-8", "surrogateescape"))
    labels = [f"g{commit[:_SHOWN]}"] if commit else []
    labels += [f"c{contents.hexdigest()[:_SHOWN]}", f"c{contents.hexdigest()}"]
    return next(found for label in labels if (found := f"{version}{_separator(version)}{label}") not in taken)
