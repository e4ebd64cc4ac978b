"""Lines drawn with characters, where cells have no sub-cells (ASCII, no colour). Same calls as `strokes.Strokes`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from cvflow_tui.model.geometry import Box
from cvflow_tui.widgets.image_canvas.colors import DEFAULT
from cvflow_tui.widgets.image_canvas.grid import BOLD, TAG, CellGrid
from cvflow_tui.widgets.image_canvas.raster import Raster, picture_window
from cvflow_tui.widgets.image_canvas.strokes import Pen

_SOLID = ("-", "|", "+")
_THICK = ("=", "|", "#")


class Outlines:
    """Lines to be laid over a raster of whole cells. Later ones lie on top."""

    def __init__(self, raster: Raster) -> None:
        self._raster = raster
        self._columns, self._rows = raster.viewport.columns, raster.viewport.rows
        self._cells: dict[tuple[int, int], tuple[str, int]] = {}

    def rectangle(self, box: Box, pen: Pen) -> None:
        """The outline of a box given in cells."""
        left, top = math.floor(box.x0 + 1e-6), math.floor(box.y0 + 1e-6)
        right, bottom = max(left, math.ceil(box.x1 - 1e-6) - 1), max(top, math.ceil(box.y1 - 1e-6) - 1)
        flat, upright, corner = _THICK if pen.thick else _SOLID
        attrs = BOLD if pen.thick else 0
        for column in range(max(left, 0), min(right, self._columns - 1) + 1):
            if not pen.dashed or (min(column - left, right - column) // 2) % 2 == 0:
                self._put(column, top, flat, attrs)
                self._put(column, bottom, flat, attrs)
        for row in range(max(top, 0), min(bottom, self._rows - 1) + 1):
            if not pen.dashed or min(row - top, bottom - row) % 2 == 0:
                self._put(left, row, upright, attrs)
                self._put(right, row, upright, attrs)
        for column in (left, right):
            for row in (top, bottom):
                self._put(column, row, corner, attrs)

    def ring(self, points: Sequence[tuple[float, float]], pen: Pen) -> None:
        """A closed line through points given in cells."""
        attrs = BOLD if pen.thick else 0
        drawn = 0
        for (x0, y0), (x1, y1) in pairwise([*points, points[0]]):
            steps = min(4 * (self._columns + self._rows), math.ceil(max(abs(x1 - x0), abs(y1 - y0)))) + 1
            for step in range(steps):
                drawn += 1
                if not pen.dashed or (drawn // 2) % 2 == 0:
                    at = step / steps
                    self._put(math.floor(x0 + (x1 - x0) * at + 1e-6), math.floor(y0 + (y1 - y0) * at + 1e-6), "*", attrs)

    def block(self, column: int, row: int, pen: Pen) -> None:
        """One whole cell: a corner to take hold of."""
        self._put(column, row, "#", BOLD)

    def cross(self, column: float, row: float, pen: Pen) -> None:
        """Dotted lines through a cell point to the picture's edges."""
        x, y = math.floor(column + 1e-6), math.floor(row + 1e-6)
        _, (left, top, right, bottom) = picture_window(self._raster.viewport, self._raster.glyphs)
        for at in range(left + left % 2, right, 2):
            self._put(at, y, "-", 0)
        for at in range(top + top % 2, bottom, 2):
            self._put(x, at, "|", 0)

    def lay_on(self, grid: CellGrid) -> None:
        """Write all lines into the grid. Tags stay whole."""
        for (column, row), (character, attrs) in self._cells.items():
            if not grid.attrs[row, column] & TAG:
                grid.write(column, row, character, DEFAULT, DEFAULT, attrs)

    def _put(self, column: int, row: int, character: str, attrs: int) -> None:
        if 0 <= column < self._columns and 0 <= row < self._rows:
            self._cells[column, row] = (character, attrs)
