"""A log and its older files. A file gets another number whenever the log is turned over, but keeps what it is called here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cvflow_tui.model.errors import NotFoundError

_HEAD = 64
"""Bytes that hold the first line of a file of times."""


def times_path(log: Path) -> Path:
    """Beside a log: at which byte which second began, a line each."""
    return log.with_name(f"{log.name}.times")


def newest_first(log: Path) -> Iterator[Path]:
    """The log, then what it was before it was turned over, and before that."""
    yield log
    number = 1
    while (older := log.with_name(f"{log.name}.{number}")).exists():
        yield older
        number += 1


def name_of(path: Path) -> str:
    """What a file is called as long as it is there: its inode, and the second of its first line, for inodes are used again.

    Empty where there is no file.
    """
    try:
        inode = path.stat().st_ino
    except FileNotFoundError:
        return ""
    try:
        with times_path(path).open("rb") as times:
            second = times.read(_HEAD).partition(b"\n")[0].partition(b" ")[2]
    except FileNotFoundError:
        second = b""
    return f"{inode}-{second.decode('ascii', 'replace')}"


def is_called(path: Path, name: str) -> bool:
    """Whether a file is the one of this name. One whose first line had no time yet when it was named is known by its inode."""
    found = name_of(path)
    return found == name or (name.endswith("-") and found.startswith(name))


def find(log: Path, name: str) -> tuple[Path, str, str]:
    """The file of this name (empty: the newest), the name of the one before it, and of the one after it; empty where there is none.

    Raises NotFoundError where it is gone.
    """
    paths = list(newest_first(log))
    for number, path in enumerate(paths):
        if not name or is_called(path, name):
            before = name_of(paths[number + 1]) if number + 1 < len(paths) else ""
            return path, before, name_of(paths[number - 1]) if number else ""
    raise NotFoundError("this part of the log is gone: the log was turned over since")
