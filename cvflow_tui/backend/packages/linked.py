"""A package that is linked to its author's folder: read as it is now, if it is there still."""

from __future__ import annotations

from pathlib import Path

from cvflow_tui.backend.packages.manifest import MANIFESTS, find_manifest
from cvflow_tui.backend.packages.package import Package, load_package
from cvflow_tui.backend.packages.records import Record
from cvflow_tui.model.errors import PackageError

_MEND = "put it back, or link it from where it is now: cvflow install FOLDER --editable"


def load_linked(record: Record) -> Package:
    """Read a linked package. Raises PackageError that names it, its folder and the mend where that is gone or cannot be read."""
    if (gone := gone_from(record)) is not None:
        raise PackageError(
            f"{record.ref} is linked to {record.root}, {'which is' if gone == record.root else f'whose {gone.name} is'} gone: {_MEND}"
        )
    try:
        return load_package(record.root, vendor=record.vendor, commit=record.commit)
    except PackageError as error:
        raise PackageError(f"{record.ref} is linked to {record.root}: {error.message}", detail=error.detail) from error


def gone_from(record: Record) -> Path | None:
    """What is not there of a linked package: its folder, or the manifest in it; None where both are, or the package is a copy."""
    if record.editable is None or find_manifest(record.editable) is not None:
        return None
    return record.editable / MANIFESTS[0] if record.editable.is_dir() else record.editable
