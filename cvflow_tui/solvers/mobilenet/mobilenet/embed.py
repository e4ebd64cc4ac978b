"""Numbers that tell pictures apart."""

from __future__ import annotations

from typing import Any

import cvflow
import torch

from mobilenet.classify import WEIGHTS
from mobilenet.network import load_network
from mobilenet.pictures import prepared


class Embedder(cvflow.Solver):
    """1280 numbers for a picture, of length 1: the dot product of two pictures' numbers says how alike they look (1 = the same)."""

    def __init__(self) -> None:
        self._network = load_network(self.weights(WEIGHTS), self.threads)

    def infer(self, image: cvflow.Image) -> dict[str, Any]:
        """The picture's `embedding`."""
        return self.infer_batch([image])[0]

    def infer_batch(self, images: list[cvflow.Image]) -> list[dict[str, Any]]:
        """`infer` for several pictures in one run of the network."""
        with torch.inference_mode():
            features = torch.nn.functional.normalize(self._network(prepared(images)))
        return [self.result(image, embedding=numbers) for image, numbers in zip(images, features.tolist(), strict=True)]
