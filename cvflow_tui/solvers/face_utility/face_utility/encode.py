"""128 numbers for a face: those of one person lie close together."""

from __future__ import annotations

from typing import Any

import cvflow
import dlib

from face_utility.faces import FaceFinder


class FaceEncoder(cvflow.Solver):
    """Finds faces and encodes each; two encodings of one person are usually less than 0.6 apart (Euclidean)."""

    def __init__(self) -> None:
        self._finder = FaceFinder()
        self._predictor = dlib.shape_predictor(str(self.weights("shape_predictor_5_face_landmarks.dat")))
        self._encoder = dlib.face_recognition_model_v1(str(self.weights("dlib_face_recognition_resnet_model_v1.dat")))

    def infer(self, image: cvflow.Image, threshold: float = 0.5, upsample: int = 1, jitter: int = 0) -> dict[str, Any]:
        """Faces with an `embedding` of 128 numbers each, largest first; the answer's own `embedding` is the largest face's ([] = no face).

        `jitter` > 0 averages over so many shifted and mirrored copies of a face: steadier, and so many times slower.
        """
        if not 0 <= jitter <= 100:
            raise cvflow.InputError(f"jitter must be between 0 and 100, not {jitter}")
        search = self._finder.search(image, threshold, upsample)
        objects = []
        for face in search.faces:
            shape = self._predictor(search.pixels, face.rectangle)
            numbers = list(self._encoder.compute_face_descriptor(search.pixels, shape, jitter))
            objects.append(cvflow.Detection("face", face.score, search.box(face), embedding=numbers))
        return self.result(image, objects=objects, embedding=objects[0].embedding if objects else [])
