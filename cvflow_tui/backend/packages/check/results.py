"""Whether an answer is of the one shape: the right keys for its task, boxes inside the picture, known labels, scores from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cvflow_tui.model.authoring import Finding, Level
from cvflow_tui.model.geometry import Size
from cvflow_tui.model.text import one_line

KEYS = {
    "object-detection": "objects",
    "instance-segmentation": "objects",
    "keypoint-detection": "objects",
    "text-recognition": "objects",
    "image-classification": "classes",
    "image-captioning": "caption",
    "embedding": "embedding",
}
"""Task → what its answers must have."""

NEEDED = {
    "object-detection": ("box",),
    "instance-segmentation": ("polygons", "mask"),
    "keypoint-detection": ("keypoints",),
    "text-recognition": ("text",),
}
"""Task → what each object must have, one of them at least."""

SLACK = 0.5
"""Pixels by which a coordinate may lie outside: rounding."""

Complaint = tuple[str, str]
"""What is wrong, and the mend."""


def result_findings(result: Any, task: str, labels: Sequence[str], size: Size, where: str) -> list[Finding]:
    """What is wrong with an answer for a picture of `size`."""
    if task == "other":
        return []
    key = KEYS[task]
    if not isinstance(result, Mapping) or not set(KEYS.values()) & result.keys():
        message = f"it answers with {_kind(result)}, not the common shape: served as it is, it can suggest nothing"
        return [Finding(Level.WARNING, "result", message, f"return self.result(image, {key}=…)", where)]
    if result.get(key) is None:
        return [Finding(Level.FAULT, "result", f"the task is {task}, and the answer has no {key!r}", f"give self.result {key}=…", where)]
    found = [Finding(Level.FAULT, "result", message, mend, where) for message, mend in _whole(result, task, size)]
    value = result[key]
    if key == "objects":
        found += _objects(value, task, labels, size, where)
    elif key == "classes":
        found += _counted((_class(told, labels) for told in _list(value)), len(_list(value)), "classes", where)
    elif key == "caption" and not (isinstance(value, str) and value.strip()):
        found.append(Finding(Level.FAULT, "result", "the caption is empty", "say something, or leave the key out", where))
    elif key == "embedding":
        found += _embedding(value, where)
    return found


def _whole(result: Mapping[str, Any], task: str, size: Size) -> Iterator[Complaint]:
    if result.get("task") != task:
        yield f"the answer says task {one_line(str(result.get('task')), 30)!r}, the manifest {task!r}", "let self.result fill it in"
    told = result.get("image")
    if isinstance(told, Mapping) and (told.get("width"), told.get("height")) != (size.width, size.height):
        shown = f"{told.get('width')}x{told.get('height')}"
        yield (
            f"the answer is for a picture of {one_line(shown, 30)}, it was {size.width}x{size.height} as displayed",
            "open it with image.open(), which turns it as EXIF says",
        )


def _objects(value: Any, task: str, labels: Sequence[str], size: Size, where: str) -> list[Finding]:
    objects = _list(value)
    if not isinstance(value, list):
        return [Finding(Level.FAULT, "result", "'objects' is not a list", "give self.result a list of cvflow.Detection", where)]
    if not objects:
        mend = "give --picture one that shows what it finds"
        return [Finding(Level.NOTE, "result", "it found nothing in this picture: of its objects nothing could be checked", mend, where)]
    return _counted((_object(told, task, labels, size) for told in objects), len(objects), "objects", where)


def _counted(complaints: Iterable[Mapping[str, Complaint]], total: int, what: str, where: str) -> list[Finding]:
    """Each complaint once, with how many objects it holds for."""
    counts: dict[tuple[str, str], int] = {}
    shown: dict[tuple[str, str], str] = {}
    for told in complaints:
        for kind, (message, mend) in told.items():
            counts[kind, mend] = counts.get((kind, mend), 0) + 1
            shown.setdefault((kind, mend), message)
    return [
        Finding(Level.FAULT, "result", f"{shown[key]} ({count} of {total} {what})", key[1], where) for key, count in sorted(counts.items())
    ]


def _object(told: Any, task: str, labels: Sequence[str], size: Size) -> dict[str, Complaint]:
    """Complaints about one object, by kind."""
    if not isinstance(told, Mapping):
        return {"kind": (f"an object is {_kind(told)}", "give self.result a list of cvflow.Detection")}
    found: dict[str, Complaint] = _class(told, labels, score_needed=False)
    if (box := told.get("box")) is not None and (complaint := _box(box, size)):
        found["box"] = complaint
    needed = NEEDED[task]
    if all(not told.get(name) and told.get(name) != "" for name in needed):
        found["needed"] = (f"an object has no {' or '.join(needed)}, which {task} is about", f"give cvflow.Detection {needed[0]}=…")
    for ring in _list(told.get("polygons")):
        if not _numbers(ring) or len(ring) < 6 or len(ring) % 2 or not _inside(list(zip(ring[::2], ring[1::2], strict=False)), size):
            found["polygons"] = ("a polygon is no ring of x, y, x, y, … inside the picture", "give at least three points, in pixels")
    for point in _list(told.get("keypoints")):
        if not _numbers(point) or len(point) != 3 or (point[2] and not _inside([(point[0], point[1])], size)):
            found["keypoints"] = ("a keypoint is not x, y, visible inside the picture", "one that is not seen has visible 0")
    if (mask := told.get("mask")) is not None and (complaint := _mask(mask, size)):
        found["mask"] = complaint
    return found


def _class(told: Any, labels: Sequence[str], *, score_needed: bool = True) -> dict[str, Complaint]:
    if not isinstance(told, Mapping):
        return {"kind": (f"an entry is {_kind(told)}", "give self.result classes={label: score}")}
    found: dict[str, Complaint] = {}
    label, score = told.get("label"), told.get("score")
    if not isinstance(label, str) or not label:
        found["label"] = ("one has no label", "give each a label of the manifest")
    elif labels and label not in labels:
        found["label"] = (f"the label {one_line(label, 40)!r} is not among the manifest's", "add it there, or give one that is")
    if score is None and ("score" in told or score_needed):
        found["score"] = ("a score is no number (NaN?)", "give a score from 0 to 1")
    elif score is not None and not (_numbers([score]) and 0 <= score <= 1):
        found["score"] = (f"the score {one_line(str(score), 20)} is not from 0 to 1", "scale it")
    return found


def _box(box: Any, size: Size) -> Complaint | None:
    if not _numbers(box) or len(box) != 4:
        return f"a box is {one_line(str(box), 40)}, not four numbers", "give x0, y0, x1, y1 in pixels"
    x0, y0, x1, y1 = box
    if x0 > x1 or y0 > y1:
        return f"the box {one_line(str(box), 60)} is inside out", "give x0, y0, x1, y1 (corners, not a corner with width and height)"
    if not _inside([(x0, y0), (x1, y1)], size):
        return f"the box {one_line(str(box), 60)} leaves the picture of {size.width}x{size.height}", "clip it, in pixels as displayed"
    if max(box) <= 1 and min(size.width, size.height) > 8:
        return f"the box {one_line(str(box), 60)} looks like shares of the picture", "give pixels: multiply by width and height"
    return None


def _mask(mask: Any, size: Size) -> Complaint | None:
    if not isinstance(mask, Mapping) or mask.get("size") != [size.height, size.width]:
        return f"a mask is not of the picture's size [{size.height}, {size.width}]", "give COCO run lengths with size [height, width]"
    runs = _runs(mask.get("counts"))
    if runs is None or sum(runs) != size.width * size.height or min(runs, default=0) < 0:
        return "a mask's run lengths do not add up to the picture", "count down the columns, background first"
    return None


def _runs(counts: Any) -> list[int] | None:
    """COCO's run lengths, as a list or packed into text; None where they are neither."""
    if isinstance(counts, list):
        return [int(run) for run in counts] if _numbers(counts) else None
    if not isinstance(counts, str):
        return None
    runs: list[int] = []
    number = shift = 0
    for letter in counts:
        piece = ord(letter) - 48
        if not 0 <= piece < 64:
            return None
        number |= (piece & 0x1F) << shift
        shift += 5
        if not piece & 0x20:
            if piece & 0x10:
                number -= 1 << shift
            runs.append(number + (runs[-2] if len(runs) > 2 else 0))
            number = shift = 0
    return runs


def _embedding(value: Any, where: str) -> Iterator[Finding]:
    if not isinstance(value, list) or not _numbers(value):
        yield Finding(Level.FAULT, "result", "the embedding is no list of numbers (NaN?)", "give self.result embedding=[…]", where)
    elif not value:
        yield Finding(Level.NOTE, "result", "the embedding is empty for this picture", "give --picture one that has what it encodes", where)
    elif not any(value):
        yield Finding(Level.WARNING, "result", "all numbers of the embedding are 0", "", where)


def _numbers(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) for value in values
    )


def _inside(points: Sequence[tuple[float, float]], size: Size) -> bool:
    return all(-SLACK <= x <= size.width + SLACK and -SLACK <= y <= size.height + SLACK for x, y in points)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return f"the keys {one_line(', '.join(map(str, value)), 60) or '(none)'}"
    return {"str": "text", "int": "a number", "float": "a number", "bool": "true or false", "list": "a list"}.get(
        type(value).__name__, "something else"
    )
