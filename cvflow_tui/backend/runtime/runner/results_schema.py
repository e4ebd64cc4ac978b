"""The one result shape as JSON Schema (DESIGN.md, "Result"): what a solver of a task answers with."""

from __future__ import annotations

from typing import Any

_NUMBERS = {"type": "array", "items": {"type": "number"}}
_SCORE = {"type": ["number", "null"], "description": "How sure the solver is, 0 to 1"}

OBJECT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "label": {"type": "string"},
        "score": _SCORE,
        "box": {
            "type": "array",
            "items": {"type": ["number", "null"]},
            "description": "x0, y0, x1, y1 in pixels of the picture as displayed",
        },
        "polygons": {"type": "array", "items": _NUMBERS, "description": "Rings of x, y, x, y, …"},
        "mask": {
            "type": "object",
            "description": "COCO's run lengths",
            "properties": {"size": {"type": "array", "items": {"type": "integer"}}, "counts": {}},
        },
        "keypoints": {"type": "array", "items": _NUMBERS, "description": "x, y and 0 absent, 1 hidden, 2 seen (or a score)"},
        "text": {"type": "string"},
        "embedding": _NUMBERS,
    },
}
_CLASSES = {
    "type": "array",
    "items": {"type": "object", "properties": {"label": {"type": "string"}, "score": {"type": "number"}}},
}
_FIELDS: dict[str, dict[str, Any]] = {
    "objects": {"type": "array", "items": {"$ref": "#/components/schemas/Object"}},
    "classes": _CLASSES,
    "caption": {"type": "string"},
    "embedding": _NUMBERS,
}
_OF_TASK = {
    "object-detection": "objects",
    "instance-segmentation": "objects",
    "keypoint-detection": "objects",
    "text-recognition": "objects",
    "image-classification": "classes",
    "image-captioning": "caption",
    "embedding": "embedding",
}


def result_schema(task: str) -> dict[str, Any]:
    """What a solver of a task answers with. A solver may answer in a shape of its own, so that nothing is required but what we add."""
    usual = _OF_TASK.get(task)
    if usual is None:
        return {"description": "Whatever the solver returns"}
    return {
        "description": f"The answer of a solver of task {task}; `{usual}` is what it is asked for",
        "type": ["object", "array", "string", "number", "boolean", "null"],
        "properties": {
            "task": {"type": "string"},
            "model": {
                "type": "object",
                "properties": {name: {"type": ["string", "null"]} for name in ("package", "version", "checkpoint")},
            },
            "image": {"type": "object", "properties": {"width": {"type": "integer"}, "height": {"type": "integer"}}},
            **_FIELDS,
        },
    }
