"""What nobody uses: found, told to the byte, and deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.packages.bytecode import Bytecode
from cvflow_tui.backend.packages.records import Record, Records
from cvflow_tui.backend.packages.storage.ledger import Ledger
from cvflow_tui.backend.packages.storage.links import Links, only_in, still_linked
from cvflow_tui.backend.packages.storage.usage import users, weight_name
from cvflow_tui.home import Home
from cvflow_tui.model.file_names import SEPARATOR, file_stem
from cvflow_tui.model.storage import DiskEntry, Pruning
from cvflow_tui.model.text import name_in_text

CACHE = "uv's cache"
"""The kind of an entry that lies outside the home folder."""


@dataclass(frozen=True, slots=True)
class Unused:
    """One thing that nobody uses."""

    kind: str
    name: str
    paths: tuple[Path, ...]
    record: Record | None = None
    """The version that was kept, whose row goes too."""
    digest: str = ""
    """A weight's sha256."""


@dataclass(frozen=True, slots=True)
class InUse:
    """What must stay though no row speaks of it, or though one speaks of it as of the past."""

    held: Collection[str] = ()
    """Keys of environments and digests of weights that an install is about to use."""
    downloading: Callable[[Path], bool] = lambda path: False
    """Whether somebody is at a download."""
    serving: Callable[[str], Collection[str]] = lambda ref: ()
    """Versions of a package that run right now."""
    kept: bool = False
    """Whether the versions that upgrades kept stay: the way back."""


def unused(home: Home, records: Records, downloads: Path, in_use: InUse) -> list[Unused]:
    """Everything that nobody uses any more, in the order in which it is to be deleted."""
    kept = [each.record for each in records.kept() if not in_use.kept and each.record.version not in in_use.serving(each.record.ref)]
    gone = {(record.ref, record.version) for record in kept}
    staying = [each for each in records.kept() if (each.record.ref, each.record.version) not in gone]
    everyone = [*records.all(), *(each.record for each in staying)]
    environments = {record.environment for record in everyone} | set(in_use.held)
    weights = {weight.sha256 for record in records.all() for weight in records.weights(record.vendor, record.name)}
    weights |= {weight.sha256 for each in staying for weight in each.weights} | set(in_use.held)
    found = [Unused("kept version", f"{record.ref} {record.version}", (record.path,), record) for record in kept]
    found += [Unused("environment", path.name, (path,)) for path in _below(home.environments) if path.name not in environments]
    names = {weight.sha256: weight.name for each in records.kept() for weight in each.weights}
    found += [
        Unused("weight", weight_name(path.name, names), (path,), digest=path.name)
        for path in _below(home.weights)
        if path.name not in weights
    ]
    if compiled := Bytecode(home.bytecode).unused(path for path in _below(home.environments) if path.name in environments):
        found.append(Unused("bytecode", "of modules that no environment has", tuple(compiled)))
    found += _downloads(downloads, in_use)
    found += _logs(home, [record.ref for record in records.all()])
    return found


def going_with(home: Home, records: Records, gone: Record) -> list[Unused]:
    """What a removal of an installed package deletes: its files, the versions kept of it, what no other package uses."""
    kept = [each.record for each in records.kept() if each.record.ref == gone.ref]
    own = {f"{record.ref} {record.version}" for record in (gone, *kept)}
    weights, environments, names = users(records)
    found = [Unused("environment", key, (home.environments / key,)) for key, told in environments.items() if own.issuperset(told)]
    # Before the package, which has only links to them.
    found += [
        Unused("weight", weight_name(digest, names), (home.weights / digest,), digest=digest)
        for digest, told in weights.items()
        if own.issuperset(told)
    ]
    found.append(Unused("package", f"{gone.ref} {gone.version}", (gone.path,)))
    return found + [Unused("kept version", f"{record.ref} {record.version}", (record.path,), record) for record in kept]


def priced(home: Home, found: Collection[Unused], cache: Path | None = None) -> Pruning:
    """How much room the home folder has more without each of them: what something else of it links to stays.

    And without uv's cache, where that is to go along.
    """
    ledger = Ledger()
    ledger.count(home.root, without={path for each in found for path in each.paths})
    entries = [
        DiskEntry(each.kind, name_in_text(each.name), sum(ledger.count(path) for path in each.paths), digest=each.digest) for each in found
    ]
    gone, cached = Links.below(path for each in found for path in each.paths), Links.below([cache]) if cache else None
    shared = still_linked(gone, Links.below([home.root]), cached) if found else 0
    if cache is not None and cached is not None:
        entries.append(DiskEntry(CACHE, str(cache), only_in(cached, gone)))
    return Pruning(tuple(entries), sum(entry.bytes for entry in entries), shared=shared)


def _downloads(folder: Path, in_use: InUse) -> Iterator[Unused]:
    """Downloads that were cut off. A part file and its journal are one."""
    by_key: dict[str, list[Path]] = {}
    for path in _below(folder):
        by_key.setdefault(path.name.partition(".")[0], []).append(path)
    for key, paths in by_key.items():
        if not in_use.downloading(folder / key):
            yield Unused("download", key, tuple(paths))


def _logs(home: Home, installed: Collection[str]) -> Iterator[Unused]:
    """Logs of packages that are gone, and of their solvers."""
    prefixes = {f"{file_stem(ref)}{SEPARATOR}" for ref in installed} | {home.install_log(ref).name for ref in installed}
    # Older versions wrote them under names with dots, which are not always told apart: whatever may be of an installed package stays.
    prefixes |= {f"{ref.replace('/', '.')}." for ref in installed}
    for path in _below(home.logs):
        ours = path.name.startswith("daemon.") and SEPARATOR not in path.name
        if ".log" in path.name and not ours and not path.name.startswith(tuple(prefixes)):
            yield Unused("log", path.name, (path,))


def _below(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
