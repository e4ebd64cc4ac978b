"""`requirements.txt` as packages were really published: tolerant, and saying what was dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from cvflow_tui.model.errors import PackageError, UsageError
from cvflow_tui.model.text import one_line

OURS = frozenset({"cvpm", "mlpm", "mlserve"})
"""Served by the sdk's own modules: the published ones do not import any more."""

_SAME = (
    ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
    ("dlib-bin", "dlib"),
    ("tensorflow-cpu", "tensorflow", "tensorflow-gpu"),
    ("onnxruntime", "onnxruntime-gpu"),
    ("mmcv-lite", "mmcv", "mmcv-full"),
)
"""Distributions that bring the same modules and must not be installed together, the one that needs the least first."""

_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"\s+--hash[= ](\S+)")
_INCLUDE = re.compile(r"(?:-r|--requirement)[= ]?\s*(\S+)")
_EDITABLE = re.compile(r"(?:-e|--editable)[= ]?\s*(\S+)")
_REPOSITORY = re.compile(r"(?:git|hg|svn|bzr)\+\S+")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9][\w.-]*)")
_DEPTH = 5
"""How far requirement files may name one another."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """Lines for the installer (each a PEP 508 requirement, with its hashes if it has any), and what was left out and why."""

    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    """The warnings of lines that are none: `--strict` refuses a package with any."""


@dataclass(slots=True)
class _Reading:
    """What was read so far of a package's requirement files."""

    root: Path
    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)


def read_requirements(path: Path) -> Requirements:
    """Read a requirements file and those it names; a missing one is empty. Raises PackageError for a file that cannot be read."""
    reading = _Reading(path.parent)
    _read(path, reading, _DEPTH)
    return Requirements(*(tuple(dict.fromkeys(told)) for told in (reading.lines, reading.warnings, reading.repairs)))


def parse(line: str) -> tuple[Requirement, tuple[str, ...]]:
    """A line that `read_requirements` gave: the requirement, and the hashes (`sha256:…`) that its author allows."""
    return Requirement(_HASH.sub("", f" {line}").strip()), tuple(_HASH.findall(f" {line}"))


def check_added(lines: Sequence[str]) -> tuple[str, ...]:
    """What a user adds (`--with`), each a requirement. Raises UsageError for one that is none."""
    added = []
    for line in lines:
        try:
            added.append(str(Requirement(line)))
        except InvalidRequirement as error:
            raise UsageError(f"--with {one_line(line, 80)!r} is no requirement: write it like 'pillow' or 'numpy<2'") from error
    return tuple(added)


def merged(lines: Sequence[str], added: Sequence[str]) -> tuple[str, ...]:
    """The author's requirements and the user's, who has the last word.

    A name that both give is taken from the user, and so is one that brings the same modules (`--with dlib-bin` for the author's dlib).
    """
    theirs = {family(Requirement(line).name) for line in added}
    return (*(line for line in lines if family(parse(line)[0].name) not in theirs), *added)


def stand_in(name: str) -> str | None:
    """The distribution that brings the same modules and needs the least of the machine; None where that is `name` itself."""
    least = family(name)
    return least if least != canonicalize_name(name) else None


def relaxed(lines: Sequence[str]) -> tuple[str, ...]:
    """The names alone (with extras and markers): no versions, no hashes."""
    found = []
    for line in lines:
        requirement, _ = parse(line)
        if requirement.url is None:
            requirement.specifier &= ""
            extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
            found.append(f"{requirement.name}{extras}" + (f"; {requirement.marker}" if requirement.marker else ""))
        else:
            found.append(str(requirement))
    return tuple(dict.fromkeys(found))


def pinned(lines: Sequence[str]) -> bool:
    """Whether any of them asks for particular versions or hashes, so that `relaxed` would ask for less."""
    return any(requirement.specifier or hashes for requirement, hashes in map(parse, lines))


def exact_names(lines: Sequence[str]) -> frozenset[str]:
    """The names of requirements of which each asks for one version: nothing newer can be the answer. Empty if any asks for less."""
    names = set()
    for requirement, _ in map(parse, lines):
        operators = [each.operator for each in requirement.specifier if not each.version.endswith(".*")]
        if requirement.url is not None or not {"==", "==="} & set(operators):
            return frozenset()
        names.add(canonicalize_name(requirement.name))
    return frozenset(names)


def built(lines: Sequence[str]) -> dict[str, str]:
    """The requirements that can only be had by running their author's code: {name: where it comes from}."""
    found: dict[str, str] = {}
    for line in lines:
        requirement, _ = parse(line)
        if requirement.url and not requirement.url.partition("#")[0].partition("?")[0].endswith(".whl"):
            found[canonicalize_name(requirement.name)] = requirement.url
    return found


def held_versions(lines: Sequence[str]) -> list[str]:
    """`name==version` of the requirements as the app's own Python has them."""
    names = sorted({canonicalize_name(parse(line)[0].name) for line in lines})
    return [f"{name}=={held}" for name in names if (held := _held(name)) is not None]


def unmet(lines: Sequence[str]) -> list[str]:
    """The requirements that the app's own Python does not satisfy, for packages that run on it."""
    missing = []
    for line in lines:
        requirement, _ = parse(line)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        held = _held(requirement.name)
        if held is None:
            missing.append(str(requirement))
        elif not requirement.specifier.contains(held, prereleases=True):
            missing.append(f"{requirement} (it has {held})")
    return missing


def _read(path: Path, reading: _Reading, depth: int) -> None:
    if not path.is_file():
        return
    try:
        text = path.read_text("utf-8-sig", errors="replace")
    except OSError as error:
        raise PackageError(f"{path.name} cannot be read: {error.strerror or error}") from error
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        if bare := _COMMENT.sub("", line).strip():
            _read_line(bare, path, reading, depth)


def _read_line(bare: str, path: Path, reading: _Reading, depth: int) -> None:
    def leave_out(why: str) -> None:
        reading.repairs.append(f"{path.name}: left out {one_line(bare, 60)!r}, {why}")
        reading.warnings.append(reading.repairs[-1])

    if (include := _INCLUDE.fullmatch(bare)) is not None:
        other = (path.parent / include[1]).resolve()
        if depth and other.is_relative_to(reading.root.resolve()) and other.is_file():
            _read(other, reading, depth - 1)
        else:
            leave_out("which is no file of the package")
        return
    hashes = [found.group().strip() for found in _HASH.finditer(f" {bare}")]
    try:
        requirement = _requirement(_HASH.sub("", f" {bare}").strip())
    except InvalidRequirement:
        option = bare.startswith("-")
        leave_out("which is an option: pip's own configuration is what counts" if option else "which is no requirement")
        return
    if canonicalize_name(requirement.name) in OURS:
        reading.warnings.append(f"{path.name}: left out {requirement.name}, which cvflow brings itself")
        return
    reading.lines.append(" ".join([str(requirement), *hashes]))


def _requirement(text: str) -> Requirement:
    """A requirement, also one in pip's older words: `git+URL#egg=NAME`, editable or not. Raises InvalidRequirement."""
    editable = _EDITABLE.fullmatch(text)
    place = editable[1] if editable else text
    if _REPOSITORY.fullmatch(place):
        return Requirement(f"{next(_names(place))} @ {place}")
    return Requirement(text)


def _names(place: str) -> Iterator[str]:
    """What a repository's requirement may be called: by its own word, else like the repository."""
    if egg := _EGG.search(place):
        yield egg[1]
    yield place.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2].partition("@")[0].removesuffix(".git")


def family(name: str) -> str:
    """A distribution's name as it is compared; of those that bring the same modules, the one that needs the least of the machine."""
    folded = canonicalize_name(name)
    return next((group[0] for group in _SAME if folded in group), folded)


def _held(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
