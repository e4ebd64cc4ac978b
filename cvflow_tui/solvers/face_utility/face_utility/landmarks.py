"""Where eyes, nose, mouth and chin are."""

from __future__ import annotations

from typing import Any

import cvflow
import dlib

from face_utility.faces import Face, FaceFinder, Search

_FILES = {68: "shape_predictor_68_face_landmarks.dat", 5: "shape_predictor_5_face_landmarks.dat"}


class FaceLandmarks(cvflow.Solver):
    """Finds faces and 68 or 5 landmarks in each."""

    def __init__(self) -> None:
        self._finder = FaceFinder()
        self._predictors = {68: dlib.shape_predictor(str(self.weights(_FILES[68])))}

    def infer(self, image: cvflow.Image, points: int = 68, threshold: float = 0.5, upsample: int = 1) -> dict[str, Any]:
        """Faces with `points` keypoints each, in the order of the 300-W scheme (68) or of dlib's own (5: eye corners, nose)."""
        if points not in _FILES:
            raise cvflow.InputError(f"points must be 68 or 5, not {points}")
        search = self._finder.search(image, threshold, upsample)
        objects = [
            cvflow.Detection("face", face.score, search.box(face), keypoints=self._keypoints(search, face, points)) for face in search.faces
        ]
        return self.result(image, objects=objects)

    def _keypoints(self, search: Search, face: Face, points: int) -> list[tuple[float, float, float]]:
        if points not in self._predictors:
            self._predictors[points] = dlib.shape_predictor(str(self.weights(_FILES[points])))
        shape = self._predictors[points](search.pixels, face.rectangle)
        return [(point.x * search.scale[0], point.y * search.scale[1], 2) for point in shape.parts()]
