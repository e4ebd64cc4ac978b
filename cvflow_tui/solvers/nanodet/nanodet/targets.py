"""Which cells answer for which true object, and how well."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nanodet.geometry import CENTRES, STRIDE, Array, overlaps

BEST = 10
"""Cells that answer for one object, at most."""
LEAST = 0.1
"""The nearest cell answers at least so well: no object, however small, is left without one."""


def assign(boxes_at: Callable[[Array], Array], truth: Array) -> tuple[Array, Array, Array]:
    """Cells [k], the objects [k] each answers for, and how well [k] (the overlap of its box with the true one, 0..1).

    `boxes_at` gives the boxes [n, 4] that the cells [n] predict, `truth` [m, 4] are the true boxes. For every object the `BEST` cells
    inside it (or nearest to its middle) whose boxes overlap it most; a cell between two objects takes the one it fits better.
    """
    if not len(truth):
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, np.zeros(0, np.float32)
    x, y = CENTRES[:, :1], CENTRES[:, 1:]
    inside = (x > truth[:, 0]) & (x < truth[:, 2]) & (y > truth[:, 1]) & (y < truth[:, 3])
    middle = (truth[:, :2] + truth[:, 2:]) / 2
    away = np.maximum(np.abs(x - middle[:, 0]), np.abs(y - middle[:, 1])) + STRIDE[:, None]
    nearest, objects = away.argmin(axis=0), np.arange(len(truth))
    inside[nearest, objects] = True
    # Boxes are made for these cells only: most cells of a picture lie in no object.
    cells = np.nonzero(inside.any(axis=1))[0]
    overlap = np.where(inside[cells], overlaps(boxes_at(cells), truth), 0)
    best = np.argsort(-overlap, axis=0, kind="stable")[:BEST]
    quality = np.zeros_like(overlap, np.float32)
    quality[best, objects] = overlap[best, objects]
    answering = np.where(quality.max(axis=0) > 0, quality.argmax(axis=0), np.searchsorted(cells, nearest))
    quality[answering, objects] = np.maximum(quality[answering, objects], LEAST)
    chosen = np.nonzero(quality.max(axis=1) > 0)[0]
    answered = quality[chosen].argmax(axis=1)
    return cells[chosen], answered, quality[chosen, answered]
