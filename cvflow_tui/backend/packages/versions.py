"""Which versions of a package are on the disk: the installed one, and the one that is the way back."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from packaging.version import Version

from cvflow_tui.backend.packages.disk import sync_folder, sync_tree
from cvflow_tui.backend.packages.records import Kept, Record, Records, kept_now
from cvflow_tui.backend.packages.weights import FOLDER, Weight, WeightStore

COMMITTING = "committing"
"""File beside a staged package that is about to become real: the moment of its install, as its lock has it."""
REMOVED = "removed"
"""How the names of folders in staging begin that were installed versions and are about to be deleted."""


def commit(
    staged: Path, record: Record, weights: Sequence[Weight], *, records: Records, store: WeightStore, in_use: Collection[str]
) -> list[Path]:
    """Make an install real: weights kept, one rename, then the rows, in which the version before is kept. Returns folders to delete.

    `in_use` are versions that somebody serves: they stay too. The caller lets nobody else commit meanwhile.
    """
    final = record.path
    aside = aside_of(final)
    sync_tree(staged)
    (staged.parent / COMMITTING).write_text(repr(record.installed_at), "utf-8")
    for weight in weights:
        placed = staged / FOLDER / weight.name
        for path in [each for each in placed.parent.iterdir() if each.is_file() and each.samefile(placed)]:
            store.adopt(path, weight.sha256)
    final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = _there(records, record.vendor, record.name)
    keep = to_keep([each for each in before if each.record.version != record.version], in_use)
    if final.exists():
        # The same version again: the old folder stays beside it until the row is written (`recover` puts it back).
        final.rename(aside)
    try:
        staged.rename(final)
        sync_folder(final.parent)
        records.put(record, weights, keep=keep)
    except BaseException:
        shutil.rmtree(final, ignore_errors=True)
        if aside.exists():
            aside.rename(final)
        raise
    stay = {final, *(each.record.path for each in keep)}
    return [aside, *(each.record.path for each in before if each.record.path not in stay)]


def roll_back(record: Record, records: Records) -> Record | None:
    """Make the version that was kept the installed one, and keep the one that was installed; None where none was kept.

    One transaction, and nothing on the disk moves.
    """
    kept = records.kept_of(record.vendor, record.name)
    target = way_back(kept)
    if target is None:
        return None
    others = [each for each in kept if each.record.version != target.record.version]
    records.put(target.record, target.weights, keep=[kept_now(record, records.weights(record.vendor, record.name)), *others])
    return target.record


def way_back(kept: Sequence[Kept]) -> Kept | None:
    """Where a rollback leads: to a version that has started once, if there is one."""
    return next((each for each in kept if each.record.proven), kept[0] if kept else None)


def is_newer(one: Record, other: Record) -> bool:
    """Whether a version is newer than another: by its number, or, where those say nothing (commits), by when it was installed."""
    first, second = Version(one.version), Version(other.version)
    if first.public != second.public:
        return first > second
    return one.installed_at > other.installed_at


def to_keep(versions: Sequence[Kept], in_use: Collection[str]) -> list[Kept]:
    """Of the versions that an install replaces, newest first: exactly one as the way back, and what somebody still serves."""
    back = way_back(versions)
    return [each for each in versions if each is back or each.record.version in in_use]


def aside_of(path: Path) -> Path:
    """Where the old folder of a version waits while the new one takes its place."""
    return path.with_name(f".{path.name}.old")


def _there(records: Records, vendor: str, name: str) -> list[Kept]:
    """The installed version and those that are kept, newest first."""
    installed = records.get(vendor, name)
    kept = records.kept_of(vendor, name)
    return kept if installed is None else [kept_now(installed, records.weights(vendor, name)), *kept]
