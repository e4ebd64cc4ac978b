"""Finding pictures: files and folders as a person named them, in the order a person would count them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from cvflow_tui.model.errors import NotFoundError, RefusedError, UsageError

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"})
"""What makes a file a picture when a folder is searched; a file that is named itself must have one too."""

_DIGITS = re.compile(r"(\d+)")


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key by which picture-2 comes before picture-10, and case does not matter."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in _DIGITS.split(name) if part)


def check_roots(pictures: Sequence[str]) -> list[Path]:
    """The given files and folders, absolute, in natural order, without those that lie inside another one.

    Raises NotFoundError for a path that is not there, UsageError for one that is relative or no picture.
    """
    roots: dict[Path, None] = {}
    for text in pictures:
        path = Path(text)
        if not path.is_absolute():
            raise UsageError(f"pictures: {text} is not an absolute path")
        path = Path(os.path.normpath(path))
        if not path.exists():
            raise NotFoundError(f"{path} does not exist: pictures are files and folders")
        if not path.is_dir() and path.suffix.lower() not in ENDINGS:
            raise UsageError(f"{path} is no picture: its name must end in one of {', '.join(sorted(ENDINGS))}")
        roots[path] = None
    kept = [path for path in roots if not any(parent in roots for parent in path.parents)]
    return sorted(kept, key=lambda path: natural_key(str(path)))


def common_root(roots: Sequence[Path]) -> Path:
    """The folder that all pictures share: names in lists and exports are relative to it."""
    return Path(os.path.commonpath([path if path.is_dir() else path.parent for path in roots]))


def walk(roots: Sequence[Path]) -> Iterator[str]:
    """Paths of every picture below the roots, in natural order; hidden files and folders are left out.

    Links to folders are followed once each. Raises RefusedError for a folder that can't be read, UsageError for a file name
    that is not UTF-8.
    """
    visited: set[tuple[int, int]] = set()
    for root in roots:
        if root.is_dir():
            yield from _walk_folder(str(root), visited)
        else:
            yield _checked(str(root))


def _walk_folder(folder: str, visited: set[tuple[int, int]]) -> Iterator[str]:
    try:
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in visited:
            return
        visited.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise RefusedError(f"{folder} can't be read: {error.strerror or error}") from error
    found.sort(key=lambda item: natural_key(item[0]))
    for name, is_folder in found:
        path = f"{folder.rstrip('/')}/{name}"  # a million of them: no Path objects
        if is_folder:
            yield from _walk_folder(path, visited)
        elif name[name.rfind(".") :].lower() in ENDINGS:
            yield _checked(path)


def _checked(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{path!a}: the name of this picture is not valid UTF-8, rename it") from None
    return path
