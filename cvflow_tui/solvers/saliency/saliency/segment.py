"""Masks of what catches the eye."""

from __future__ import annotations

from typing import Any

import cvflow

from saliency.network import Array, Network
from saliency.regions import find_regions
from saliency.rle import encode

LABEL = "salient"
WEIGHTS = "vit_s_focus.onnx"


class SaliencySegmenter(cvflow.Solver):
    """Finds the regions that a picture is about, whatever they are; it does not say what they are."""

    def __init__(self) -> None:
        self._network = Network(self.weights(WEIGHTS), self.threads)

    def infer(self, image: cvflow.Image, threshold: float = 0.5, smallest: float = 0.005) -> dict[str, Any]:
        """Connected regions of at least `threshold` importance that cover at least the share `smallest` of the picture, surest first."""
        return self.infer_batch([image], threshold, smallest)[0]

    def infer_batch(self, images: list[cvflow.Image], threshold: float = 0.5, smallest: float = 0.005) -> list[dict[str, Any]]:
        """`infer` for several pictures in one run of the network."""
        _check("threshold", threshold)
        _check("smallest", smallest)
        return [
            self._result(image, importance, threshold, smallest) for image, importance in zip(images, self._network(images), strict=True)
        ]

    def _result(self, image: cvflow.Image, importance: Array, threshold: float, smallest: float) -> dict[str, Any]:
        regions = sorted(find_regions(importance, image.size, threshold, smallest), key=lambda region: -region.score)
        objects = [cvflow.Detection(LABEL, each.score, each.box, polygons=each.polygons, mask=encode(each.mask)) for each in regions]
        return self.result(image, objects=objects)


def _check(name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise cvflow.InputError(f"{name} must be above 0 and at most 1, not {value}")
