"""What an environment was when it was finished: its interpreter, what was resolved for it, and each distribution's list of its files.

The lists (RECORD) hold a digest of every file; the seal holds a digest of every list, so that none can go or be altered unnoticed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvflow_tui.backend.packages.digests import digest_of

NOTE = "cvflow-environment.json"
"""The file of the seal, in the environment's folder; written last, so that an environment without it is not one."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What must be there, by relative paths."""

    resolved: tuple[str, ...]
    """`name==version` of what was installed, sorted."""
    written: Mapping[str, str]
    """What virtualenv wrote before anything was installed: a link's target, another file's sha256."""
    records: Mapping[str, str]
    """The RECORD of every distribution: its sha256."""
    python: str
    """The version of its interpreter."""


def site_folders(folder: Path) -> list[Path]:
    """The folders that hold an environment's distributions."""
    found = [*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages")]
    return sorted(path for path in found if path.is_dir())


def written(folder: Path) -> dict[str, str]:
    """Every file below an environment that holds nothing else yet."""
    found = {}
    for parent, folders, names in os.walk(folder):
        for name in sorted([*names, *(each for each in folders if Path(parent, each).is_symlink())]):
            path = Path(parent, name)
            found[path.relative_to(folder).as_posix()] = _told(path) or ""
    return found


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the seal of an environment as it is now. `facts` hold `resolved` and `written`, and what else is worth knowing of it."""
    lists = [info / "RECORD" for site in site_folders(folder) for info in sorted(site.glob("*.dist-info"))]
    note = {**facts, "records": {path.relative_to(folder).as_posix(): _told(path) or "" for path in lists}}
    aside = folder / f".{NOTE}.{os.getpid()}"
    with aside.open("w", encoding="utf-8") as file:
        json.dump(note, file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(folder / NOTE)


def seal_again(folder: Path) -> None:
    """Have the seal of a finished environment tell its lists as they are now: they were changed by somebody who may."""
    note = _note(folder)
    if note is not None:
        seal(folder, note)


def read_seal(folder: Path) -> Seal | None:
    """The seal of an environment; None for a folder that is none, was never finished, or whose seal is damaged."""
    note = _note(folder)
    if note is None:
        return None
    files, lists, resolved = note.get("written"), note.get("records"), note.get("resolved")
    if not isinstance(files, dict) or not isinstance(lists, dict) or not isinstance(resolved, list):
        return None
    return (
        Seal(tuple(map(str, resolved)), files, lists, str(note.get("python", ""))) if files else None
    )  # no virtualenv is without a file of its own


def sealed_at(folder: Path) -> float:
    """When an environment was sealed, in seconds since the epoch; 0 for one that never was."""
    try:
        return (folder / NOTE).stat().st_mtime
    except OSError:
        return 0.0


def broken(folder: Path, told: Seal) -> Iterator[tuple[str, str]]:
    """(relative path, `missing` or `damaged`) of what the seal told and is another now; a link that leads nowhere is missing."""
    for name, before in (*told.written.items(), *told.records.items()):
        if (now := _told(folder / name)) != before:
            yield name, "missing" if now is None else "damaged"


def is_whole(folder: Path) -> bool:
    """Whether an environment was finished, its interpreter is that of then, and every distribution's list of its files too."""
    told = read_seal(folder)
    return told is not None and not any(broken(folder, told))


def _note(folder: Path) -> dict[str, Any] | None:
    path = folder / NOTE
    try:
        note = json.loads(path.read_text("utf-8")) if path.is_file() else None  # a pipe would be read for ever
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) else None


def _told(path: Path) -> str | None:
    try:
        if path.is_symlink():
            return f"-> {path.readlink()}" if path.exists() else None
        return digest_of(path) if path.is_file() else None
    except OSError:
        return None
