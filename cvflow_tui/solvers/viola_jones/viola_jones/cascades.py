"""The cascades that come with OpenCV: by which name a caller asks for one, what it finds, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np

Cascade = Literal[
    "face",
    "face-alt",
    "face-alt2",
    "face-alt-tree",
    "face-profile",
    "eye",
    "eye-glasses",
    "smile",
    "cat-face",
    "cat-face-extended",
    "body",
    "upper-body",
    "lower-body",
    "plate",
    "plate-rus",
]

_FILES = {
    "face": ("frontalface_default", "face"),
    "face-alt": ("frontalface_alt", "face"),
    "face-alt2": ("frontalface_alt2", "face"),
    "face-alt-tree": ("frontalface_alt_tree", "face"),
    "face-profile": ("profileface", "face"),
    "eye": ("eye", "eye"),
    "eye-glasses": ("eye_tree_eyeglasses", "eye"),
    "smile": ("smile", "smile"),
    "cat-face": ("frontalcatface", "cat face"),
    "cat-face-extended": ("frontalcatface_extended", "cat face"),
    "body": ("fullbody", "body"),
    "upper-body": ("upperbody", "upper body"),
    "lower-body": ("lowerbody", "lower body"),
    "plate": ("russian_plate_number", "licence plate"),
    "plate-rus": ("license_plate_rus_16stages", "licence plate"),
}
assert set(_FILES) == set(get_args(Cascade))


@dataclass(frozen=True)
class Hit:
    """An object in the picture that was searched."""

    x: int
    y: int
    width: int
    height: int
    score: float


class Detector:
    """One cascade."""

    def __init__(self, name: str) -> None:
        """Load it. Raises KeyError for an unknown name, RuntimeError where OpenCV does not have the file."""
        file, self.label = _FILES[name]
        path = Path(cv2.data.haarcascades) / f"haarcascade_{file}.xml"
        self._classifier = cv2.CascadeClassifier(str(path))
        if self._classifier.empty():
            raise RuntimeError(f"this OpenCV ({cv2.__version__}) can't load {path.name}")
        self._cut, self._most = _last_stage(path)

    def search(self, grey: np.ndarray[Any, Any], scale: float, neighbours: int) -> list[Hit]:
        """The objects in a grey picture, surest first."""
        boxes, _, sums = self._classifier.detectMultiScale3(grey, scale, neighbours, outputRejectLevels=True)
        hits = []
        for box, weight in zip(boxes, np.ravel(sums), strict=True):
            x, y, width, height = (int(value) for value in box)
            hits.append(Hit(x, y, width, height, self._score(float(weight))))
        return sorted(hits, key=lambda hit: -hit.score)

    def _score(self, weight: float) -> float:
        """0.5 at the last stage's own cut, 1 for the largest sum that its trees can make; straight in between."""
        return 0.5 + 0.5 * min(1.0, max(0.0, (weight - self._cut) / (self._most - self._cut)))


def _last_stage(path: Path) -> tuple[float, float]:
    """Of a cascade's last stage: the sum that passes, and the largest sum that its trees can make."""
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
    last = _items(file.getFirstTopLevelNode().getNode("stages"))[-1]
    old = last.getNode("weakClassifiers").empty()  # the first format, which one of the cascades still has
    cut = last.getNode("stage_threshold" if old else "stageThreshold").real()
    trees = _items(last.getNode("trees" if old else "weakClassifiers"))
    most = sum(max(_old_leaves(tree) if old else [leaf.real() for leaf in _items(tree.getNode("leafValues"))]) for tree in trees)
    file.release()
    return cut, most


def _old_leaves(tree: Any) -> list[float]:
    """What a tree of the first format can say: its nodes end in a value or lead to another node, on either side."""
    ends = (node.getNode(side) for node in _items(tree) for side in ("left_val", "right_val"))
    return [end.real() for end in ends if not end.empty()]


def _items(node: Any) -> list[Any]:
    return [node.at(place) for place in range(node.size())]
