"""The distributions that a `cvflow.lock` names: an environment from them needs no resolver, and no index is asked what there is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from cvflow_tui.backend.packages.interpreters import Interpreter, choose_interpreter
from cvflow_tui.backend.packages.resolution import Pin, Resolution, Wish
from cvflow_tui.backend.packages.toml_file import LOCK_LIMIT, read_toml
from cvflow_tui.model.errors import PackageError, RefusedError
from cvflow_tui.model.mending import Mend
from cvflow_tui.model.text import one_line

_HASH = re.compile(r"sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.!+_-]*")
_URL = re.compile(r"(git\+)?(https|ssh|file)://[^\s;]+")


def follow_lock(path: Path, wish: Wish) -> Resolution:
    """What a lock says an environment holds, for a Python of this machine that it was made for.

    Raises what `choose_interpreter` and `locked_resolution` raise, and RefusedError for a distribution whose code would run to install it
    and that the user has not allowed: a lock may be a stranger's, and its word is no permission.
    """
    resolution = locked_resolution(path, _interpreter(path, wish))
    for pin in resolution.builds:
        if not wish.allows(pin):
            what = one_line(pin.url or f"{pin.file} ({', '.join(pin.hashes)})", 200)
            raise RefusedError(
                f"{path.name}: {pin.name} is built from {what}: installing it runs its author's code; if you trust that,"
                f" add --allow-build {pin.name}",
                mends=[Mend(allow_build=(pin.name,))],
            )
    return resolution


def locked_resolution(path: Path, interpreter: Interpreter) -> Resolution:
    """The distributions that a lock names, for an interpreter that they were resolved for: no resolver is needed, and no index is asked.

    Raises PackageError for a lock that cannot be read or has a distribution without a hash, RefusedError for another Python or platform.
    """
    document = read_toml(path, limit=LOCK_LIMIT)
    table = _environment(path, document)
    for what, here in (("tag", interpreter.tag), ("platform", interpreter.platform)):
        if (there := table.get(what)) != here:
            raise RefusedError(f"{path.name} was made for {there}, and this is {here}: install without the lock, which resolves anew")
    return Resolution(interpreter, tuple(pin_of(path.name, told) for told in document.get("distributions", ())))


def same_environment(one: Path, other: Path) -> bool:
    """Whether two locks name the same distributions, for the same Python and platform. Raises PackageError for a damaged one."""
    return _held_by(one) == _held_by(other)


def _held_by(path: Path) -> tuple[object, ...]:
    document = read_toml(path, limit=LOCK_LIMIT)
    table = _environment(path, document)
    pins = {(pin.told, frozenset(pin.hashes)) for pin in (pin_of(path.name, told) for told in document.get("distributions", ()))}
    return table.get("tag"), table.get("platform"), frozenset(pins)


def pin_of(file: str, told: Any) -> Pin:
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


def _interpreter(path: Path, wish: Wish) -> Interpreter:
    """A Python of the same version as the lock's, which also is one that the package takes."""
    try:
        version = Version(str(_environment(path, read_toml(path, limit=LOCK_LIMIT)).get("python")))
    except InvalidVersion:
        return choose_interpreter(wish.python, wish.interpreter)
    same = f"=={version.major}.{version.minor}.*"
    return choose_interpreter(f"{wish.python},{same}" if wish.python else same, wish.interpreter)


def _environment(path: Path, document: Mapping[str, Any]) -> Mapping[str, Any]:
    table = document.get("environment")
    if not isinstance(table, Mapping):
        raise PackageError(f"{path.name}: there is no [environment] table: it is no lock that cvflow wrote")
    return table
