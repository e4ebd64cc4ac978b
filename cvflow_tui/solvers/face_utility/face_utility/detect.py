"""Where the faces are."""

from __future__ import annotations

from typing import Any

import cvflow

from face_utility.faces import FaceFinder


class FaceDetector(cvflow.Solver):
    """Finds frontal faces."""

    def __init__(self) -> None:
        self._finder = FaceFinder()

    def infer(self, image: cvflow.Image, threshold: float = 0.5, upsample: int = 1) -> dict[str, Any]:
        """Faces with a score of at least `threshold`; each `upsample` doubles the picture: smaller faces, four times slower."""
        search = self._finder.search(image, threshold, upsample)
        return self.result(image, objects=[cvflow.Detection("face", face.score, search.box(face)) for face in search.faces])
