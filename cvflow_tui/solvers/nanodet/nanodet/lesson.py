"""The cells a round learns from, gathered from many pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nanodet.geometry import CELLS, Array, boxes_of
from nanodet.head import LEVELS, prior_of
from nanodet.targets import assign
from nanodet.views import View

_ALL = np.arange(CELLS)


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
        cells, objects, _ = assign(boxes_of(view.sides.astype(np.float32), _ALL), view.boxes)
        parts.append((view.features[cells].astype(np.float32), view.sides[cells].astype(np.float32), cells, view.boxes[objects]))
    return BoxLesson(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def score_lesson(views: Iterable[tuple[View, Array]], source: Array) -> ScoreLesson:
    """All cells of the views, each view given with the side logits its boxes will have; `source` says which labels COCO knows."""
    features, priors, targets, answering = [], [], [], []
    for place, (view, sides) in enumerate(views):
        cells, objects, quality = assign(boxes_of(sides, _ALL), view.boxes)
        truth = np.zeros((CELLS, len(source)), np.float16)
        truth[cells, view.labels[objects]] = quality
        features.append(view.features)
        priors.append(prior_of(view.scores, source).astype(np.float16))
        targets.append(truth)
        answering.append(place * CELLS + cells)
    levels = np.tile(LEVELS, len(features))
    return ScoreLesson(np.concatenate(features), np.concatenate(priors), levels, np.concatenate(targets), np.concatenate(answering))
