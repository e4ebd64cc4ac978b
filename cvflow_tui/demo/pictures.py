"""The demo's photographs: found where scikit-image is installed, with our own boxes for each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cvflow_tui.model.errors import NotFoundError
from cvflow_tui.model.geometry import Box


@dataclass(frozen=True, slots=True)
class Thing:
    """An object that is on a photograph; the box in pixels as displayed."""

    label: str
    box: Box


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph, who made it, and what is on it."""

    path: Path
    credit: str
    things: tuple[Thing, ...]


@lru_cache(maxsize=1)
def _truth() -> dict[str, object]:
    return tomllib.loads(Path(__file__).with_name("truth.toml").read_text("utf-8"))


def labels() -> tuple[str, ...]:
    """The demo project's labels, in the order of their keys."""
    return tuple(str(label) for label in _list("labels"))


def photographs() -> tuple[Photograph, ...]:
    """Every photograph of the demo. Raises NotFoundError where scikit-image is not installed or ships one no more."""
    folder = _folder()
    found = []
    for entry in _list("pictures"):
        path = folder / entry["file"]
        if not path.is_file():
            raise NotFoundError(f"{path}: this release of scikit-image does not ship the demo's photograph; pip install 'cvflow[demo]'")
        things = tuple(Thing(each["label"], Box(*(float(value) for value in each["box"]))) for each in entry["objects"])
        found.append(Photograph(path, entry["credit"], things))
    return tuple(found)


def credit() -> str:
    """Where the photographs come from, in one paragraph."""
    each = "; ".join(f"{entry['file']}: {entry['credit']}" for entry in _list("pictures"))
    return f"Photographs installed with scikit-image, used where they lie. {each}. Boxes by the authors of cvflow."


def _list(name: str) -> list[Any]:
    value = _truth()[name]
    assert isinstance(value, list)
    return value


def _folder() -> Path:
    # finds the folder without importing scikit-image, which would bring scipy with it
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise NotFoundError("the demo's photographs come with scikit-image, which is not installed: pip install 'cvflow[demo]'")
    return Path(next(iter(spec.submodule_search_locations))) / "data"
