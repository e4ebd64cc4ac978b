"""Symbolic links of a package: what is installed holds none. One that stays inside becomes what it leads to, others are left out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from posixpath import dirname, join, normpath

from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.text import one_line

LINKED_LIMIT = 50_000
"""Files that links may add: a few links to folders of links to folders would otherwise be any number."""
PATH_LIMIT, NAME_LIMIT = 4095, 255
_HOPS = 40
OUT = "the link leads out of the package"
NOWHERE = "the link leads nowhere"
ROUND = "the link leads to a folder that it lies in"


def left_out(name: str, why: str) -> str:
    """What is said of a link that is not followed."""
    return f"left out {one_line(name, 80)}: {why}"


def ends_of(links: Mapping[str, str], warnings: list[str]) -> dict[str, str]:
    """Where links (path → what it says, as in a repository) lead, by their text alone: path → path, both from the top folder.

    `warnings` is told of those that lead out of it, and of those that lead round in circles.
    """
    ends: dict[str, str] = {}
    for name, says in links.items():
        if not says or "\0" in says or len(says) > PATH_LIMIT or any(len(part.encode()) > NAME_LIMIT for part in says.split("/")):
            warnings.append(left_out(name, NOWHERE))
            continue
        end: str | None = name
        for _ in range(_HOPS):
            link = _first_link(end, links) if end is not None else None
            if end is None or link is None:
                break
            end = _inside(dirname(link), links[link], end[len(link) + 1 :])
        else:
            warnings.append(left_out(name, NOWHERE))
            continue
        if end is None:
            warnings.append(left_out(name, OUT))
        else:
            ends[name] = end
    return ends


def place_links(root: Path, ends: Mapping[str, str], warnings: list[str]) -> None:
    """Put into the place of each link (path → path, from `root`, which holds no link) what it leads to: a file as another name of the same
    one, a folder as one that holds the same files. `warnings` is told of what is left out. Raises PackageError for more than any package
    has.
    """
    placed = 0
    for name, end in sorted(ends.items(), key=lambda pair: (not (root / pair[1]).is_file(), pair)):
        origin, target = root / end, root / name
        if not origin.exists():
            warnings.append(left_out(name, NOWHERE))
        elif origin.is_file():
            placed += _placed(target, {origin: target}, placed)
        elif target.is_relative_to(origin):
            warnings.append(left_out(name, ROUND))
        else:
            there = [Path(folder, file) for folder, _, names in os.walk(origin) for file in names]
            files = {file: target / file.relative_to(origin) for file in there}
            target.mkdir(parents=True, exist_ok=True)
            placed += _placed(target, files, placed)


def _placed(target: Path, files: Mapping[Path, Path], before: int) -> int:
    if before + len(files) > LINKED_LIMIT:
        raise PackageError(f"{one_line(target.name, 80)}: links make more than {LINKED_LIMIT:,} files of this package's")
    for file, place in files.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file, place)
        except OSError:  # a file system without them, or a file with too many names
            shutil.copy(file, place)
    return len(files)


def _first_link(path: str, links: Mapping[str, str]) -> str | None:
    """The first part of the path that is a link."""
    parts = path.split("/")
    return next((part for depth in range(1, len(parts) + 1) if (part := "/".join(parts[:depth])) in links), None)


def _inside(folder: str, says: str, rest: str) -> str | None:
    """Where a link in a folder leads; None where that is out of the top folder, or into what git keeps there."""
    path = normpath(join(folder, says, rest))
    return None if path.startswith(("/", "../")) or path == ".." or ".git" in path.split("/") else path
