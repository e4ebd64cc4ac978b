"""`cvflow.lock`: what exactly was installed, in the package's folder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cvflow_tui.backend.packages.allowed_builds import builds_in
from cvflow_tui.backend.packages.digests import digest_of
from cvflow_tui.backend.packages.environment import Environment
from cvflow_tui.backend.packages.interpreters import own_interpreter
from cvflow_tui.backend.packages.package import Package
from cvflow_tui.backend.packages.resolution import Pin, Wish
from cvflow_tui.backend.packages.sources import Fetched
from cvflow_tui.backend.packages.toml_file import LOCK_LIMIT, read_toml
from cvflow_tui.backend.packages.weights import Weight
from cvflow_tui.model.errors import PackageError

LOCK = "cvflow.lock"


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
    placed = package.weight_files
    files = [f'{_quoted(name)} = "{digest}"\n' for name, digest in digests(package.root) if name not in placed]
    # By hand: tomlkit takes minutes for ten thousand of them.
    (package.root / LOCK).write_text(f"{tomlkit.dumps(document)}\n[files]\n{''.join(files)}", "utf-8")


def _quoted(text: str) -> str:
    """A basic string of TOML: JSON's are the same but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


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
    if allowed := dict.fromkeys([*wish.allow_build, *(pin.name for pin in environment.pins if pin.source)]):
        table["allow_build"] = list(allowed)
    if wish.interpreter:
        table["chosen_python"] = wish.interpreter
    return table


def _distribution(pin: Pin) -> dict[str, Any]:
    told = {"name": pin.name, "version": pin.version, "file": pin.file, "size": pin.size, "hashes": list(pin.hashes)}
    told |= {"source": pin.source or None, "url": pin.url}
    return {key: value for key, value in told.items() if value not in (None, "", [])}


def read_wishes(path: Path) -> Wish:
    """What the user asked for beside the author's requirements at the installation that wrote a lock; nothing without one."""
    try:
        document = read_toml(path, limit=LOCK_LIMIT)
        table = document["environment"]
        return Wish(
            added=tuple(map(str, table.get("added", ()))),
            relax=table.get("relaxed") is True,
            allow_build=tuple(map(str, table.get("allow_build", ()))),
            builds=builds_in(document),
            interpreter=table.get("chosen_python"),
        )
    except (PackageError, KeyError, TypeError, AttributeError):
        return Wish()


def installed_at(root: Path) -> float | None:
    """When the package in a folder was installed, as its lock says; None without a lock."""
    try:
        return float(read_toml(root / LOCK, limit=LOCK_LIMIT)["package"]["installed_at"])
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
                found.append((relative, digest_of(path)))
    return sorted(found)
