"""Putting a home folder in order after a daemon that died half-way."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from cvflow_tui.backend.packages.downloads import sweep as sweep_downloads
from cvflow_tui.backend.packages.environment import RESOLVING
from cvflow_tui.backend.packages.installer import Installer, Stores
from cvflow_tui.backend.packages.lock import installed_at
from cvflow_tui.backend.packages.own_code import end_own_code
from cvflow_tui.backend.packages.records import Record
from cvflow_tui.backend.packages.versions import aside_of

log = logging.getLogger(__name__)


def recover(stores: Stores, installer: Installer) -> None:
    """Bring folders and rows back into agreement: a package is installed when its row is there. Call before anything else is done.

    Downloads of the last two weeks stay: the next attempt goes on with them.
    """
    for path in stores.home.staging.iterdir() if stores.home.staging.is_dir() else ():
        if path != stores.downloads.folder:
            if path.is_dir():
                end_own_code(path)  # which may have outlived the daemon that ran it
                end_own_code(path / RESOLVING)
            _delete(path)
    sweep_downloads(stores.downloads.folder)
    _rows_without_folder(stores)
    _folders_without_row(stores)
    installer.sweep()


def _rows_without_folder(stores: Stores) -> None:
    for record in stores.records.all():
        if _there(record):
            continue
        log.warning("%s: its folder is gone; it is not installed any more", record.ref)
        stores.records.delete(record.vendor, record.name)
    for kept in stores.records.kept():
        if not _there(kept.record):
            stores.records.drop_kept(kept.record.vendor, kept.record.name, kept.record.version)


def _there(record: Record) -> bool:
    """Whether a version's folder is there; one that was put aside for a replacement that was never finished is put back."""
    aside = aside_of(record.path)
    if installed_at(record.path) != record.installed_at and installed_at(aside) == record.installed_at:
        log.warning("%s: version %s is put back; its replacement was never finished", record.ref, record.version)
        shutil.rmtree(record.path, ignore_errors=True)
        aside.rename(record.path)
    return record.path.is_dir()


def _folders_without_row(stores: Stores) -> None:
    kept = {record.path for record in stores.records.all()} | {each.record.path for each in stores.records.kept()}
    for vendor in _folders(stores.home.packages):
        for package in _folders(vendor):
            for version in _folders(package):
                if version not in kept:
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
