"""`cvflow.lock`: what exactly was installed, in the package's folder."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cvflow_tui.backend.packages.environment import Environment
from cvflow_tui.backend.packages.interpreters import Interpreter, own_interpreter
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.resolution import Pin, Resolution, Wish
from cvflow_tui.backend.packages.sources import Fetched
from cvflow_tui.backend.packages.toml_file import read_toml
from cvflow_tui.backend.packages.weights import FOLDER, Weight
from cvflow_tui.model.errors import PackageError, RefusedError

LOCK = "cvflow.lock"

_HASH = re.compile(r"sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.!+_-]*")
_URL = re.compile(r"(git\+)?(https|ssh|file)://[^\s;]+")


def write_lock(
    package: Package,
    fetched: Fetched,
    weights: Sequence[Weight],
    environment: Environment,
    installed_at: float,
    wish: Wish | None = None,
) -> None:
    """Write the lock of a staged package: source, commit, every file's sha256, weights, every distribution with its hashes, Python."""
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment("Written by cvflow at the installation: what was installed, exactly."))
    table: dict[str, str | float] = {
        "name": package.ref,
        "version": package.version,
        "source": fetched.source,
        "installed_at": installed_at,
    }
    if fetched.commit:
        table["commit"] = fetched.commit
    document["package"] = table
    document["environment"] = _environment(package, environment, wish or Wish())
    document["distributions"] = [_distribution(pin) for pin in environment.pins]
    document["weights"] = [{"name": weight.name, "sha256": weight.sha256, "size": weight.size} for weight in weights]
    placed = {f"{FOLDER}/{weight.name}" for weight in weights}
    document["files"] = {name: digest for name, digest in digests(package.root) if name not in placed}
    (package.root / LOCK).write_text(tomlkit.dumps(document), "utf-8")


def _environment(package: Package, environment: Environment, wish: Wish) -> dict[str, Any]:
    interpreter = environment.interpreter or own_interpreter()
    table: dict[str, Any] = {
        "kind": package.environment,
        "python": interpreter.version,
        "tag": interpreter.tag,
        "platform": interpreter.platform,
        "requirements": list(package.requirements),
        "resolved": list(environment.resolved),
    }
    if wish.added:
        table["added"] = list(wish.added)
    if wish.relax:
        table["relaxed"] = True
    if wish.allow_build:
        table["allow_build"] = list(wish.allow_build)
    if wish.interpreter:
        table["chosen_python"] = wish.interpreter
    return table


def _distribution(pin: Pin) -> dict[str, Any]:
    told = {"name": pin.name, "version": pin.version, "file": pin.file, "size": pin.size, "hashes": list(pin.hashes)}
    told |= {"source": pin.source or None, "url": pin.url}
    return {key: value for key, value in told.items() if value not in (None, "", [])}


def read_wishes(root: Path) -> Wish:
    """What the user asked for beside the author's requirements when the package in a folder was installed; nothing without a lock."""
    try:
        table = read_toml(root / LOCK)["environment"]
        return Wish(
            added=tuple(map(str, table.get("added", ()))),
            relax=table.get("relaxed") is True,
            allow_build=tuple(map(str, table.get("allow_build", ()))),
            interpreter=table.get("chosen_python"),
        )
    except (PackageError, KeyError, TypeError, AttributeError):
        return Wish()


def locked_resolution(path: Path, interpreter: Interpreter) -> Resolution:
    """The distributions that a lock names, for an interpreter that they were resolved for: no resolver is needed, and no index is asked.

    Raises PackageError for a lock that cannot be read or has a distribution without a hash, RefusedError for another Python or platform.
    """
    document = read_toml(path)
    table = document.get("environment")
    if not isinstance(table, Mapping):
        raise PackageError(f"{path.name}: there is no [environment] table: it is no lock that cvflow wrote")
    for what, here in (("tag", interpreter.tag), ("platform", interpreter.platform)):
        if (there := table.get(what)) != here:
            raise RefusedError(f"{path.name} was made for {there}, and this is {here}: install without the lock, which resolves anew")
    return Resolution(interpreter, tuple(_pin(path.name, told) for told in document.get("distributions", ())))


def _pin(file: str, told: Any) -> Pin:
    """A distribution of a lock. A lock may be a stranger's: every word is checked before it reaches the installer."""
    if not isinstance(told, Mapping):
        raise PackageError(f"{file}: distributions: an entry is no table")
    name, version, url = str(told.get("name", "")), str(told.get("version", "")), told.get("url")
    hashes = tuple(map(str, told.get("hashes", ())))
    if not _NAME.fullmatch(name) or (version and not _VERSION.fullmatch(version)) or not (version or url):
        raise PackageError(f"{file}: distributions: {name!r} {version!r} is no name and version")
    if url is not None and not _URL.fullmatch(str(url)):
        raise PackageError(f"{file}: distributions: {name}: its url is no address of a distribution")
    repository = str(url or "").startswith("git+")
    if not all(_HASH.fullmatch(each) for each in hashes) or not (hashes or repository):
        raise PackageError(f"{file}: distributions: {name} has no sha256: nothing says that it is the same again")
    size = told.get("size")
    return Pin(
        name,
        version,
        file=str(told.get("file", "")),
        hashes=hashes,
        size=size if isinstance(size, int) and size >= 0 else None,
        source=told.get("source") is True or repository,
        url=None if url is None else str(url),
    )


def installed_at(root: Path) -> float | None:
    """When the package in a folder was installed, as its lock says; None without a lock."""
    try:
        return float(read_toml(root / LOCK)["package"]["installed_at"])
    except (PackageError, KeyError, TypeError, ValueError):
        return None


def digests(root: Path) -> list[tuple[str, str]]:
    """(relative path, sha256) of every plain file below a folder, but for the lock, sorted."""
    found = []
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in files:
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            if relative != LOCK and not path.is_symlink():
                with path.open("rb") as file:
                    found.append((relative, hashlib.file_digest(file, "sha256").hexdigest()))
    return sorted(found)
