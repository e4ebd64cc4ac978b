"""What the picture shows."""

from __future__ import annotations

from typing import Any

import cvflow
import torch

from mobilenet.network import CLASSES, load_network
from mobilenet.pictures import prepared

WEIGHTS = "mobilenet_v2-b0353104.pth"


class Classifier(cvflow.Solver):
    """Says which of ImageNet's 1000 kinds of things the middle of a picture shows."""

    def __init__(self) -> None:
        self._network = load_network(self.weights(WEIGHTS), self.threads)

    def infer(self, image: cvflow.Image, top: int = 5) -> dict[str, Any]:
        """The `top` likeliest kinds; the scores of all 1000 add up to 1."""
        return self.infer_batch([image], top)[0]

    def infer_batch(self, images: list[cvflow.Image], top: int = 5) -> list[dict[str, Any]]:
        """`infer` for several pictures in one run of the network."""
        if not 1 <= top <= CLASSES:
            raise cvflow.InputError(f"top must be between 1 and {CLASSES}, not {top}")
        with torch.inference_mode():
            scores, places = self._network.classifier(self._network(prepared(images))).softmax(1).topk(top)
        found = zip(images, scores.tolist(), places.tolist(), strict=True)
        return [
            self.result(image, classes={self.labels[place]: score for place, score in zip(kinds, surest, strict=True)})
            for image, surest, kinds in found
        ]
