"""The solver: one cascade over the whole picture, at every size."""

from __future__ import annotations

from typing import Any

import cv2
import cvflow
import numpy as np

from viola_jones.cascades import Cascade, Detector, Hit

LONGEST = 1280
"""Larger pictures are shrunk to this longest side first: the search's time grows with the pixels."""


class CascadeDetector(cvflow.Solver):
    """Finds what one of OpenCV's Haar cascades was trained on."""

    def __init__(self) -> None:
        cv2.setNumThreads(self.threads)
        self._detectors: dict[str, Detector] = {"face": Detector("face")}

    def infer(
        self,
        image: cvflow.Image,
        cascade: Cascade = "face",
        threshold: float = 0.5,
        scale: float = 1.1,
        neighbours: int = 5,
        mirrored: bool = False,
    ) -> dict[str, Any]:
        """What `cascade` finds with a score of at least `threshold` (0.5 is its own cut, 1 the most it can say).

        The picture is searched again and again, each time `scale` times smaller; a place must be hit more than `neighbours` times.
        `mirrored` searches the mirror image too: `face-profile` knows only one side.
        """
        _check("threshold", threshold, 0, 1)
        _check("scale", scale, 1.01, 4)
        _check("neighbours", neighbours, 0, 1000)
        if cascade not in self._detectors:
            self._detectors[cascade] = Detector(cascade)
        detector = self._detectors[cascade]
        grey = _grey(image)
        hits = detector.search(grey, scale, neighbours)
        if mirrored:
            hits += [_turned(hit, grey.shape[1]) for hit in detector.search(np.ascontiguousarray(grey[:, ::-1]), scale, neighbours)]
        stretch = np.array(image.size) / grey.shape[::-1]
        found = sorted((hit for hit in hits if hit.score >= threshold), key=lambda hit: -hit.score)
        return self.result(image, objects=[cvflow.Detection(detector.label, hit.score, _box(hit, stretch)) for hit in found])


def _grey(image: cvflow.Image) -> np.ndarray[Any, Any]:
    """The picture as uint8 [h, w], at most `LONGEST` wide and high."""
    width, height = image.size
    picture = image.open(at_least=(min(width, LONGEST), min(height, LONGEST)))
    picture.thumbnail((LONGEST, LONGEST))
    return np.ascontiguousarray(picture.convert("L"))


def _turned(hit: Hit, width: int) -> Hit:
    return Hit(width - hit.x - hit.width, hit.y, hit.width, hit.height, hit.score)


def _box(hit: Hit, stretch: np.ndarray[Any, Any]) -> list[float]:
    corners = np.array([[hit.x, hit.y], [hit.x + hit.width, hit.y + hit.height]]) * stretch
    return [float(value) for value in corners.ravel()]


def _check(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise cvflow.InputError(f"{name} must be between {least} and {most}, not {value}")
