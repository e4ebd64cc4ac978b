"""The formats by name. One file each, with a `load` and a `save`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cvflow_tui.backend.datasets.formats import coco
from cvflow_tui.backend.datasets.records import Dataset, LabelledPicture, Written
from cvflow_tui.model.errors import UsageError
from cvflow_tui.model.text import clean

Save = Callable[[Path, tuple[str, ...], Iterable[LabelledPicture], Mapping[str, object]], Written]
"""`save(out, labels, pictures, info)`: writes `out` whole or not at all; pictures are taken one at a time."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format: how it is read, how it is written, and how its files end."""

    name: str
    ending: str
    load: Callable[[Path], Dataset]
    save: Save


FORMATS = {"coco": Format("coco", ".json", coco.load, coco.save)}


def format_named(name: str) -> Format:
    """A format by its name. Raises UsageError naming those that there are."""
    try:
        return FORMATS[name.lower()]
    except KeyError:
        raise UsageError(f"format {clean(name)!r} is not known: there is {', '.join(sorted(FORMATS))}") from None
