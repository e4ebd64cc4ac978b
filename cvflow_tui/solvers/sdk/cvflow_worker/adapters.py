"""What solvers of other houses return, made the common result: `result = "NAME"` in the manifest names one of these.

Each takes a (clean) result and what is known of the picture, and returns the fields that it fills; None for a result that is not
in its form, which is then served as it is.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from cvflow_worker.run_lengths import encode

Fields = Optional[Dict[str, Any]]


class Picture(NamedTuple):
    """What an adapter may know."""

    labels: Sequence[str]
    size: Optional[Sequence[int]]
    """Width and height as displayed, where they are known."""

    def label(self, index: Any = 0) -> str:
        """A label by its number, or the text that it is; without labels an object is an `object`."""
        if isinstance(index, str) and index:
            return index
        number = int(index) if isinstance(index, (int, float)) else 0
        return self.labels[number] if 0 <= number < len(self.labels) else str(number) if self.labels else "object"


Adapter = Callable[[Any, Picture], Fields]

WRAPPERS = ("data", "result", "results", "predictions", "prediction", "boxes", "faces", "objects", "detections", "output")
"""Keys under which solvers wrap the one thing that they return."""

NORMALIZED = "-normalized"
"""Ends the name of an adapter whose boxes or points are shares of the picture, 0 to 1."""

_LABEL = ("label", "class", "class_name", "name", "category", "tag")
_SCORE = ("score", "confidence", "probability", "prob", "conf")
_BOX = ("box", "bbox", "rect", "bounding_box")


def adapt(name: str, result: Any, picture: Picture) -> Any:
    """The result as the adapter `name` sees it; itself where it is not in that adapter's form."""
    base = name[: -len(NORMALIZED)] if name.endswith(NORMALIZED) else name
    told = ADAPTERS[base](result, picture)
    if told is None:
        return result
    if base == name:
        return told
    return result if picture.size is None else _scaled(told, picture.size)


def _boxes(order: Callable[[Sequence[float]], Tuple[float, float, float, float]]) -> Adapter:
    """An adapter of lists `[four numbers, score?, class?]`; `order` makes x0, y0, x1, y1 of the four."""

    def adapter(result: Any, picture: Picture) -> Fields:
        rows = _unwrapped(result)
        if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
            return None
        return {"objects": [_object(order(row[:4]), row[4:], picture) for row in rows]}

    return adapter


def _object(box: Tuple[float, float, float, float], more: Sequence[Any], picture: Picture) -> Dict[str, Any]:
    x0, y0, x1, y1 = box
    told: Dict[str, Any] = {"label": picture.label(more[1] if len(more) > 1 else 0)}
    if more and isinstance(more[0], (int, float)):
        told["score"] = more[0]
    told["box"] = [float(min(x0, x1)), float(min(y0, y1)), float(max(x0, x1)), float(max(y0, y1))]
    return told


def _labels(result: Any, picture: Picture) -> Fields:
    """Labels alone, pairs of label and score, objects that name them, or label -> score."""
    told = _unwrapped(result)
    if isinstance(told, dict):
        if not all(_is_number(score) for score in told.values()):
            return None
        classes = [{"label": label, "score": score} for label, score in told.items()]
    elif isinstance(told, list):
        classes = [entry for entry in (_class(each, picture) for each in told) if entry is not None]
        if len(classes) != len(told):
            return None
    else:
        only = _class(told, picture)
        if only is None:
            return None
        classes = [only]
    return {"classes": sorted(classes, key=lambda each: -each.get("score", 0.0))}


def _class(told: Any, picture: Picture) -> Optional[Dict[str, Any]]:
    if isinstance(told, str):
        return {"label": told}
    if isinstance(told, dict):
        label, score = _first(told, _LABEL), _first(told, _SCORE)
        return None if label is None else {"label": picture.label(label), **({"score": score} if _is_number(score) else {})}
    if isinstance(told, list) and len(told) >= 2:
        label, score = (told[0], told[1]) if _is_number(told[1]) else (told[1], told[0])
        return {"label": picture.label(label), "score": score} if _is_number(score) else None
    return {"label": picture.label(told)} if _is_number(told) else None


def _caption(result: Any, picture: Picture) -> Fields:
    told = result
    if isinstance(told, dict):
        told = _first(told, ("caption", "text", "sentence", *WRAPPERS))
    if isinstance(told, list) and told:
        told = told[0] if len(told) == 1 else " ".join(map(str, told))
    return {"caption": told} if isinstance(told, str) else None


def _embedding(result: Any, picture: Picture) -> Fields:
    told = _unwrapped(result)
    while isinstance(told, list) and len(told) == 1 and isinstance(told[0], list):
        told = told[0]
    if not isinstance(told, list) or not told or not all(_is_number(value) for value in told):
        return None
    return {"embedding": [float(value) for value in told]}


def _mask(result: Any, picture: Picture) -> Fields:
    """Rows of pixels: 0 is nothing, any other whole number the class of that number, counted from 1.

    Where there are more values than labels they are shades: what is at least half as bright as the brightest is in.
    """
    rows = _unwrapped(result)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows):
        return None
    if not rows[0] or not all(_is_number(value) for row in rows for value in row):
        return None
    values = sorted({value for row in rows for value in row if value > 0})
    if all(value == int(value) and value <= max(1, len(picture.labels)) for value in values):
        return {"objects": [{"label": picture.label(int(value) - 1), "mask": encode(rows, value)} for value in values]}
    half = values[-1] / 2
    return {"objects": [{"label": picture.label(), "mask": encode([[value >= half for value in row] for row in rows], True)}]}


def _keypoints(result: Any, picture: Picture) -> Fields:
    """For each object a list of points, or the name of a part -> its points."""
    told = _unwrapped(result)
    if not isinstance(told, list):
        return None
    if told and _is_point(told[0]):
        told = [told]
    objects = []
    for each in told:
        parts = list(each.values()) if isinstance(each, dict) else [each]
        points = [point for part in parts for point in part] if all(isinstance(part, list) for part in parts) else None
        if not isinstance(points, list) or not all(_is_point(point) for point in points):
            return None
        objects.append({"label": picture.label(), "keypoints": [[float(point[0]), float(point[1]), 2] for point in points]})
    return {"objects": objects}


def _detections(result: Any, picture: Picture) -> Fields:
    """A list of objects that name their label, score and box (x0, y0, x1, y1) in one of the usual words."""
    told = _unwrapped(result)
    if not isinstance(told, list):
        return None
    objects = []
    for each in told:
        box = _first(each, _BOX) if isinstance(each, dict) else None
        if box is None or not _is_row(box):
            return None
        objects.append(_object(_xyxy(box), [_first(each, _SCORE), picture.label(_first(each, _LABEL) or 0)], picture))
    return {"objects": objects}


def _interface(result: Any, picture: Picture) -> Fields:
    """What `cvpm.interface.ObjectDetectionInterface` holds."""
    told = _unwrapped(result)
    if not isinstance(told, list):
        return None
    objects = []
    for each in told:
        box = [each.get(key) for key in ("x_start", "y_start", "x_stop", "y_stop")] if isinstance(each, dict) else None
        if box is None or not _is_row(box):
            return None
        objects.append(_object(_xyxy(box), [None, each.get("name") or 0], picture))
    return {"objects": objects}


def _xyxy(box: Sequence[Any]) -> Tuple[float, float, float, float]:
    return box[0], box[1], box[2], box[3]


ADAPTERS: Dict[str, Adapter] = {
    "top-right-bottom-left": _boxes(lambda box: (box[3], box[0], box[1], box[2])),
    "xyxy": _boxes(_xyxy),
    "yxyx": _boxes(lambda box: (box[1], box[0], box[3], box[2])),
    "xywh": _boxes(lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])),
    "cxcywh": _boxes(lambda box: (box[0] - box[2] / 2, box[1] - box[3] / 2, box[0] + box[2] / 2, box[1] + box[3] / 2)),
    "detections": _detections,
    "interface": _interface,
    "keypoints": _keypoints,
    "labels": _labels,
    "mask": _mask,
    "caption": _caption,
    "embedding": _embedding,
}


def _scaled(told: Dict[str, Any], size: Sequence[int]) -> Dict[str, Any]:
    """The boxes and points, given as shares of the picture, in pixels."""
    width, height = size[0], size[1]
    objects: List[Dict[str, Any]] = []
    for each in told.get("objects", ()):
        moved = dict(each)
        if "box" in each:
            moved["box"] = [value * (height if index % 2 else width) for index, value in enumerate(each["box"])]
        if "keypoints" in each:
            moved["keypoints"] = [[point[0] * width, point[1] * height, *point[2:]] for point in each["keypoints"]]
        objects.append(moved)
    return {**told, "objects": objects}


def _unwrapped(result: Any) -> Any:
    """The one thing in a result that wraps it; an answer of nothing is a list of nothing."""
    if result is None:
        return []
    if isinstance(result, dict):
        return next((result[key] for key in WRAPPERS if isinstance(result.get(key), (list, dict))), result)
    return result


def _first(told: Dict[str, Any], names: Sequence[str]) -> Any:
    return next((told[name] for name in names if told.get(name) is not None), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_row(value: Any) -> bool:
    return isinstance(value, list) and len(value) >= 4 and all(_is_number(number) for number in value[:4])


def _is_point(value: Any) -> bool:
    return isinstance(value, list) and len(value) >= 2 and _is_number(value[0]) and _is_number(value[1])
