"""What a solver returns: one shape for every task (DESIGN.md, "Result")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cvflow_tui.model.geometry import Box, Size

T = TypeVar("T")

TASKS = (
    "object-detection",
    "instance-segmentation",
    "image-classification",
    "keypoint-detection",
    "image-captioning",
    "embedding",
    "text-recognition",
    "other",
)


@dataclass(frozen=True, slots=True)
class Keypoint:
    """A landmark in picture pixels; `visible` is COCO's flag (0 absent, 1 hidden, 2 seen) or a score."""

    x: float
    y: float
    visible: float = 2.0


@dataclass(frozen=True, slots=True)
class DetectedObject:
    """One object of a result. Only what the task has is set."""

    label: str
    score: float | None = None
    box: Box | None = None
    keypoints: tuple[Keypoint, ...] = ()
    polygons: tuple[tuple[float, ...], ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True)
class ClassScore:
    """A class of a classification and how sure the solver is of it, 0..1."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which weights spoke: `checkpoint` is the name of a round's checkpoint, or None for the package's own weights."""

    package: str
    version: str
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A solver's answer for one picture. `raw` is the reply as it came, for solvers with a shape of their own."""

    raw: Mapping[str, Any]
    task: str = "other"
    model: ModelRef | None = None
    image: Size | None = None
    objects: tuple[DetectedObject, ...] = ()
    classes: tuple[ClassScore, ...] = ()
    caption: str | None = None
    embedding: tuple[float, ...] = ()


def parse_result(reply: Any) -> Result:
    """Read a runner's JSON reply. Whatever is not of the common shape is kept in `raw` and otherwise left out."""
    if not isinstance(reply, Mapping):
        return Result(raw={"result": reply})
    return Result(
        raw=reply,
        task=str(reply.get("task", "other")),
        model=_model(reply.get("model")),
        image=_size(reply.get("image")),
        objects=_each(_object, reply.get("objects")),
        classes=_each(_class, reply.get("classes")),
        caption=reply["caption"] if isinstance(reply.get("caption"), str) else None,
        embedding=_each(float, reply.get("embedding")),
    )


def _model(told: Any) -> ModelRef | None:
    if not isinstance(told, Mapping):
        return None
    return ModelRef(str(told.get("package", "")), str(told.get("version", "")), told.get("checkpoint"))


def _size(told: Any) -> Size | None:
    if not isinstance(told, Mapping) or not {"width", "height"} <= told.keys():
        return None
    return Size(int(told["width"]), int(told["height"]))


def _class(told: Mapping[str, Any]) -> ClassScore:
    return ClassScore(str(told["label"]), float(told["score"]))


def _each(read: Callable[[Any], T], told: Any) -> tuple[T, ...]:
    """What can be read of a list; an item of another shape stays in `raw` only."""
    found = []
    for item in told if isinstance(told, list) else []:
        try:
            found.append(read(item))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return tuple(found)


def _object(item: Mapping[str, Any]) -> DetectedObject:
    box, score, text = item.get("box"), item.get("score"), item.get("text")
    return DetectedObject(
        label=str(item.get("label", "")),
        score=float(score) if isinstance(score, int | float) else None,
        box=Box(*(float(value) for value in box)) if isinstance(box, list) and len(box) == 4 else None,
        keypoints=tuple(Keypoint(*(float(value) for value in point[:3])) for point in item.get("keypoints") or ()),
        polygons=tuple(tuple(float(value) for value in ring) for ring in item.get("polygons") or ()),
        text=text if isinstance(text, str) else None,
    )
