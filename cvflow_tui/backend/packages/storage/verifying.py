"""Whether an installed package is still what its lock says: files, weights, and the environment's own records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from cvflow_tui.backend.jobs import Progress
from cvflow_tui.backend.packages.describe import SKIPPED
from cvflow_tui.backend.packages.environment import Environments
from cvflow_tui.backend.packages.environment_files import files_of, unknown_files
from cvflow_tui.backend.packages.linked import gone_from
from cvflow_tui.backend.packages.lock import LOCK
from cvflow_tui.backend.packages.locked import Lock, read_lock
from cvflow_tui.backend.packages.meter import Meter
from cvflow_tui.backend.packages.records import Record
from cvflow_tui.backend.packages.sealing import NOTE, broken, read_seal
from cvflow_tui.backend.packages.weights import FOLDER, WeightStore
from cvflow_tui.model.errors import NotFoundError, PackageError
from cvflow_tui.model.storage import Finding

_CHUNK = 1 << 20

_CODE = frozenset({".py", ".pyc", ".pyd", ".so", ".dylib", ".dll", ".pth", ".sh", ".toml"})
_WRITTEN = frozenset({".cache", "cache", "data", "log", "logs", "output", "outputs", "public", "static", "temp", "tmp"})
"""Folders of a package's that packages write into, code too (a hub's cache)."""


class Seen:
    """What one verification has read so far; a file that is linked from several places is read once."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._known: dict[tuple[int, int], dict[str, str]] = {}
        self.files = 0
        self.bytes = 0

    def copy(self) -> Seen:
        """The same, to go on from once more: what was read after it is read again."""
        other = Seen(self._progress)
        other._known = {file: dict(known) for file, known in self._known.items()}
        other.files, other.bytes = self.files, self.bytes
        return other

    def digest(self, path: Path, kind: str = "sha256") -> str | None:
        """A file's digest; None where there is no such plain file."""
        try:
            found = path.stat()
            if not path.is_file():
                return None
            known = self._known.setdefault((found.st_dev, found.st_ino), {})
            if kind not in known:
                known[kind] = self._read(path, kind)
            return known[kind]
        except (OSError, ValueError):
            return None

    def _read(self, path: Path, kind: str) -> str:
        digest, meter = hashlib.new(kind), Meter(self._progress)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                self.bytes += len(chunk)
                meter.at(self.bytes)
        self.files += 1
        return digest.hexdigest()


def verify_package(record: Record, environments: Environments, store: WeightStore, seen: Seen) -> Iterator[Finding]:
    """What is not as it was installed."""
    try:
        lock = read_lock(record.path / LOCK)
    except (NotFoundError, PackageError):
        yield Finding(record.ref, "file", LOCK, "damaged" if (record.path / LOCK).exists() else "missing")
        return
    yield from _weights(record, lock.weights, store, seen)
    if (gone := gone_from(record)) is not None:
        yield Finding(record.ref, "folder", str(gone), "missing")
    linked = record.editable is not None  # its author's folder, who changes it
    # a runner file that an author ships is written over
    yield from _files(record, lock.runners if linked else {**lock.files, **lock.runners}, seen)
    if not linked:
        yield from _others(record, lock)
    if record.environment is not None:
        yield from _environment(record, lock, environments.path(record.environment), seen)


def verify_own_files(record: Record, store: WeightStore, seen: Seen) -> Iterator[Finding]:
    """What of a package's own files and its weights is not as it was installed; its environment, which may have gigabytes, is not read."""
    try:
        lock = read_lock(record.path / LOCK)
    except (NotFoundError, PackageError):
        return
    yield from _weights(record, lock.weights, store, seen)
    if record.editable is None:
        yield from _files(record, lock.files, seen)


def _weights(record: Record, weights: Mapping[str, str], store: WeightStore, seen: Seen) -> Iterator[Finding]:
    for name, sha256 in weights.items():
        own = f"{FOLDER}/{name}"
        for path, shown in ((record.path / own, own), (store.path(sha256), f"weights/{sha256}")):
            if (digest := seen.digest(path)) != sha256:
                yield Finding(record.ref, "weight", shown, "missing" if digest is None else "damaged")


def _files(record: Record, files: Mapping[str, str], seen: Seen) -> Iterator[Finding]:
    linked: dict[Path, bool] = {record.path: False}  # a home may lie behind a link

    def leads_elsewhere(path: Path) -> bool:
        """Whether it, or a folder above it, is a link: no file of an install is reached by one, and what is behind it is not ours."""
        if path not in linked:
            linked[path] = path.is_symlink() or leads_elsewhere(path.parent)
        return linked[path]

    for name, sha256 in files.items():
        digest = seen.digest(record.path / name)
        if digest != sha256 or leads_elsewhere(record.path / name):
            yield Finding(record.ref, "file", name, "missing" if digest is None else "damaged")


def _others(record: Record, lock: Lock) -> Iterator[Finding]:
    """What lies in the package's folder and was not installed."""
    ours = {f"{FOLDER}/{name}" for name in lock.weights} | lock.files.keys() | lock.runners.keys() | {LOCK}
    known = {path.stat().st_ino for name in lock.weights if (path := record.path / FOLDER / name).is_file()}
    for path in sorted(record.path.rglob("*")):
        name = path.relative_to(record.path).as_posix()
        if (path.is_dir() and not path.is_symlink()) or name in ours or SKIPPED & set(path.relative_to(record.path).parts):
            continue
        # one of an install before the lock named them
        runner = not lock.runners and "/" not in name and name.startswith("runner_") and name.endswith((".py", ".json"))
        if not runner and not (name.startswith(f"{FOLDER}/") and path.lstat().st_ino in known):
            yield Finding(record.ref, "file", name, "extra" if _may_be_taken_for_its_code(name) else "written")


def _may_be_taken_for_its_code(name: str) -> bool:
    """Whether Python could import a file from the package's folder, or a program could start it, in place of what was installed."""
    place = PurePosixPath(name)
    return place.suffix in _CODE and place.parts[0] not in _WRITTEN


def _environment(record: Record, lock: Lock, folder: Path, seen: Seen) -> Iterator[Finding]:
    if not folder.is_dir():
        yield Finding(record.ref, "environment", folder.name, "missing")
        return
    seal = read_seal(folder)
    if seal is None or seal.resolved != lock.resolved:
        yield Finding(record.ref, "environment", NOTE, "damaged" if (folder / NOTE).exists() else "missing")
        return  # nothing in it says what belongs there
    wrong = dict(broken(folder, seal))
    for name, kind in wrong.items():
        yield Finding(record.ref, "environment", name, kind)
    recorded = [entry for name in seal.records if name not in wrong for entry in files_of(folder / name)]
    for path, kind, wanted in recorded:
        shown = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
        if wanted is None:
            if not path.exists():
                yield Finding(record.ref, "environment", shown, "missing")
        elif (digest := seen.digest(path, kind)) != wanted:
            yield Finding(record.ref, "environment", shown, "missing" if digest is None else "damaged")
    if wrong.keys() & seal.records.keys():
        return  # whose files the others are is not known until those lists are there again
    known = {path for path, _, _ in recorded} | {folder / name for name in (*seal.written, *seal.records)}
    for path in unknown_files(folder, known):
        yield Finding(record.ref, "environment", path.relative_to(folder).as_posix(), "extra")
