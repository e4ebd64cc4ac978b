"""The network's cells, boxes from their distributions, and suppression of doubles. Units: pixels of the network's input."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

INPUT = 416
"""Width and height that the network sees; pictures are stretched to it."""
STRIDES = (8, 16, 32)
BINS = 11
"""Bins of the distribution of one side's distance, in strides."""
CELLS = sum((INPUT // stride) ** 2 for stride in STRIDES)
"""3549: 52 x 52, 26 x 26 and 13 x 13, in that order, rows first."""
CANDIDATES = 2000
"""At most so many (cell, label) pairs, the surest, go into suppression."""
OBJECTS = 300
"""At most so many objects come out for a picture."""


def cells() -> tuple[Array, Array]:
    """Centres float32 [3549, 2] (x, y) and strides float32 [3549] of all cells."""
    centres, strides = [], []
    for stride in STRIDES:
        steps = (np.arange(INPUT // stride, dtype=np.float32) + 0.5) * stride
        x, y = np.meshgrid(steps, steps)
        centres.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full(steps.size**2, stride, np.float32))
    return np.concatenate(centres), np.concatenate(strides)


CENTRES, STRIDE = cells()
LEVEL_STARTS = (0, 2704, 3380)
"""Where each grid begins among the cells."""


def boxes_of(sides: Array, index: Array) -> Array:
    """Boxes float32 [k, 4] (x0, y0, x1, y1) of k cells from their distributions.

    `sides` [k, 44] are logits, 11 bins for each of left, top, right, bottom; `index` [k] says which cells they are.
    """
    logits = sides.reshape(-1, 4, BINS)
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    distance = (weights @ np.arange(BINS, dtype=np.float32)) * STRIDE[index][:, None]
    return np.concatenate([CENTRES[index] - distance[:, :2], CENTRES[index] + distance[:, 2:]], axis=1).astype(np.float32)


def overlaps(boxes: Array, others: Array) -> Array:
    """Intersection over union [n, m] of n with m boxes; 0 where both are empty."""
    # One coordinate at a time: half the time of the same on [n, m, 2] arrays.
    ours, theirs = boxes.T[:, :, None], others.T[:, None, :]
    wide = np.minimum(ours[2], theirs[2]) - np.maximum(ours[0], theirs[0])
    high = np.minimum(ours[3], theirs[3]) - np.maximum(ours[1], theirs[1])
    shared = np.maximum(wide, 0) * np.maximum(high, 0)
    union = (ours[2] - ours[0]) * (ours[3] - ours[1]) + (theirs[2] - theirs[0]) * (theirs[3] - theirs[1]) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def suppress(boxes: Array, scores: Array, labels: Array, iou: float) -> Array:
    """Indices of the boxes to keep, surest first: of two of one label that overlap by more than `iou`, the surer one stays."""
    order = np.argsort(-scores, kind="stable")[:CANDIDATES]
    kept: list[Array] = []
    for label in np.unique(labels[order]):
        mine = order[labels[order] == label]
        kept.append(mine[_greedy(overlaps(boxes[mine], boxes[mine]) <= iou)])
    if not kept:
        return np.zeros(0, np.int64)
    chosen = np.concatenate(kept)
    return chosen[np.argsort(-scores[chosen], kind="stable")][:OBJECTS]


def _greedy(apart: Array) -> list[int]:
    """Places to keep, given [n, n] which boxes may stand beside which, surest first."""
    kept: list[int] = []
    left = np.arange(len(apart))
    while left.size:
        first, left = int(left[0]), left[1:]
        kept.append(first)
        left = left[apart[first, left]]
    return kept
