"""Finding faces: what all three solvers begin with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import dlib
import numpy as np
from cvflow import Image, InputError

LONGEST = 1280
"""Larger pictures are shrunk to this longest side first: the detector's time grows with the pixels, and faces stay large enough."""


@dataclass(frozen=True)
class Face:
    """A face in the picture that was searched; `rectangle` is dlib's, in that picture's pixels."""

    rectangle: Any
    score: float
    """0..1: the logistic of the detector's margin, so that dlib's own cut (margin 0) is 0.5."""


@dataclass(frozen=True)
class Search:
    """A picture that was searched for faces."""

    pixels: np.ndarray[Any, Any]
    """RGB uint8 [h, w, 3], shrunk to at most `LONGEST`."""
    scale: tuple[float, float]
    """What to multiply its x and y by to get pixels of the picture as displayed."""
    faces: tuple[Face, ...]
    """Largest first."""

    def box(self, face: Face) -> tuple[float, float, float, float]:
        """The face's x0, y0, x1, y1 in the picture as displayed, clipped to it."""
        found, (height, width) = face.rectangle, self.pixels.shape[:2]
        x0, x1 = (min(max(value, 0), width) * self.scale[0] for value in (found.left(), found.right() + 1))
        y0, y1 = (min(max(value, 0), height) * self.scale[1] for value in (found.top(), found.bottom() + 1))
        return x0, y0, x1, y1


class FaceFinder:
    """dlib's frontal face detector (HOG), which comes with the library and needs no file."""

    def __init__(self) -> None:
        self._detector = dlib.get_frontal_face_detector()

    def search(self, image: Image, threshold: float, upsample: int) -> Search:
        """Find the faces whose score is at least `threshold`.

        Raises InputError for a picture that can't be read, a threshold outside 0..1, or an `upsample` outside 0..2.
        """
        if not 0 <= threshold <= 1:
            raise InputError(f"threshold must be between 0 and 1, not {threshold}")
        if not 0 <= upsample <= 2:
            raise InputError(f"upsample must be 0, 1 or 2, not {upsample}")
        width, height = image.size
        picture = image.open(at_least=(min(width, LONGEST), min(height, LONGEST)))
        picture.thumbnail((LONGEST, LONGEST))
        pixels = np.ascontiguousarray(picture)
        scale = width / pixels.shape[1], height / pixels.shape[0]
        rectangles, margins, _ = self._detector.run(pixels, upsample, _margin(threshold))
        faces = [Face(rectangle, _score(margin)) for rectangle, margin in zip(rectangles, margins, strict=True)]
        return Search(pixels, scale, tuple(sorted(faces, key=lambda face: -face.rectangle.area())))


def _score(margin: float) -> float:
    return 1 / (1 + math.exp(-margin))


def _margin(score: float) -> float:
    inner = min(max(score, 1e-6), 1 - 1e-6)
    return math.log(inner / (1 - inner))
