"""Results as Label Studio's predictions: regions in per cent of the picture, tied to the controls of its labelling configuration."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from cvflow_tui.backend.runtime.runner.protocols.brush import encode_brush, runs_of_mask, runs_of_polygons
from cvflow_tui.backend.runtime.runner.protocols.label_config import Control, LabelConfig

_POINT = 0.75
"""A key point's width in per cent, as Label Studio draws one."""
_SURE = 0.5
"""How sure a solver is of a class that is suggested where many may be chosen."""


def predictions(result: Any, config: LabelConfig, size: tuple[int, int], image: str) -> list[dict[str, Any]]:
    """The regions of a picture of a displayed size, for the Image tag `image`. A result of another shape gives none."""
    if not isinstance(result, Mapping):
        return []
    controls = [control for control in config.controls if control.to_name == image]
    writer = _Writer(size)
    found: list[dict[str, Any]] = []
    for each in result.get("objects") or ():
        if isinstance(each, Mapping):
            found += _of_object(each, controls, writer)
    for control in controls:
        if control.kind == "choices":
            found += _choices(result.get("classes"), control)
        elif control.kind == "textarea" and not control.per_region and isinstance(result.get("caption"), str):
            found.append(_region(control, {"text": [result["caption"]]}, None))
    return found


def mean_score(regions: list[dict[str, Any]]) -> float:
    """How sure the solver is of a picture's regions on the whole."""
    scores = [region["score"] for region in regions if "score" in region]
    return round(sum(scores) / len(scores), 4) if scores else 0.0


def _of_object(told: Mapping[str, Any], controls: list[Control], writer: _Writer) -> Iterator[dict[str, Any]]:
    """An object in every control that has a place for it."""
    score = told.get("score")
    score = float(score) if isinstance(score, int | float) else None
    words = [control for control in controls if control.kind == "labels"]
    texts = [control for control in controls if control.kind == "textarea" and control.per_region]
    for control in controls:
        if control.shape not in ("rectangle", "polygon", "brush", "keypoint") or (score is not None and score < control.threshold):
            continue
        labelled = control.kind.endswith("labels")
        label = control.label(str(told.get("label", "")))
        if label is None and not (control.shape == "keypoint" and len(control.labels) == len(told.get("keypoints") or ())):
            continue
        for number, shape in writer.shapes(control.shape, told):
            said = label if label is not None else control.labels[number]
            value = {**shape, control.kind: [said]} if labelled else shape
            region = _region(control, {**value}, score, writer)
            yield region
            for other in words if not labelled else ():
                if (meant := other.label(str(told.get("label", "")))) is not None:
                    yield {**_region(other, {**shape, "labels": [meant]}, score, writer), "id": region["id"]}
            for other in texts:
                if isinstance(told.get("text"), str):
                    yield {**_region(other, {**shape, "text": [told["text"]]}, score, writer), "id": region["id"]}


def _choices(classes: Any, control: Control) -> list[dict[str, Any]]:
    """What a picture is: the surest class, or all sure ones where several may be chosen."""
    known: dict[str, float] = {}
    for each in classes or ():
        if isinstance(each, Mapping) and isinstance(each.get("score"), int | float):
            label = control.label(str(each.get("label", "")))
            if label is not None and each["score"] >= control.threshold:
                known[label] = max(known.get(label, 0.0), float(each["score"]))
    ranked = sorted(known, key=lambda label: -known[label])
    chosen = [label for label in ranked if known[label] >= _SURE] if control.multiple else ranked[:1]
    return [_region(control, {"choices": chosen}, known[chosen[0]])] if chosen else []


def _region(control: Control, value: dict[str, Any], score: float | None, writer: _Writer | None = None) -> dict[str, Any]:
    region: dict[str, Any] = {"id": secrets.token_hex(5), "from_name": control.name, "to_name": control.to_name, "type": control.kind}
    if writer is not None:
        region |= {"original_width": writer.width, "original_height": writer.height, "image_rotation": 0}
    if score is not None:
        region["score"] = score
    return {**region, "value": value}


class _Writer:
    """Knows a picture's size; every shape is in per cent of it."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.width, self.height = size

    def shapes(self, kind: str, told: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        """An object's shapes of a kind, numbered."""
        makers = {"rectangle": self._rectangle, "polygon": self._polygons, "brush": self._brush, "keypoint": self._points}
        try:
            yield from list(makers[kind](told))
        except (TypeError, ValueError, IndexError):
            return  # a shape that is none is no suggestion

    def _rectangle(self, told: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        box = told.get("box")
        if isinstance(box, list) and len(box) == 4:
            x0, y0, x1, y1 = self._x(box[0]), self._y(box[1]), self._x(box[2]), self._y(box[3])
            yield 0, {"x": x0, "y": y0, "width": round(x1 - x0, 6), "height": round(y1 - y0, 6), "rotation": 0}

    def _polygons(self, told: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, ring in enumerate(told.get("polygons") or ()):
            points = [[self._x(x), self._y(y)] for x, y in zip(ring[::2], ring[1::2], strict=True)]
            if len(points) >= 3:
                yield number, {"points": points, "closed": True}

    def _brush(self, told: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        runs = runs_of_mask(told["mask"]) if isinstance(told.get("mask"), Mapping) else None
        if runs is None and told.get("polygons"):
            runs = runs_of_polygons(told["polygons"], self.width, self.height)
        if runs is not None and sum(length for length, _ in runs) == self.width * self.height and any(inside for _, inside in runs):
            yield 0, {"format": "rle", "rle": encode_brush(runs)}

    def _points(self, told: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, point in enumerate(told.get("keypoints") or ()):
            if len(point) < 3 or float(point[2]) > 0:
                yield number, {"x": self._x(point[0]), "y": self._y(point[1]), "width": _POINT}

    def _x(self, value: Any) -> float:
        return round(min(100.0, max(0.0, 100.0 * float(value) / self.width)), 6)

    def _y(self, value: Any) -> float:
        return round(min(100.0, max(0.0, 100.0 * float(value) / self.height)), 6)
