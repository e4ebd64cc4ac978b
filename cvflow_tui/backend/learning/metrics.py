"""How well proposals agree with annotations: COCO's average precision, and precision and recall at a threshold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cvflow_tui.backend.annotation.suggesting import Proposal
from cvflow_tui.model.geometry import Box, Size
from cvflow_tui.model.projects import DetectionMetrics

IOU = 0.5
"""Overlap from which a proposal counts as found."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One picture: what a person committed (label, box), and what a solver had proposed."""

    size: Size
    truth: tuple[tuple[str, Box], ...]
    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """Proposals that were right, proposals that were wrong, annotations that were missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)

    @property
    def precision(self) -> float | None:
        """Share of the proposals that was right; None without proposals."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None

    @property
    def recall(self) -> float | None:
        """Share of the annotations that was proposed; None without annotations."""
        return self.right / (self.right + self.missed) if self.right + self.missed else None

    @property
    def f1(self) -> float:
        """2 right / (2 right + wrong + missed); 1 where there was nothing and nothing was proposed."""
        total = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / total if total else 1.0


def count(picture: Compared, threshold: float) -> Counts:
    """Match greedily by score, class by class, each annotation once, at IoU .5; proposals below the threshold are left out."""
    free = list(picture.truth)
    right = wrong = 0
    for proposal in sorted(picture.proposals, key=lambda item: -item.score):
        if proposal.score < threshold:
            break
        candidates = [(box.iou(proposal.box), number) for number, (label, box) in enumerate(free) if label == proposal.label]
        best = max(candidates, default=(0.0, -1), key=lambda item: item[0])
        if best[0] >= IOU:
            right += 1
            del free[best[1]]
        else:
            wrong += 1
    return Counts(right, wrong, len(free))


def measure(pictures: Sequence[Compared], labels: Sequence[str], threshold: float) -> DetectionMetrics:
    """Precision and recall at the threshold, AP50 and AP over all pictures, those without annotations or proposals included."""
    counts = sum((count(picture, threshold) for picture in pictures), Counts())
    ap, ap50 = average_precision(pictures, labels)
    return DetectionMetrics(len(pictures), counts.precision, counts.recall, ap50, ap)


def average_precision(pictures: Sequence[Compared], labels: Sequence[str]) -> tuple[float | None, float | None]:
    """COCO's AP (IoU .50:.95) and AP50; None where there is no annotation to find."""
    if not any(picture.truth for picture in pictures):
        return None, None
    if not any(picture.proposals for picture in pictures):
        return 0.0, 0.0
    from faster_coco_eval import COCO, COCOeval_faster

    def silent(*_: object, **__: object) -> None:
        return None

    truth, found = as_coco(pictures, labels)
    told = COCO(truth, print_function=silent)
    evaluation = COCOeval_faster(told, told.loadRes(found), iouType="bbox", print_function=silent)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


def as_coco(pictures: Sequence[Compared], labels: Sequence[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Truth and results in COCO's terms. Every id counts from 1: an annotation with id 0 is taken for none."""
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    images = [{"id": i, "width": picture.size.width, "height": picture.size.height} for i, picture in enumerate(pictures, start=1)]
    boxes = [(i, label, box) for i, picture in enumerate(pictures, start=1) for label, box in picture.truth]
    annotations = [
        {"id": number, "image_id": i, "category_id": numbers[label], "bbox": _bbox(box), "area": box.area, "iscrowd": 0}
        for number, (i, label, box) in enumerate(boxes, start=1)
    ]
    found = [
        {"image_id": i, "category_id": numbers[item.label], "bbox": _bbox(item.box), "score": item.score}
        for i, picture in enumerate(pictures, start=1)
        for item in picture.proposals
    ]
    categories = [{"id": number, "name": label} for label, number in numbers.items()]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}, found


def metrics_to_json(metrics: DetectionMetrics | None) -> str | None:
    """Metrics as a round's row keeps them."""
    return None if metrics is None else json.dumps(asdict(metrics))


def metrics_from_json(text: str | None) -> DetectionMetrics | None:
    """The metrics of a round's row."""
    return None if text is None else DetectionMetrics(**json.loads(text))


def _bbox(box: Box) -> list[float]:
    return [box.x0, box.y0, box.width, box.height]
