"""What a package says of itself: `cvpm.toml` (or `aid.toml`), its weights and its requirements, read and checked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cvflow_tui.backend.packages.toml_file import read_toml
from cvflow_tui.model.errors import PackageError
from cvflow_tui.model.names import NAME
from cvflow_tui.model.results import TASKS
from cvflow_tui.model.text import one_line

MANIFESTS = ("cvpm.toml", "aid.toml")
"""File names of a manifest, the preferred one first."""

MOST_SOLVERS = 256
"""Of one package; each is read, shown and imported."""

NO_VERSION = "0"
"""The version of a package that names none (the original ones never did)."""

ADAPTERS = (
    *("caption", "cxcywh", "detections", "embedding", "interface", "keypoints", "labels", "mask"),
    *("top-right-bottom-left", "xywh", "xyxy", "yxyx"),
)
"""What `result` may name (the worker has them: `cvflow_worker/adapters.py`)."""

NORMALIZED = "-normalized"
"""Ends an adapter's name where boxes and points are shares of the picture."""

NAME_LIMIT = 100

T = TypeVar("T", bound=BaseModel)
_CLASS_PATH = re.compile(r"(?:[A-Za-z_][\w-]*/)+[A-Za-z_]\w*", re.ASCII)
_FILE_NAME = re.compile(r"[^\W_][^/\\\x00-\x1f\x7f-\x9f]*|_[^/\\\x00-\x1f\x7f-\x9f]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_name(value: str) -> str:
    """The name, case-folded. Raises ValueError for one that is no name (also for one with `..` in it)."""
    folded = value.lower()
    if not NAME.fullmatch(folded) or ".." in folded or len(folded) > NAME_LIMIT:
        raise ValueError(f"{one_line(value, 60)!r} is not a name: use letters, digits, '.', '_' and '-', beginning with a letter or digit")
    return folded


def _solver_name(value: str) -> str:
    check_name(value)
    return value


def _version(value: str) -> str:
    try:
        return str(Version(value))
    except InvalidVersion:
        raise ValueError(f"{one_line(value, 60)!r} is not a version: write it like '1.0.0' (PEP 440)") from None


def _specifier(value: str) -> str:
    try:
        return str(SpecifierSet(value))
    except InvalidSpecifier:
        raise ValueError(f"{one_line(value, 60)!r} is not a range of Python versions: write it like '>=3.9'") from None


def _class_path(value: str) -> str:
    if not _CLASS_PATH.fullmatch(value):
        raise ValueError(f"{one_line(value, 60)!r} is not a class path: write it as 'folder/file/Class'")
    return value


def _task(value: str) -> str:
    if value not in TASKS:
        raise ValueError(f"{one_line(value, 60)!r} is not a task: use one of {', '.join(TASKS)}")
    return value


def _adapter(value: str) -> str:
    if value.removesuffix(NORMALIZED) not in ADAPTERS:
        known = ", ".join(ADAPTERS)
        raise ValueError(
            f"{one_line(value, 60)!r} is no adapter of results: use one of {known}; add {NORMALIZED!r} for shares of the picture"
        )
    return value


def _file_name(value: str) -> str:
    if not _FILE_NAME.fullmatch(value) or len(value) > 200:
        raise ValueError(f"{one_line(value, 60)!r} is not a file name: use a plain name without slashes")
    return value


def _sha256(value: str) -> str:
    if not _SHA256.fullmatch(value.lower()):
        raise ValueError(f"{one_line(value, 70)!r} is not a sha256: write its 64 hexadecimal digits")
    return value.lower()


def _text(value: Any) -> Any:
    # The original manifests leave such fields out, or empty.
    return "" if value is None else value


def _vendor(value: Any) -> Any:
    return None if value == "" else value


Name = Annotated[str, AfterValidator(check_name)]


class PackageTable(BaseModel):
    """`[package]`. Unknown keys are kept in `model_extra`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Name
    vendor: Annotated[Name | None, BeforeValidator(_vendor)] = None
    version: Annotated[str, AfterValidator(_version)] = NO_VERSION
    tagline: Annotated[str, BeforeValidator(_text)] = ""
    description: Annotated[str, BeforeValidator(_text)] = ""
    license: Annotated[str, BeforeValidator(_text)] = ""
    python: Annotated[str, AfterValidator(_specifier)] | None = None
    environment: Literal["venv", "host"] = "venv"


class SolverTable(BaseModel):
    """One of `[[solvers]]`."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    name: Annotated[str, AfterValidator(_solver_name)]
    class_path: Annotated[str, AfterValidator(_class_path)] = Field(alias="class")
    task: Annotated[str, AfterValidator(_task)] = "other"
    labels: list[str] | str | None = None
    """The labels, or the file that holds them (one a line), relative to the package."""
    batch: int = Field(default=1, ge=1, le=4096)
    result: Annotated[str, AfterValidator(_adapter)] | None = None
    """Name of the adapter that turns what the solver returns into the common shape."""


class ModelTable(BaseModel):
    """One of `[[models]]`: a weight file and where it comes from."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Annotated[str, AfterValidator(_file_name)]
    url: str = Field(min_length=1)
    sha256: Annotated[str, AfterValidator(_sha256)] | None = None
    size: int | None = Field(default=None, ge=0)
    """Bytes, where the author says so: the source itself may not tell."""
    mirrors: list[str] = []
    """Further addresses (`https:`, `file:`) of the same file, tried in this order where `url` does not deliver."""
    file: Annotated[str, AfterValidator(_file_name)] | None = None
    """A further name under which the solver looks for it in `pretrained/`."""


class Manifest(BaseModel):
    """A manifest file."""

    model_config = ConfigDict(extra="allow", frozen=True)

    package: PackageTable
    solvers: list[SolverTable] = Field(min_length=1, max_length=MOST_SOLVERS)
    models: list[ModelTable] = []

    @model_validator(mode="after")
    def _distinct(self) -> Manifest:
        for what, names in (("solvers", [solver.name for solver in self.solvers]), ("models", [model.name for model in self.models])):
            folded = [name.lower() for name in names]
            if twice := next((name for name in names if folded.count(name.lower()) > 1), None):
                raise ValueError(f"{what}: {twice!r} is there twice: give each a name of its own")
        return self


class _Weights(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    models: list[ModelTable] = []


_KINDS = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}
_EXAMPLES = {
    "package": "a [package] table",
    "solvers": "a [[solvers]] table",
    "name": 'name = "…"',
    "class": 'class = "folder/file/Class"',
    "url": 'url = "…"',
}


def find_manifest(root: Path) -> Path | None:
    """The manifest of a folder, or None. Of two, one that is empty stands back."""
    there = [root / name for name in MANIFESTS if (root / name).is_file()]
    return next((path for path in there if path.stat().st_size), there[0] if there else None)


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest. Raises PackageError that names the file and the line or the field, and the mend."""
    return check_manifest(read_toml(path), path.name)


def check_manifest(tables: dict[str, Any], shown: str) -> Manifest:
    """A manifest of the tables of the file `shown`. Raises PackageError as `read_manifest` does."""
    if not tables:
        raise PackageError(f"{shown} is empty: a manifest needs a [package] table and a [[solvers]] table")
    return _checked(Manifest, tables, shown)


def check_weights(tables: dict[str, Any], shown: str) -> list[ModelTable]:
    """The `[[models]]` of the tables of a `pretrained.toml`. Raises PackageError as `read_manifest` does."""
    return _checked(_Weights, tables, shown).models


def _checked(kind: type[T], tables: dict[str, Any], shown: str) -> T:
    try:
        return kind.model_validate(tables)
    except ValidationError as error:
        raise PackageError(f"{shown}: {_first(error)}") from error


def complaints(error: ValidationError) -> list[tuple[tuple[str | int, ...], str]]:
    """Every complaint: the path of its field (empty: the whole file), and what is wrong with the mend."""
    found = []
    for told in error.errors(include_url=False):
        # Union members (list | str) add their type to the location; a field's path has none of these words.
        field = tuple(part for part in told["loc"] if part not in ("list[str]", "str"))
        found.append((field, _reason(told, str(field[-1]) if field else "")))
    return found


def _first(error: ValidationError) -> str:
    """The first complaint as one line: field, what is wrong, mend."""
    (words, reason), *others = complaints(error)
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in words).lstrip(".")
    more = f" (and {len(others)} more)" if others else ""
    return f"{field}: {reason}{more}" if field else f"{reason}{more}"


def _reason(told: Any, leaf: str) -> str:
    kind, message = told["type"], str(told["msg"])
    if kind == "missing":
        return f"is missing: add {_EXAMPLES.get(leaf, leaf)}"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind in _KINDS:
        return f"is {one_line(repr(told['input']), 40)}: it must be {_KINDS[kind]}"
    if kind == "too_short":
        return f"is empty: add {_EXAMPLES.get(leaf, 'an entry')}"
    if kind == "too_long":
        return f"has more than {told['ctx']['max_length']} entries"
    return f"is {one_line(repr(told['input']), 40)}: {message[:1].lower()}{message[1:]}"
