"""The cells a round learns from, gathered from many pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nanodet.geometry import CELLS, Array, boxes_of
from nanodet.head import LEVELS, prior_of
from nanodet.targets import assign
from nanodet.views import View

RANDOM = 1000
"""Cells of a view that are kept without a reason, beside those that answer for an object or look like one."""
HARD = 0.05
"""A cell whose best COCO score is above this looks like an object."""
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
    hard: Array
    """int64: places of those that look like one."""


def box_lesson(views: Iterable[View]) -> BoxLesson:
    """Every cell of the views that answers for an object."""
    parts: list[tuple[Array, ...]] = []
    for view in views:
        cells, objects, _ = assign(boxes_of(view.sides.astype(np.float32), _ALL), view.boxes)
        parts.append((view.features[cells].astype(np.float32), view.sides[cells].astype(np.float32), cells, view.boxes[objects]))
    return BoxLesson(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def score_lesson(views: Iterable[tuple[View, Array]], source: Array, random: np.random.Generator) -> ScoreLesson:
    """Cells of the views, each given with the side logits its boxes will have; `source` says which labels COCO knows."""
    features, priors, levels, targets, answering, hard = [], [], [], [], [], []
    start = 0
    for view, sides in views:
        cells, objects, quality = assign(boxes_of(sides, _ALL), view.boxes)
        best = view.scores.max(axis=1)
        wanted = best > HARD
        wanted[cells] = True
        wanted[random.choice(CELLS, RANDOM, replace=False)] = True
        kept = np.nonzero(wanted)[0]
        truth = np.zeros((CELLS, len(source)), np.float16)
        truth[cells, view.labels[objects]] = quality
        features.append(view.features[kept])
        priors.append(prior_of(view.scores[kept], source).astype(np.float16))
        levels.append(LEVELS[kept])
        targets.append(truth[kept])
        answering.append(start + np.searchsorted(kept, cells))
        hard.append(start + np.nonzero(best[kept] > HARD)[0])
        start += len(kept)
    columns = (features, priors, levels, targets, answering, hard)
    return ScoreLesson(*(np.concatenate(column) for column in columns))
