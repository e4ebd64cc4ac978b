"""The manifest: everything that is wrong with it at once, each with its line and its field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from cvflow_tui.backend.packages.manifest import NO_VERSION, Manifest, complaints, find_manifest
from cvflow_tui.backend.packages.repair import repair_manifest
from cvflow_tui.backend.packages.toml_file import read_toml
from cvflow_tui.backend.packages.unknown_keys import path_words, unknown_keys
from cvflow_tui.model.authoring import Finding, Level
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.text import one_line

Field = tuple[str | int, ...]

_ORIGINAL = frozenset({"gpu", "before_install", "avatar", "author", "homepage"})
"""Keys that packages of the original generations have."""

_TABLES = re.compile(r"\s*\[\[\s*([\w.-]+)\s*\]\]")
_TABLE = re.compile(r"\s*\[\s*([\w.-]+)\s*\]")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*=""")


def manifest_findings(root: Path) -> list[Finding]:
    """What is wrong with a folder's manifest; a fault among them means that it cannot be read as one."""
    path = find_manifest(root)
    if path is None:
        return [Finding(Level.FAULT, "manifest", "there is no cvpm.toml in the folder", "cvflow new NAME writes one to begin with")]
    repairs: list[str] = []
    try:
        tables, repairs = repair_manifest(read_toml(path))
        manifest = Manifest.model_validate(tables)
    except PackageError as error:
        return [Finding(Level.FAULT, "manifest", error.message)]
    except ValidationError as error:
        lines = lines_of(path)
        told = complaints(error)
        faults = [Finding(Level.FAULT, "manifest", message, where=place_of(path.name, field, lines)) for field, message in told]
        # Of a manifest that can be read, its package tells what was mended.
        return faults + [Finding(Level.WARNING, "manifest", one_line(repair, 400), where=path.name) for repair in repairs]
    return [*_unknown(path, manifest), *_poor(path, manifest)]


def lines_of(path: Path) -> dict[Field, int]:
    """Where each table and key of a TOML file stands: `("solvers", 0, "task")` → line. Read by eye, as it were: no parser tells."""
    found: dict[Field, int] = {}
    here: Field = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(path.read_text("utf-8-sig", errors="replace").splitlines(), 1):
        if told := _TABLES.match(line):
            counts[told[1]] = counts.get(told[1], -1) + 1
            here = (told[1], counts[told[1]])
            found.setdefault((told[1],), number)
            found[here] = number
        elif told := _TABLE.match(line):
            here = tuple(told[1].split("."))
            found.setdefault(here, number)
        elif told := _KEY.match(line):
            found.setdefault((*here, told[1]), number)
    return found


def place_of(file: str, field: Sequence[str | int], lines: dict[Field, int]) -> str:
    """`cvpm.toml:12 solvers[0].task`: the line of the field, or of the table it belongs to."""
    whole = tuple(field)
    line = next((lines[whole[:end]] for end in range(len(whole), 0, -1) if whole[:end] in lines), None)
    return one_line(" ".join(filter(None, [f"{file}:{line}" if line else file, path_words(whole)])))


def _unknown(path: Path, manifest: Manifest) -> Iterator[Finding]:
    lines = lines_of(path)
    for field, meant in unknown_keys(manifest):
        key, where = str(field[-1]), place_of(path.name, field, lines)
        shown = repr(one_line(key, 40))
        if meant is not None:
            yield Finding(Level.WARNING, "manifest", f"{shown} means nothing here", f"is {meant!r} meant?", where)
        elif key not in _ORIGINAL:
            yield Finding(Level.NOTE, "manifest", f"{shown} is kept and means nothing to cvflow", where=where)


def _poor(path: Path, manifest: Manifest) -> Iterator[Finding]:
    """What a user of the package would miss."""
    table = manifest.package
    if table.version == NO_VERSION:
        yield Finding(Level.WARNING, "manifest", "it has no version", 'add version = "0.1.0" to [package]', path.name)
    if not table.license:
        yield Finding(Level.WARNING, "manifest", "it names no licence: nobody may use it", 'add license = "…" to [package]', path.name)
    if not table.tagline:
        yield Finding(Level.NOTE, "manifest", "it has no tagline for the hub's list", 'add tagline = "…" to [package]', path.name)
    if not any(entry.name.lower().partition(".")[0] == "readme" for entry in path.parent.iterdir()):
        yield Finding(
            Level.WARNING, "manifest", "there is no README", "add README.md: what it is, for what it is not good, what was measured"
        )
