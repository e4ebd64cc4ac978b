"""Which cells answer for which true object, and how well."""

from __future__ import annotations

import numpy as np

from nanodet.geometry import CELLS, CENTRES, STRIDE, Array, overlaps

BEST = 10
"""Cells that answer for one object, at most."""
LEAST = 0.1
"""The nearest cell answers at least so well: no object, however small, is left without one."""


def assign(boxes: Array, truth: Array) -> tuple[Array, Array, Array]:
    """Cells [k], the objects [k] each answers for, and how well [k] (the overlap of its box with the true one, 0..1).

    `boxes` [3549, 4] are what the cells predict, `truth` [m, 4] the true boxes. For every object the `BEST` cells inside it whose boxes
    overlap it most; a cell between two objects takes the one it fits better.
    """
    quality = np.zeros((CELLS, len(truth)), np.float32)
    if not len(truth):
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, np.zeros(0, np.float32)
    x, y = CENTRES[:, :1], CENTRES[:, 1:]
    inside = (x > truth[:, 0]) & (x < truth[:, 2]) & (y > truth[:, 1]) & (y < truth[:, 3])
    overlap = np.where(inside, overlaps(boxes, truth), 0)
    best = np.argpartition(-overlap, BEST, axis=0)[:BEST]
    objects = np.arange(len(truth))
    quality[best, objects] = overlap[best, objects]
    away = np.abs(CENTRES[:, None] - (truth[None, :, :2] + truth[None, :, 2:]) / 2).max(axis=2) + STRIDE[:, None]
    nearest = np.where(quality.max(axis=0) > 0, quality.argmax(axis=0), away.argmin(axis=0))
    quality[nearest, objects] = np.maximum(quality[nearest, objects], LEAST)
    cells = np.nonzero(quality.max(axis=1) > 0)[0]
    answered = quality[cells].argmax(axis=1)
    return cells, answered, quality[cells, answered]
