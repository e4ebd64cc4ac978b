"""From a map of how much each place catches the eye to regions: boxes, outlines, masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

Array = np.ndarray[Any, Any]

GRID = 1024
"""Regions are found on a map whose longer side is at most this: the network itself sees 224 pixels."""
ROUGH = 0.002
"""How far an outline may stray from its region, as a share of the picture's longer side."""


@dataclass(frozen=True)
class Region:
    """A connected region, in pixels of the picture."""

    score: float
    """The mean of the map over it, 0..1."""
    box: tuple[float, float, float, float]
    polygons: list[list[float]]
    """Its outer rings."""
    mask: Array
    """bool [height, width] of the picture."""


def find_regions(importance: Array, size: tuple[int, int], threshold: float, smallest: float) -> Iterator[Region]:
    """The connected regions in which the map is at least `threshold` and that cover at least the share `smallest` of the picture.

    `size` is the picture's width and height.
    """
    width, height = size
    scale = min(1.0, GRID / max(size))
    grid = max(1, round(width * scale)), max(1, round(height * scale))
    fine = np.clip(cv2.resize(importance, grid, interpolation=cv2.INTER_LINEAR), 0, 1)
    count, places, facts, _ = cv2.connectedComponentsWithStats((fine >= threshold).astype(np.uint8), connectivity=8)
    stretch = np.array([width / grid[0], height / grid[1]])
    for number in range(1, count):
        if facts[number, cv2.CC_STAT_AREA] < smallest * grid[0] * grid[1]:
            continue
        here = places == number
        left, top, wide, high = (int(facts[number, kind]) for kind in range(4))
        corners = np.array([[left, top], [left + wide, top + high]]) * stretch
        mask = cv2.resize(here.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
        yield Region(float(fine[here].mean()), tuple(corners.ravel().tolist()), list(_rings(here, stretch)), mask)


def _rings(here: Array, stretch: Array) -> Iterator[list[float]]:
    contours, _ = cv2.findContours(here.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        points = cv2.approxPolyDP(contour, ROUGH * max(here.shape), closed=True)[:, 0]
        if len(points) >= 3:
            # OpenCV names pixels; a pixel's middle lies half a pixel from its corner.
            yield ((points + 0.5) * stretch).ravel().tolist()
        else:
            x, y, wide, high = cv2.boundingRect(contour)
            yield (np.array([[x, y], [x + wide, y], [x + wide, y + high], [x, y + high]]) * stretch).ravel().tolist()
