"""The solver: finds the objects of COCO, or those a project taught it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cvflow
import numpy as np

from nanodet.geometry import INPUT, Array, boxes_of, suppress
from nanodet.head import Head
from nanodet.network import Network, Outputs, prepared

WEIGHTS = "nanodet-m-416.onnx"


class NanoDetSolver(cvflow.Solver):
    """NanoDet-m 416. With a checkpoint of its own `train` it finds that project's labels, without one COCO's 80."""

    def __init__(self) -> None:
        self._network = Network(self.weights(WEIGHTS), self.threads)
        self._head = Head.load(self.checkpoint) if self.checkpoint is not None else None
        if self._head is not None:
            self.labels = list(self._head.labels)

    def infer(self, image: cvflow.Image, threshold: float = 0.3, iou: float = 0.6) -> dict[str, Any]:
        """Objects with a score of at least `threshold`; of two of one label that overlap by more than `iou`, the surer one."""
        return self.infer_batch([image], threshold, iou)[0]

    def infer_batch(self, images: list[cvflow.Image], threshold: float = 0.3, iou: float = 0.6) -> list[dict[str, Any]]:
        """`infer` for several pictures in one run of the network."""
        _check("threshold", threshold)
        _check("iou", iou)
        outputs = self._network(prepared(images), features=self._head is not None)
        return [self._result(image, outputs, place, threshold, iou) for place, image in enumerate(images)]

    def train(self, dataset: cvflow.Dataset, checkpoint: Path, report: cvflow.Report) -> dict[str, float]:
        """Teach a head the dataset's labels on the frozen network's features (kept in its cache); goes on from the own checkpoint.

        Writes the file `checkpoint`. Raises InputError for a dataset without objects or with a picture that can't be read.
        """
        # torch takes a second to import, and serving never needs it. Its threads are told to sleep while they wait for each other before it
        # starts them: on cores that others use too, spinning made a round five times longer.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        from nanodet.training import train

        return train(self._network, self._head, coco_labels(), dataset, Path(checkpoint), report, self.threads)

    def _result(self, image: cvflow.Image, outputs: Outputs, place: int, threshold: float, iou: float) -> dict[str, Any]:
        scores, sides = outputs.scores[place], outputs.sides[place]
        features = outputs.features[place] if outputs.features is not None else None
        if self._head is not None and features is not None:
            scores = self._head.scores(features, scores)
        cells, labels = np.nonzero(scores >= threshold)
        sides = sides[cells]
        if self._head is not None and features is not None:
            sides = self._head.corrected(features[cells], sides, cells)
        found = scores[cells, labels]
        boxes = boxes_of(sides, cells)
        kept = suppress(boxes, found, labels, iou)
        stretch = np.array(image.size * 2, np.float32) / INPUT
        return self.result(image, objects=_detections(np.clip(boxes[kept], 0, INPUT) * stretch, found[kept], labels[kept], self.labels))


def _detections(boxes: Array, scores: Array, labels: Array, names: list[str]) -> list[cvflow.Detection]:
    told = zip(labels.tolist(), scores.tolist(), boxes.tolist(), strict=True)
    return [cvflow.Detection(names[label], score, box) for label, score, box in told if box[2] > box[0] and box[3] > box[1]]


def _check(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise cvflow.InputError(f"{name} must be between 0 and 1, not {value}")


def coco_labels() -> list[str]:
    """COCO's 80 labels, in the order of the network's scores."""
    return Path(__file__).with_name("coco.txt").read_text("utf-8").splitlines()
