"""Moving and resizing boxes by keys, in pixels of the picture as displayed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cvflow_tui.model.geometry import Box, Size

SMALLEST = 1.0
"""The least width and height of a box, in pixels."""
SLACK = 1e-6
"""What sums of fractions of a pixel may be off."""


class Corner(Enum):
    """Which corner the arrows move while a box is resized; values are (right, bottom)."""

    BOTTOM_RIGHT = (True, True)
    BOTTOM_LEFT = (False, True)
    TOP_LEFT = (False, False)
    TOP_RIGHT = (True, False)

    @property
    def words(self) -> str:
        """As a person says it."""
        return self.name.lower().replace("_", " ")

    def following(self) -> Corner:
        """The next corner, clockwise from the bottom right."""
        corners = list(Corner)
        return corners[(corners.index(self) + 1) % len(corners)]


@dataclass(frozen=True, slots=True)
class Resizing:
    """A box being resized: not an act until it is committed."""

    box: Box
    corner: Corner = Corner.BOTTOM_RIGHT


def shifted(box: Box, dx: float, dy: float, size: Size | None) -> Box:
    """The box moved by (dx, dy), held inside the picture where its size is known; its own size never changes."""
    if size is not None:
        dx = _between(dx, -box.x0, size.width - box.x1)
        dy = _between(dy, -box.y0, size.height - box.y1)
    return box.moved(dx, dy)


def stretched(box: Box, corner: Corner, dx: float, dy: float, size: Size | None) -> Box:
    """The box with one corner moved by (dx, dy), inside the picture, at least SMALLEST wide and high."""
    right, bottom = corner.value
    x0, y0, x1, y1 = box.corners
    if right:
        x1 = max(x0 + SMALLEST, x1 + dx)
    else:
        x0 = min(x1 - SMALLEST, x0 + dx)
    if bottom:
        y1 = max(y0 + SMALLEST, y1 + dy)
    else:
        y0 = min(y1 - SMALLEST, y0 + dy)
    changed = Box(x0, y0, x1, y1)
    return changed.clipped(size) if size is not None else changed


def fits(box: Box, size: Size | None) -> Box | None:
    """The drawn box in order and inside the picture, or None where less than SMALLEST of it is left."""
    box = box.ordered()
    if size is not None:
        box = box.clipped(size)
    least = SMALLEST - SLACK
    return box if box.is_finite and box.width >= least and box.height >= least else None


def _between(value: float, low: float, high: float) -> float:
    # A box that sticks out of the picture on one side (low > high) may only move back inside.
    return max(min(value, max(high, 0.0)), min(low, 0.0))
