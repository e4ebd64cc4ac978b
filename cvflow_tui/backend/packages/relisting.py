"""Listing packages again whose rows are lost while their folders are there: all that a row says stands in the folder too."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from cvflow_tui.backend.packages.describe import files_size
from cvflow_tui.backend.packages.lock import LOCK, installed_at
from cvflow_tui.backend.packages.locked import asked, read_lock, told
from cvflow_tui.backend.packages.numbering import is_listed_as
from cvflow_tui.backend.packages.records import Record, Records, kept_now
from cvflow_tui.backend.packages.toml_file import LOCK_LIMIT, read_toml
from cvflow_tui.backend.packages.weights import FOLDER, Weight
from cvflow_tui.backend.runtime.spec import RunSpec
from cvflow_tui.model.errors import CvflowError

log = logging.getLogger(__name__)


def relist(versions: Sequence[Path], records: Records, environments: Path) -> list[Path]:
    """List a package from the folders of its versions: the one that was installed last, and the one before it as the way back.

    Returns the folders that are listed now. One whose lock cannot be read is none.
    """
    found = [each for path in versions if (each := _read(path, environments)) is not None]
    found.sort(key=lambda each: each[0].installed_at, reverse=True)
    if not found:
        return []
    (record, weights), before = found[0], found[1:2]
    log.warning("%s %s was installed and not listed: listing it", record.ref, record.version)
    records.put(record, weights, keep=[kept_now(*each) for each in before])
    return [each.path for each, _ in found[:2]]


def _read(path: Path, environments: Path) -> tuple[Record, list[Weight]] | None:
    """The rows of an installed version, from its lock and its runner files."""
    try:
        lock, tables, moment = read_lock(path / LOCK), read_toml(path / LOCK, limit=LOCK_LIMIT), installed_at(path)
        vendor, _, name = lock.name.partition("/")
        if moment is None or (vendor, name) != (path.parents[1].name, path.parent.name) or not is_listed_as(lock.version, path.name):
            return None
        request = asked(json.dumps({"source": lock.source} | tables.get("request", {})))
        commit = tables["package"].get("commit")
        files = [(weight, digest, path / FOLDER / weight) for weight, digest in lock.weights.items()]
        record = Record(
            vendor=vendor,
            name=name,
            version=path.name,
            source=lock.source,
            commit=str(commit) if commit else None,
            path=path,
            environment=_environment(path, sorted(lock.runners), environments),
            size=files_size(path),
            installed_at=moment,
            request=told(request),
            editable=Path(lock.source).resolve() if request.editable else None,
        )
        return record, [Weight(weight, digest, file.stat().st_size if file.exists() else 0) for weight, digest, file in files]
    except (CvflowError, OSError, TypeError, ValueError) as error:
        log.warning("%s: cannot be listed: %s", path, error)
        return None


def _environment(path: Path, runners: Sequence[str], environments: Path) -> str | None:
    """The key of its environment: the folder below `environments` from which its runner files take Python."""
    for name in runners:
        if name.endswith(".json"):
            python = Path(RunSpec.load(path / name).python)
            # A home that was moved still finds its environments: by their own names.
            return python.parents[1].name if len(python.parents) > 2 and python.parents[2].name == environments.name else None
    return None
