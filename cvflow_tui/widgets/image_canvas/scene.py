"""What lies over a picture: boxes and outlines with their tags, in picture pixels, and which of them is under a point."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cvflow_tui.model.geometry import Box

ShapeKind = Literal["annotation", "suggestion", "draft"]
"""Solid, dashed, and the box being drawn."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A box over the picture. `color` is the position of its class (Okabe-Ito colours); `label` is the text of its tag, as it stands."""

    id: str
    box: Box
    color: int = 0
    label: str = ""
    kind: ShapeKind = "annotation"
    selected: bool = False
    dimmed: bool = False
    rings: tuple[tuple[float, ...], ...] = ()
    """Closed outlines as x, y, x, y, … in picture pixels; drawn in place of the box, which goes around them."""


def painting_order(shapes: Iterable[Shape]) -> list[Shape]:
    """From the bottom to the top: dimmed, then large before small, the selected last, so that it hides under none."""
    return sorted(shapes, key=lambda shape: (shape.selected, not shape.dimmed, -shape.box.area))


def pick(shapes: Iterable[Shape], x: float, y: float, reach_x: float = 0.0, reach_y: float = 0.0) -> Shape | None:
    """The shape under a picture point: the smallest box that contains it, or else the one whose edge is nearest within reach (pixels).

    Among boxes of one size the selected one gives way, so that clicking again walks through boxes that lie on each other.
    """
    shapes = list(shapes)
    inside = [shape for shape in shapes if shape.box.contains(x, y)]
    if inside:
        return min(inside, key=lambda shape: (shape.box.area, shape.selected))
    near = [(_distance(shape.box, x, y, reach_x, reach_y), shape) for shape in shapes]
    near = [(distance, shape) for distance, shape in near if distance <= 1.0]
    return min(near, key=lambda pair: (pair[0], pair[1].box.area))[1] if near else None


def _distance(box: Box, x: float, y: float, reach_x: float, reach_y: float) -> float:
    """How far outside the box the point lies, in reaches."""
    dx = max(box.x0 - x, x - box.x1, 0.0)
    dy = max(box.y0 - y, y - box.y1, 0.0)
    across = dx / reach_x if reach_x > 0 else (0.0 if dx == 0 else 2.0)
    down = dy / reach_y if reach_y > 0 else (0.0 if dy == 0 else 2.0)
    return max(across, down)
