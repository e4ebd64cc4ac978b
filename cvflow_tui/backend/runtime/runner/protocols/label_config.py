"""Label Studio's labelling configuration: which controls there are, on which picture, with which labels."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, field

from cvflow_tui.backend.runtime.runner.faults import bad_input, too_large

_LIMIT = 1 << 20
_TAGS = {
    **{f"{shape.lower()}labels": shape.lower() for shape in ("Rectangle", "Polygon", "Brush", "KeyPoint")},
    **{name: name for name in ("rectangle", "polygon", "brush", "keypoint", "labels", "choices", "textarea")},
}


@dataclass(frozen=True, slots=True)
class Control:
    """One tag that a person labels with."""

    kind: str
    """`rectanglelabels`, `rectangle`, `labels`, `choices`, `textarea`, …: the tag in lower case, which is also the result's `type`."""
    name: str
    to_name: str
    labels: tuple[str, ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)
    """What the solver says, in lower case -> the label it means."""
    threshold: float = 0.0
    per_region: bool = False
    multiple: bool = False

    @property
    def shape(self) -> str:
        """`rectangle`, `polygon`, `brush`, `keypoint`, or its own kind."""
        return _TAGS[self.kind]

    def label(self, told: str) -> str | None:
        """The label that is meant by what a solver says; None where this control has none such."""
        if not self.labels:
            return told
        if told in self.labels:
            return told
        return self.renamed.get(told.lower())


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """What of a configuration concerns pictures."""

    controls: tuple[Control, ...]
    images: dict[str, str]
    """Name of an Image tag -> the field of a task's data that holds its address."""


def read_config(text: str) -> LabelConfig:
    """Raises Fault 400 for what is none, or none with a picture."""
    if len(text) > _LIMIT:
        raise too_large(f"the label config is longer than {_LIMIT} characters")
    if "<!" in text.replace("<!--", ""):
        raise bad_input("label_config: declarations are not taken")
    try:
        root = ET.fromstring(text)  # noqa: S314 - as above
    except ET.ParseError as error:
        raise bad_input(f"label_config can't be read: {error}") from None
    images, controls = {}, []
    for element in root.iter():
        tag, name, to_name = element.tag.lower(), element.get("name", ""), element.get("toName", "")
        if tag == "image" and name:
            images[name] = element.get("value", "$image").removeprefix("$")
        elif tag in _TAGS and name and to_name:
            controls.append(_control(tag, name, to_name, element))
    found = tuple(control for control in controls if control.to_name in images)
    if not found:
        raise bad_input("label_config: there is no control for a picture (RectangleLabels, PolygonLabels, BrushLabels, Choices, …)")
    return LabelConfig(found, images)


def _control(tag: str, name: str, to_name: str, element: ET.Element) -> Control:
    labels: list[str] = []
    renamed: dict[str, str] = {}
    for child in _labels(element):
        value = child.get("value", "")
        labels.append(value)
        renamed.setdefault(value.lower(), value)
        for word in child.get("predicted_values", "").split(","):
            if word.strip():
                renamed[word.strip().lower()] = value
    try:
        threshold = float(element.get("model_score_threshold", "0"))
    except ValueError:
        raise bad_input(f"label_config: model_score_threshold of {name[:60]!r} is no number") from None
    multiple = element.get("choice", "").lower() == "multiple"
    per_region = element.get("perRegion", "").lower() == "true"
    return Control(tag, name, to_name, tuple(labels), renamed, threshold, per_region, multiple)


def _labels(element: ET.Element) -> Iterable[ET.Element]:
    return (child for child in element.iter() if child.tag in ("Label", "Choice") and child.get("value"))
