"""Every byte of a home folder, by what it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from cvflow_tui.backend.packages.disk import free_bytes
from cvflow_tui.backend.packages.records import Record, Records
from cvflow_tui.backend.packages.storage.ledger import Ledger
from cvflow_tui.backend.packages.storage.links import Links
from cvflow_tui.backend.packages.uv_cache import cache_folder
from cvflow_tui.home import Home
from cvflow_tui.model.storage import DiskEntry, DiskUsage
from cvflow_tui.model.text import name_in_text

_PROJECT_PARTS = ("checkpoints", "cache")
_STATE = ("state.db", "token", "daemon.", "ballast")
"""How the names of the home's own files begin."""


def measure(home: Home, records: Records, downloads: Path) -> DiskUsage:
    """Walk the home folder. The entries add up to what `du` says of it."""
    ledger = Ledger(Links.below([home.root]).outside)
    entries, before = [], 0
    for entry in _entries(ledger, home, records, downloads):
        if entry.bytes:
            entries.append(replace(entry, name=name_in_text(entry.name), shared=ledger.shared - before))
        before = ledger.shared
    total = sum(entry.bytes for entry in entries)
    entries.sort(key=lambda entry: (-entry.bytes, entry.kind, entry.name))
    cache = cache_folder()
    cached = Links.below([cache]).bytes if cache is not None else 0
    return DiskUsage(str(home.root), total, free_bytes(home.root), tuple(entries), str(cache or ""), cached)


def users(records: Records) -> tuple[dict[str, list[str]], dict[str, list[str]], dict[str, str]]:
    """Which packages use each weight and each environment, and what each weight is called."""
    weights: dict[str, list[str]] = defaultdict(list)
    environments: dict[str, list[str]] = defaultdict(list)
    names: dict[str, str] = {}
    told = [(record, records.weights(record.vendor, record.name)) for record in records.all()]
    told += [(kept.record, list(kept.weights)) for kept in records.kept()]
    for record, found in told:
        shown = f"{record.ref} {record.version}"
        if record.environment is not None:
            environments[record.environment].append(shown)
        for weight in found:
            names.setdefault(weight.sha256, weight.name)
            if shown not in weights[weight.sha256]:
                weights[weight.sha256].append(shown)
    return weights, environments, names


def weight_name(digest: str, names: Mapping[str, str]) -> str:
    """What a weight is called: a digest tells a person nothing."""
    return names.get(digest, "a weight of no package")


def _entries(ledger: Ledger, home: Home, records: Records, downloads: Path) -> Iterator[DiskEntry]:
    weights, environments, names = users(records)
    # Weights first: a package has only links to them.
    for path in _below(home.weights):
        used_by = tuple(weights.get(path.name, ()))
        yield DiskEntry("weight", weight_name(path.name, names), ledger.count(path), used_by, digest=path.name)
    for path in _below(home.environments):
        yield DiskEntry("environment", path.name, ledger.count(path), tuple(environments.get(path.name, ())))
    for path in _below(home.bytecode):
        yield DiskEntry("bytecode", path.name, ledger.count(path))
    for record in records.all():
        yield _package(ledger, "package", record)
    for kept in records.kept():
        yield _package(ledger, "kept version", kept.record)
    for path in _below(downloads):
        yield DiskEntry("download", path.name, ledger.count(path))
    for path in _below(home.staging):
        if path != downloads:
            yield DiskEntry("staging", path.name, ledger.count(path))
    for path in _below(home.projects):
        for part in _PROJECT_PARTS:
            yield DiskEntry("project", f"{path.name}: {part}", ledger.count(path / part))
        yield DiskEntry("project", path.name, ledger.count(path))
    for kind, folder in (("log", home.logs), ("run", home.runs)):
        for path in _below(folder):
            yield DiskEntry(kind, path.name, ledger.count(path))
    for path in _below(home.root):
        if not path.is_dir():
            yield DiskEntry("state" if path.name.startswith(_STATE) else "other", path.name, ledger.count(path))
    # What no row knows (an install that is being made real just now), and the folders themselves.
    for path in _below(home.root):
        yield DiskEntry("other", f"{path.name}/", ledger.count(path))
    yield DiskEntry("other", ".", ledger.count(home.root))


def _package(ledger: Ledger, kind: str, record: Record) -> DiskEntry:
    return DiskEntry(kind, f"{record.ref} {record.version}", ledger.count(record.path))


def _below(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
