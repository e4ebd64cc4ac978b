"""What is known of one picture after the solver saw it, as a line of the partial file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvflow_tui.model.results import Result


@dataclass(frozen=True, slots=True)
class Record:
    """A picture, by its name below the common folder and the stamp of its file; size in pixels as displayed."""

    name: str
    stamp: str
    width: int = 0
    height: int = 0
    objects: tuple[dict[str, Any], ...] = ()
    """`label`, `score`, `box` [x0, y0, x1, y1], and `polygons` or `mask` where the solver gave them."""
    error: str | None = None
    """Why it could not be labelled: one line."""

    def to_line(self) -> str:
        """One line of JSON, with its newline."""
        told = [self.name, self.stamp, self.width, self.height, list(self.objects), self.error]
        return json.dumps(told, separators=(",", ":")) + "\n"

    @classmethod
    def from_line(cls, line: bytes) -> Record | None:
        """The record of a line; None for one that is cut off or is something else."""
        try:
            name, stamp, width, height, objects, error = json.loads(line)
            return cls(str(name), str(stamp), int(width), int(height), tuple(dict(each) for each in objects), error)
        except (ValueError, TypeError):
            return None


def record_of(name: str, stamp: str, result: Result, threshold: float) -> Record:
    """What COCO can hold of a result: objects with a box that score at least `threshold` (or have no score)."""
    kept: list[dict[str, Any]] = []
    raw = result.raw.get("objects")
    for position, each in enumerate(result.objects):
        if each.box is None or not each.box.is_finite or (each.score is not None and each.score < threshold):
            continue
        told: dict[str, Any] = {"label": each.label, "score": each.score, "box": list(each.box.corners)}
        if each.polygons:
            told["polygons"] = [list(ring) for ring in each.polygons]
        elif isinstance(raw, list) and len(raw) == len(result.objects) and raw[position].get("mask"):
            told["mask"] = raw[position]["mask"]
        kept.append(told)
    size = result.image
    return Record(name, stamp, size.width if size else 0, size.height if size else 0, tuple(kept))
