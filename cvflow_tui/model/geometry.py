"""Boxes in pixels of the picture as displayed (after EXIF rotation): float, x right, y down, origin at the top left corner."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle between two corners; `x0 <= x1` and `y0 <= y1` once `ordered`."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        """Horizontal extent in pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Vertical extent in pixels."""
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        """Extent in square pixels; 0 for a box that is turned inside out."""
        return max(0.0, self.width) * max(0.0, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        """The middle, (x, y)."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    @property
    def is_finite(self) -> bool:
        """Whether no coordinate is NaN or infinite."""
        return all(math.isfinite(value) for value in self.corners)

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1)."""
        return self.x0, self.y0, self.x1, self.y1

    def ordered(self) -> Box:
        """The same rectangle with its corners in order."""
        return Box(min(self.x0, self.x1), min(self.y0, self.y1), max(self.x0, self.x1), max(self.y0, self.y1))

    def clipped(self, size: Size) -> Box:
        """The part of the box that lies inside the picture."""
        return Box(
            min(max(self.x0, 0.0), size.width),
            min(max(self.y0, 0.0), size.height),
            min(max(self.x1, 0.0), size.width),
            min(max(self.y1, 0.0), size.height),
        )

    def moved(self, dx: float, dy: float) -> Box:
        """The box shifted by (dx, dy) pixels."""
        return Box(self.x0 + dx, self.y0 + dy, self.x1 + dx, self.y1 + dy)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0..1; 0 where either is empty."""
        inter = Box(max(self.x0, other.x0), max(self.y0, other.y0), min(self.x1, other.x1), min(self.y1, other.y1))
        if inter.x1 <= inter.x0 or inter.y1 <= inter.y0:
            return 0.0
        whole = self.area + other.area - inter.area
        return inter.area / whole if whole > 0 else 0.0  # areas of less than any float can hold are none

    def contains(self, x: float, y: float) -> bool:
        """Whether the point lies inside or on the edge."""
        return self.x0 <= x <= self.x1 and self.y0 <= y <= self.y1
