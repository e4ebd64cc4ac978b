"""The one shape of an answer. Coordinates are pixels of the picture as displayed (EXIF applied), float, x right, y down."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cvflow.context import Context, current
from cvflow.image import Image


@dataclass(frozen=True)
class Detection:
    """One object of an answer; only what the task has is set."""

    label: str
    score: float | None = None
    """0..1."""
    box: Sequence[float] | None = None
    """x0, y0, x1, y1."""
    polygons: Sequence[Sequence[float]] = ()
    """Rings of x, y, x, y, …"""
    mask: Mapping[str, Any] | None = None
    """COCO run lengths: `{"size": [height, width], "counts": "…"}`."""
    keypoints: Sequence[Sequence[float]] = ()
    """x, y, visible (COCO's 0 absent, 1 hidden, 2 seen; or a score)."""
    text: str | None = None
    embedding: Sequence[float] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Anything else a caller may want, by name; it must be JSON."""

    def as_dict(self) -> dict[str, Any]:
        """The object as JSON. Raises ValueError for a box that is not four finite numbers in order."""
        told: dict[str, Any] = dict(self.extra)
        told["label"] = self.label
        if self.score is not None:
            told["score"] = round(float(self.score), 4)
        if self.box is not None:
            told["box"] = _box(self.box)
        if len(self.polygons):
            told["polygons"] = [_numbers(ring) for ring in self.polygons]
        if self.mask is not None:
            told["mask"] = dict(self.mask)
        if len(self.keypoints):
            told["keypoints"] = [_numbers(point) for point in self.keypoints]
        if self.text is not None:
            told["text"] = self.text
        if len(self.embedding):
            told["embedding"] = [float(value) for value in self.embedding]
        return told


def result(
    image: Image | tuple[int, int],
    *,
    objects: Iterable[Detection | Mapping[str, Any]] | None = None,
    classes: Mapping[str, float] | None = None,
    caption: str | None = None,
    embedding: Sequence[float] | None = None,
    context: Context | None = None,
) -> dict[str, Any]:
    """An answer for `image` (or its displayed width and height): task, model, picture size and what was given.

    `classes` is label -> score, sorted by score in the answer. Raises ValueError where a box or a number can't be JSON.
    """
    told = context if context is not None else current()
    width, height = image.size if isinstance(image, Image) else image
    answer: dict[str, Any] = {
        "task": told.task,
        "model": {
            "package": told.package,
            "version": told.version,
            "checkpoint": told.checkpoint.name if told.checkpoint is not None else None,
        },
        "image": {"width": int(width), "height": int(height)},
    }
    if objects is not None:
        answer["objects"] = [item.as_dict() if isinstance(item, Detection) else dict(item) for item in objects]
    if classes is not None:
        ranked = sorted(classes.items(), key=lambda pair: -pair[1])
        answer["classes"] = [{"label": label, "score": round(float(score), 4)} for label, score in ranked]
    if caption is not None:
        answer["caption"] = caption
    if embedding is not None:
        answer["embedding"] = [float(value) for value in embedding]
    return answer


def _numbers(values: Sequence[float]) -> list[float]:
    numbers = [round(float(value), 2) for value in values]
    if not all(math.isfinite(value) for value in numbers):
        raise ValueError(f"a coordinate is not a finite number: {numbers}")
    return numbers


def _box(box: Sequence[float]) -> list[float]:
    numbers = _numbers(box)
    if len(numbers) != 4 or numbers[0] > numbers[2] or numbers[1] > numbers[3]:
        raise ValueError(f"a box is x0, y0, x1, y1 with x0 <= x1 and y0 <= y1, not {numbers}")
    return numbers
