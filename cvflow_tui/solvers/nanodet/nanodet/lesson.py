"""The cells a round learns from, gathered from many pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from nanodet.geometry import CELLS, Array, boxes_of
from nanodet.head import LEVELS, Head, prior_of
from nanodet.targets import assign
from nanodet.views import View


@dataclass(frozen=True)
class BoxLesson:
    """Cells that answer for an object [k]."""

    features: Array
    """float32 [k, 128]"""
    sides: Array
    """float32 [k, 44], what the network said."""
    cells: Array
    """int64 [k]"""
    boxes: Array
    """float32 [k, 4], the true ones."""


@dataclass(frozen=True)
class ScoreLesson:
    """Cells [n] and what their scores should be."""

    features: Array
    """float16 [n, 128]"""
    prior: Array
    """float16 [n, labels]"""
    level: Array
    """int64 [n]: which grid."""
    targets: Array
    """float16 [n, labels], 0..1."""
    answering: Array
    """int64: places of the cells that answer for an object."""


def box_lesson(views: Iterable[View]) -> BoxLesson:
    """Every cell of the views that answers for an object."""
    parts: list[tuple[Array, ...]] = []
    for view in views:
        cells, objects, _ = assign(partial(_boxes_at, view), view.boxes)
        parts.append((view.features[cells].astype(np.float32), view.sides[cells].astype(np.float32), cells, view.boxes[objects]))
    return BoxLesson(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def score_lesson(views: Iterable[View], head: Head) -> ScoreLesson:
    """All cells of the views; how well one answers is measured with the boxes that the head's correction gives it."""
    features, priors, targets, answering = [], [], [], []
    for place, view in enumerate(views):
        cells, objects, quality = assign(partial(_boxes_at, view, head=head), view.boxes)
        truth = np.zeros((CELLS, len(head.labels)), np.float16)
        truth[cells, view.labels[objects]] = quality
        features.append(view.features)
        priors.append(prior_of(view.scores, head.source).astype(np.float16))
        targets.append(truth)
        answering.append(place * CELLS + cells)
    levels = np.tile(LEVELS, len(features))
    return ScoreLesson(np.concatenate(features), np.concatenate(priors), levels, np.concatenate(targets), np.concatenate(answering))


def _boxes_at(view: View, cells: Array, head: Head | None = None) -> Array:
    """Boxes [k, 4] of k cells, as the network or the head's correction has them."""
    sides = view.sides[cells].astype(np.float32)
    if head is not None:
        sides = head.corrected(view.features[cells].astype(np.float32), sides, cells)
    return boxes_of(sides, cells)
