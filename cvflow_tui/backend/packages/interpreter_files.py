"""What virtualenv writes into an environment before anything is installed there: its interpreter, and what tells that its place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path


def written(folder: Path) -> dict[str, str]:
    """Every file below an environment that holds nothing else yet, by its relative path: a link's target, another file's sha256."""
    found = {}
    for parent, folders, names in os.walk(folder):
        for name in sorted([*names, *(each for each in folders if Path(parent, each).is_symlink())]):
            path = Path(parent, name)
            found[path.relative_to(folder).as_posix()] = _told(path) or ""
    return found


def not_as_written(folder: Path, told: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(relative path, `missing` or `damaged`) of what `written` told and is another now; a link that leads nowhere is missing."""
    for name, before in told.items():
        if (now := _told(folder / name)) != before:
            yield name, "missing" if now is None else "damaged"


def _told(path: Path) -> str | None:
    try:
        if path.is_symlink():
            return f"-> {path.readlink()}" if path.exists() else None
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    except OSError:
        return None
