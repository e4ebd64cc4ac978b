"""`requirements.txt` as packages were really published: tolerant, and saying what was dropped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.text import one_line

OURS = frozenset({"cvpm", "mlpm", "mlserve"})
"""Served by the sdk's own modules: the published ones do not import any more."""

_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"\s+--hash[= ]\S+")


@dataclass(frozen=True, slots=True)
class Requirements:
    """Lines for the installer (each a PEP 508 requirement, with its hashes if it has any), and what was left out and why."""

    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_requirements(path: Path) -> Requirements:
    """Read a requirements file; a missing one is empty. Raises PackageError for a file that cannot be read."""
    if not path.is_file():
        return Requirements()
    try:
        text = path.read_text("utf-8-sig", errors="replace")
    except OSError as error:
        raise PackageError(f"{path.name} cannot be read: {error.strerror or error}") from error
    lines: list[str] = []
    warnings: list[str] = []
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        bare = _COMMENT.sub("", line).strip()
        if not bare:
            continue
        hashes = [found.strip() for found in _HASH.findall(f" {bare}")]
        try:
            requirement = Requirement(_HASH.sub("", f" {bare}").strip())
        except InvalidRequirement:
            warnings.append(f"{path.name}: left out {one_line(bare, 60)!r}, which is no requirement")
            continue
        if canonicalize_name(requirement.name) in OURS:
            warnings.append(f"{path.name}: left out {requirement.name}, which cvflow brings itself")
            continue
        lines.append(" ".join([str(requirement), *hashes]))
    return Requirements(tuple(lines), tuple(warnings))


def held_versions(lines: Sequence[str]) -> list[str]:
    """`name==version` of the requirements as the app's own Python has them."""
    names = sorted({canonicalize_name(Requirement(_HASH.sub("", line)).name) for line in lines})
    return [f"{name}=={held}" for name in names if (held := _held(name)) is not None]


def unmet(lines: Sequence[str]) -> list[str]:
    """The requirements that the app's own Python does not satisfy, for packages that run on it."""
    missing = []
    for line in lines:
        requirement = Requirement(_HASH.sub("", line))
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        held = _held(requirement.name)
        if held is None:
            missing.append(str(requirement))
        elif not requirement.specifier.contains(held, prereleases=True):
            missing.append(f"{requirement} (it has {held})")
    return missing


def _held(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
