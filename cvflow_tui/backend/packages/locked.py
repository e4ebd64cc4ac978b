"""Installing exactly what a `cvflow.lock` says, and writing into one what the user allowed and asked for."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cvflow_tui.backend.packages.disk import writing
from cvflow_tui.backend.packages.lock import LOCK, digests
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.toml_file import LOCK_LIMIT, read_toml
from cvflow_tui.model.errors import NotFoundError, PackageError, RefusedError
from cvflow_tui.model.packages import InstallRequest, Script
from cvflow_tui.model.text import one_line

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that is to be followed: what stands in it about the package itself. It may be a stranger's; every word is checked."""

    path: Path
    name: str
    """`vendor/name`."""
    version: str
    source: str
    weights: Mapping[str, str]
    files: Mapping[str, str]
    scripts: tuple[str, ...]
    resolved: tuple[str, ...]
    """`name==version` of what its environment holds, sorted."""
    runners: Mapping[str, str]
    """What was written for its solvers at the installation, of that home alone; nothing in a lock of before that was noted."""


def read_lock(path: Path) -> Lock:
    """Read a lock. Raises NotFoundError where there is none, PackageError for one that is damaged."""
    if not path.is_file():
        raise NotFoundError(f"{path}: there is no {LOCK} to follow; cvflow lock REF --out FILE writes one")
    tables = read_toml(path, limit=LOCK_LIMIT)
    package, files, runners = tables.get("package"), tables.get("files"), tables.get("runners", {})
    environment = tables.get("environment")
    if (
        not isinstance(package, dict)
        or not isinstance(files, dict)
        or not isinstance(runners, dict)
        or not isinstance(package.get("source"), str)
    ):
        raise PackageError(f"{path.name}: has no [package] with a source and no [files]: it is no lock that cvflow wrote")
    weights = {str(told.get("name")): _digest(path, told.get("sha256")) for told in _tables(path, tables, "weights")}
    return Lock(
        path,
        str(package.get("name", "")),
        str(package.get("version", "")),
        package["source"],
        weights,
        {str(name): _digest(path, digest) for name, digest in files.items()},
        tuple(_digest(path, told.get("sha256")) for told in _tables(path, tables, "scripts") if told.get("ran") is True),
        tuple(map(str, environment.get("resolved", ()))) if isinstance(environment, dict) else (),
        {str(name): _digest(path, digest) for name, digest in runners.items()},
    )


def follow(lock: Lock, package: Package) -> Package:
    """The package with its weights held to the lock's digests. Raises PackageError where it, or a file of it, is not that of the lock."""
    if (package.ref, package.version) != (lock.name, lock.version):
        told = one_line(f"{lock.name} {lock.version}", 200)
        raise PackageError(f"{package.ref} {package.version} is not what {lock.path.name} says: it is a lock of {told}")
    there = dict(digests(package.root))
    for name in sorted(lock.files.keys() | (there.keys() - package.weight_files)):
        if there.get(name) != lock.files.get(name):
            how = "is missing" if name not in there else "is not in it" if name not in lock.files else "is another"
            raise PackageError(f"{package.ref} is not what {lock.path.name} says: {one_line(name, 100)} {how}")
    models = {model.name: model for model in package.models}
    if models.keys() != lock.weights.keys():
        raise PackageError(f"{package.ref} is not what {lock.path.name} says: it has other weights")
    for name, model in models.items():
        if model.sha256 not in (None, lock.weights[name]):
            raise PackageError(f"{package.ref} is not what {lock.path.name} says: {one_line(name, 100)} has another digest")
    held = tuple(model.model_copy(update={"sha256": lock.weights[model.name]}) for model in package.models)
    return replace(package, models=held)


def refuse_unread(lock: Lock, ref: str, scripts: Sequence[Script]) -> None:
    """Raise RefusedError where scripts had a part in what the lock says and the user has not allowed them: it would not be the same."""
    wanted = [script for script in scripts if script.sha256 in lock.scripts and not script.allowed]
    if wanted:
        how = " ".join(f"--allow-script {script.sha256[:12]}" for script in wanted)
        names = ", ".join(one_line(script.name, 80) for script in wanted)
        raise RefusedError(f"{ref}: what {lock.path.name} says was made by {names} too; read what they do, and allow it: {how}")


def remember(root: Path, request: InstallRequest, scripts: Sequence[Script], runners: Mapping[str, str]) -> None:
    """Add to the lock of a staged package what the user asked for, which scripts ran, the runner files (name to sha256)."""
    import tomlkit

    # Put behind what is there: reading a long lock again takes longer than the whole install.
    document = tomlkit.document()
    asked = {key: value for key, value in json.loads(told(request)).items() if value not in (None, False, [], {})}
    document["request"] = asked
    if scripts:
        document["scripts"] = [{"name": script.name, "sha256": script.sha256, "ran": script.allowed} for script in scripts]
    document["runners"] = dict(runners)
    with (root / LOCK).open("a", encoding="utf-8") as file:
        file.write(f"\n{tomlkit.dumps(document)}")


def note_runners(root: Path, runners: Mapping[str, str]) -> None:
    """Have the lock of an installed package name other runner files: those of this cvflow, where another one wrote it."""
    import tomlkit

    lock, aside = root / LOCK, root / f".{LOCK}.{os.getpid()}"
    document = tomlkit.document()
    document["runners"] = dict(runners)
    before = lock.read_text("utf-8").rpartition("\n[runners]\n")[0]  # the last table, as `remember` wrote it
    try:
        with writing(root, what=LOCK):
            aside.write_text(f"{before}\n{tomlkit.dumps(document)}", "utf-8")
        aside.replace(lock)
    finally:
        aside.unlink(missing_ok=True)


def told(request: InstallRequest) -> str:
    """A request as JSON, to be asked again one day; whether it was to be done anew was of that day."""
    from dataclasses import asdict

    return json.dumps({key: value for key, value in asdict(request).items() if key != "again"}, sort_keys=True)


def asked(text: str) -> InstallRequest:
    """A request from its JSON; what a newer cvflow knew and this one does not is left out."""
    from dataclasses import fields

    known = {field.name for field in fields(InstallRequest)}
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(text).items() if key in known
    }
    return InstallRequest(**values)


def _tables(path: Path, tables: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = tables.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise PackageError(f"{path.name}: {key}: is no list of tables")
    return found


def _digest(path: Path, value: object) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise PackageError(f"{path.name}: {one_line(repr(value), 80)} is no sha256")
    return value
