"""Putting a home folder in order after a daemon that died half-way."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from cvflow_tui.backend.packages.downloads import sweep as sweep_downloads
from cvflow_tui.backend.packages.environment import RESOLVING
from cvflow_tui.backend.packages.installer import Installer, Stores
from cvflow_tui.backend.packages.lock import installed_at
from cvflow_tui.backend.packages.own_code import end_own_code
from cvflow_tui.backend.packages.records import Record
from cvflow_tui.backend.packages.relisting import relist
from cvflow_tui.backend.packages.versions import COMMITTING, REMOVED, aside_of

log = logging.getLogger(__name__)


def recover(stores: Stores, installer: Installer) -> None:
    """Bring folders and rows back into agreement: a package is installed when its row is there. Call before anything else is done.

    What an install or a removal of the last daemon left half-way goes: the staging folder tells what they were at. What else does not
    agree is somebody else's doing (a lost database, a disk that is not mounted), and nothing is deleted for that: a row whose folder is
    gone stays, whole folders without a row are listed. Downloads of the last two weeks stay: the next attempt goes on with them.
    """
    half_way = _half_way(stores)
    for path in stores.home.staging.iterdir() if stores.home.staging.is_dir() else ():
        if path != stores.downloads.folder:
            if path.is_dir():
                end_own_code(path)  # which may have outlived the daemon that ran it
                end_own_code(path / RESOLVING)
            _delete(path)
    sweep_downloads(stores.downloads.folder)
    _rows_without_folder(stores, half_way)
    _folders_without_row(stores, half_way)
    installer.sweep()


def _half_way(stores: Stores) -> set[float]:
    """What was being made real, or taken away, when the last daemon died: by the moments in the packages' locks."""
    found: set[float] = set()
    for work in _folders(stores.home.staging):
        for folder in work.glob(f"{REMOVED}*"):
            if (moment := installed_at(folder)) is not None:
                found.add(moment)
        with suppress(OSError, ValueError):
            found.add(float((work / COMMITTING).read_text("utf-8")))
    return found


def _rows_without_folder(stores: Stores, half_way: Collection[float]) -> None:
    away = set()
    for record in stores.records.all():
        if _there(record):
            continue
        away.add(record.ref)
        if record.installed_at in half_way:
            stores.records.delete(record.vendor, record.name)
        else:
            log.warning("%s: its folder is gone: %s", record.ref, record.path)
    for kept in stores.records.kept():
        # A way back that is gone alone, while its package is there, was taken away.
        if not _there(kept.record) and (kept.record.installed_at in half_way or kept.record.ref not in away):
            stores.records.drop_kept(kept.record.vendor, kept.record.name, kept.record.version)


def _there(record: Record) -> bool:
    """Whether a version's folder is there; one that was put aside for a replacement that was never finished is put back."""
    aside = aside_of(record.path)
    if installed_at(record.path) != record.installed_at and installed_at(aside) == record.installed_at:
        log.warning("%s: version %s is put back; its replacement was never finished", record.ref, record.version)
        shutil.rmtree(record.path, ignore_errors=True)
        aside.rename(record.path)
    return record.path.is_dir()


def _folders_without_row(stores: Stores, half_way: Collection[float]) -> None:
    rows = [*stores.records.all(), *(each.record for each in stores.records.kept())]
    refs, kept = {record.ref for record in rows}, {record.path for record in rows}
    for vendor in _folders(stores.home.packages):
        for package in _folders(vendor):
            versions = [path for path in _folders(package) if path not in kept]
            if f"{vendor.name}/{package.name}" not in refs:
                whole = [path for path in versions if installed_at(path) not in (None, *half_way)]
                listed = relist(whole, stores.records, stores.home.environments)
                versions = [path for path in versions if path not in listed]
            for version in versions:
                log.warning("%s: left over from an install that was never finished; deleted", version)
                _delete(version)
            _delete_empty(package)
        _delete_empty(vendor)


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _delete_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
