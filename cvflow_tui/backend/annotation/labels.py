"""A project's classes: `labels.toml`, a name and a number each. The number is the class; the order is the keys 1-9."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.private_file import write_private
from cvflow_tui.model.errors import NotFoundError, UsageError
from cvflow_tui.model.text import clean

LONGEST = 200
"""Characters of a label: what the journal's lines and every export format bear."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The classes of a project in their order; class numbers count from 1."""

    names: tuple[str, ...]

    def number(self, name: str) -> int:
        """The number of a class. Raises UsageError for a name that is no class of the project."""
        try:
            return self.names.index(name) + 1
        except ValueError:
            raise UsageError(f"{clean(name)!r} is no class of this project: it has {', '.join(self.names)}") from None

    def name(self, number: int) -> str:
        """The name of a class. Raises UsageError for one that the project has lost."""
        if not 0 < number <= len(self.names):
            raise UsageError(f"class {number} is missing in labels.toml: put it back (it has {', '.join(self.names)})")
        return self.names[number - 1]

    def match(self, name: str) -> str | None:
        """The class that a solver's label means: the same word, whatever the case; None where there is none."""
        wanted = name.strip().casefold()
        return next((label for label in self.names if label.casefold() == wanted), None)


def check_labels(names: Sequence[str]) -> Labels:
    """Classes as a person gave them, spaces around them removed.

    Brackets and other markup are ordinary text. Raises UsageError naming the label that is empty, a double, too long, or holds
    control or escape characters.
    """
    stripped = [name.strip(" \t") for name in names]
    if not stripped:
        raise UsageError("a project needs at least one label: give them as --labels a,b,c")
    for number, name in enumerate(stripped, start=1):
        if not name:
            raise UsageError(f"label {number} is empty: give every class a name")
        if clean(name) != name or any(character in name for character in "\n\t") or not _encodable(name):
            raise UsageError(f"label {number}, {name!a}, holds control or escape characters: use printable text")
        if len(name) > LONGEST:
            raise UsageError(f"label {number}, {name[:20]}…, has {len(name)} characters: {LONGEST} is the most")
    seen: dict[str, str] = {}
    for name in stripped:
        if (other := seen.setdefault(name.casefold(), name)) is not name or stripped.count(name) > 1:
            raise UsageError(
                f"label {name!r} is given twice{'' if other == name else f' (as {other!r} too)'}: every class needs a name of its own"
            )
    return Labels(tuple(stripped))


def save_labels(path: Path, labels: Labels) -> None:
    """Write `labels.toml`, whole or not at all."""
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment("The classes of this project. A class is known by its number; the order is the order of the keys 1-9."))
    classes = tomlkit.aot()
    for number, name in enumerate(labels.names, start=1):
        item = tomlkit.table()
        item.add("name", name)
        item.add("number", number)
        classes.append(item)
    document.add("labels", classes)
    write_private(path, tomlkit.dumps(document))


def load_labels(path: Path) -> Labels:
    """Read `labels.toml`. Raises NotFoundError where it is missing, UsageError naming file and field where it is wrong."""
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} is missing: the project has lost its classes") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error
    entries = told.get("labels")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in entries):
        raise UsageError(f"{path}: field labels must be a list of tables with a name and a number")
    if [entry.get("number") for entry in entries] != list(range(1, len(entries) + 1)):
        raise UsageError(f"{path}: the numbers of the labels must be 1, 2, 3, … in this order")
    try:
        return check_labels([entry["name"] for entry in entries])
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}") from error


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
