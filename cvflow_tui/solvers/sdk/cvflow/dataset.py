"""What `train` is handed: annotated pictures, split into those to learn from and those to measure on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cvflow.errors import InputError
from cvflow.image import Image

Box = tuple[float, float, float, float]


class Target(NamedTuple):
    """A true object: `label, box = target`. The box is x0, y0, x1, y1 in pixels of the picture as displayed."""

    label: str
    box: Box


@dataclass(frozen=True)
class Item:
    """An annotated picture; without objects it was confirmed to be empty."""

    path: Path
    sha256: str
    """Digest of the file: what to key caches by."""
    objects: tuple[Target, ...]
    width: int = 0
    """Of the picture as displayed; 0 where the dataset does not tell."""
    height: int = 0

    @property
    def image(self) -> Image:
        """The picture, as `infer` would be handed it."""
        return Image(self.path, name=self.path.name)


@dataclass(frozen=True)
class Dataset:
    """A dataset folder, read."""

    labels: tuple[str, ...]
    items: tuple[Item, ...]
    """To learn from."""
    held_back: tuple[Item, ...]
    """To measure on; never learn from these."""
    cache: Path
    """A folder that outlives the round: what is costly and depends on a picture only is worth keeping here. Made when first asked for."""

    @classmethod
    def load(cls, folder: Path) -> Dataset:
        """Read `folder/dataset.json`. Raises InputError, naming file and field, for anything that is not as it should be."""
        file = Path(folder) / "dataset.json"
        try:
            told = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{file} can't be read as a dataset: {error}") from error
        if not isinstance(told, Mapping):
            raise InputError(f"{file} is no dataset: it must be an object with labels, cache and items")
        labels = _labels(told.get("labels"), file)
        items: list[Item] = []
        held_back: list[Item] = []
        for number, entry in enumerate(_list(told.get("items"), f"{file}: items")):
            where = f"{file}: items[{number}]"
            if not isinstance(entry, Mapping):
                raise InputError(f"{where} must be an object")
            split = entry.get("split", "train")
            if split not in ("train", "held_back"):
                raise InputError(f"{where}.split must be train or held_back, not {split!r}")
            (items if split == "train" else held_back).append(_item(entry, labels, Path(folder), where))
        cache = told.get("cache")
        return cls(labels, tuple(items), tuple(held_back), Path(folder) / (cache if isinstance(cache, str) and cache else "cache"))


def _labels(value: Any, file: Path) -> tuple[str, ...]:
    labels = tuple(_list(value, f"{file}: labels"))
    if not labels or not all(isinstance(label, str) and label for label in labels):
        raise InputError(f"{file}: labels must be a list of at least one name")
    if len(set(labels)) != len(labels):
        raise InputError(f"{file}: labels names a label twice")
    return labels


def _item(entry: Mapping[str, Any], labels: tuple[str, ...], folder: Path, where: str) -> Item:
    path, digest = entry.get("path"), entry.get("sha256")
    if not isinstance(path, str) or not path:
        raise InputError(f"{where}.path must name a picture")
    if not isinstance(digest, str) or not digest or not digest.isalnum():
        raise InputError(f"{where}.sha256 must be the picture's digest")
    objects = tuple(
        _target(told, labels, f"{where}.objects[{index}]") for index, told in enumerate(_list(entry.get("objects"), f"{where}.objects"))
    )
    return Item(folder / path, digest, objects, int(entry.get("width") or 0), int(entry.get("height") or 0))


def _target(told: Any, labels: tuple[str, ...], where: str) -> Target:
    if not isinstance(told, Mapping):
        raise InputError(f"{where} must be an object with label and box")
    label, box = told.get("label"), told.get("box")
    if label not in labels:
        raise InputError(f"{where}.label is {label!r}, which is not among the labels")
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(value, (int, float)) and math.isfinite(value) for value in box):
        raise InputError(f"{where}.box must be four finite numbers x0, y0, x1, y1")
    x0, y0, x1, y1 = (float(value) for value in box)
    return Target(label, (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))


def _list(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InputError(f"{where} must be a list")
    return value
