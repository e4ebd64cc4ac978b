"""Changes and acts as the JSON that the journal keeps. Classes are written by number, so that a class may get another name."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from cvflow_tui.backend.annotation.content import AnnotationChange, Change, VerdictChange
from cvflow_tui.backend.annotation.labels import Labels
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import Act, Annotation, PictureState, Verdict


def act_to_json(act: Act) -> str:
    """What the annotator asked for."""
    return json.dumps(asdict(act), ensure_ascii=False, allow_nan=False)


def change_to_json(change: Change, labels: Labels) -> str:
    """A change, both sides."""
    told = {
        "annotations": [[_annotation_out(item.before, labels), _annotation_out(item.after, labels)] for item in change.annotations],
        "verdicts": [[item.suggestion, item.before, item.after] for item in change.verdicts],
        "state": change.state,
    }
    return json.dumps(told, allow_nan=False)


def change_from_json(text: str, labels: Labels) -> Change:
    """The change that `change_to_json` wrote."""
    told = json.loads(text)
    return Change(
        tuple(AnnotationChange(_annotation_in(before, labels), _annotation_in(after, labels)) for before, after in told["annotations"]),
        tuple(VerdictChange(number, _verdict(before), _verdict(after)) for number, before, after in told["verdicts"]),
        None if told["state"] is None else (PictureState(told["state"][0]), PictureState(told["state"][1])),
    )


def _verdict(text: str | None) -> Verdict | None:
    return None if text is None else Verdict(text)


def _annotation_out(annotation: Annotation | None, labels: Labels) -> dict[str, Any] | None:
    if annotation is None:
        return None
    return {
        "id": annotation.id,
        "class": labels.number(annotation.label),
        "box": annotation.box.corners,
        "origin": annotation.origin,
        "suggestion": annotation.suggestion,
        "score": annotation.score,
    }


def _annotation_in(told: dict[str, Any] | None, labels: Labels) -> Annotation | None:
    if told is None:
        return None
    return Annotation(told["id"], labels.name(told["class"]), Box(*told["box"]), told["origin"], told["suggestion"], told["score"])
