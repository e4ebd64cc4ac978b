"""Where the picture lies on the canvas: one affine map between picture pixels and terminal cells.

Frames: *picture* is pixels of the picture as displayed (float, x right, y down); *cell* is columns and rows of the canvas
(float, origin at its top left corner). A sub-cell is a cell divided by the glyph set's grid, so sub-cell = cell * (across, down).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from cvflow_tui.model.geometry import Box, Size

DEFAULT_ASPECT = 0.5
"""Width of a cell over its height, where the terminal does not say."""
_COLUMNS_PER_PIXEL = 8.0
"""Zoom ends where one picture pixel is this many columns wide."""


@dataclass(frozen=True, slots=True)
class Viewport:
    """A picture of `image` pixels seen through `columns` x `rows` cells.

    `scale` is columns per picture pixel; rows per pixel are `scale * aspect`. (`x`, `y`) is the picture point at the canvas'
    top left corner; it is negative where the picture is smaller than the canvas. `fitted` follows the canvas' size.
    """

    image: Size
    columns: int
    rows: int
    aspect: float = DEFAULT_ASPECT
    scale: float = 1.0
    x: float = 0.0
    y: float = 0.0
    fitted: bool = True

    @classmethod
    def fit(cls, image: Size, columns: int, rows: int, aspect: float = DEFAULT_ASPECT) -> Viewport:
        """The whole picture, as large as the canvas allows, centred on whole cells."""
        view = cls(image, max(1, columns), max(1, rows), aspect)
        return replace(view, scale=view.fit_scale, fitted=True)._clamped()

    @property
    def fit_scale(self) -> float:
        """Columns per pixel at which the whole picture just fits."""
        return min(self.columns / self.image.width, self.rows / (self.image.height * self.aspect))

    @property
    def max_scale(self) -> float:
        """Columns per pixel at the deepest zoom."""
        return max(_COLUMNS_PER_PIXEL, self.fit_scale)

    @property
    def scale_y(self) -> float:
        """Rows per picture pixel."""
        return self.scale * self.aspect

    @property
    def zoom(self) -> float:
        """Magnification against the fitted view; 1.0 shows the whole picture."""
        return self.scale / self.fit_scale

    @property
    def visible(self) -> Box:
        """The part of the picture that is on the canvas, in picture pixels."""
        x1, y1 = self.to_picture(self.columns, self.rows)
        return Box(self.x, self.y, x1, y1).clipped(self.image)

    def to_cell(self, x: float, y: float) -> tuple[float, float]:
        """Picture point to cell point."""
        return (x - self.x) * self.scale, (y - self.y) * self.scale_y

    def to_picture(self, column: float, row: float) -> tuple[float, float]:
        """Cell point to picture point; may lie outside the picture."""
        return self.x + column / self.scale, self.y + row / self.scale_y

    def box_to_cells(self, box: Box) -> Box:
        """A box of picture pixels as a box of cells."""
        return Box(*self.to_cell(box.x0, box.y0), *self.to_cell(box.x1, box.y1))

    def clip_point(self, x: float, y: float) -> tuple[float, float]:
        """The nearest point inside the picture."""
        return min(max(x, 0.0), float(self.image.width)), min(max(y, 0.0), float(self.image.height))

    def zoomed(self, factor: float, column: float | None = None, row: float | None = None) -> Viewport:
        """Zoomed by `factor` so that what lies under the cell point (default: the middle) stays there. Never below the fitted view."""
        return self.scaled_to(self.scale * factor, column, row)

    def scaled_to(self, scale: float, column: float | None = None, row: float | None = None) -> Viewport:
        """Set to `scale` columns per pixel, within the limits, about a cell point (default: the middle)."""
        column = self.columns / 2 if column is None else column
        row = self.rows / 2 if row is None else row
        target = min(max(scale, self.fit_scale), self.max_scale)
        if math.isclose(target, self.fit_scale, rel_tol=1e-9):
            return Viewport.fit(self.image, self.columns, self.rows, self.aspect)
        x, y = self.to_picture(column, row)
        moved = replace(self, scale=target, x=x - column / target, y=y - row / (target * self.aspect), fitted=False)
        return moved._clamped()

    def one_to_one(self, across: int, column: float | None = None, row: float | None = None) -> Viewport:
        """One picture pixel for each sub-cell, `across` of which make a column: the closest view that invents nothing."""
        return self.scaled_to(1.0 / across, column, row)

    def panned(self, columns: float, rows: float) -> Viewport:
        """Moved by so many cells: positive looks further right and down."""
        return replace(self, x=self.x + columns / self.scale, y=self.y + rows / self.scale_y)._clamped()

    def resized(self, columns: int, rows: int, aspect: float | None = None) -> Viewport:
        """For a canvas of another size: a fitted view is fitted again, any other keeps its scale and its middle."""
        aspect = self.aspect if aspect is None else aspect
        columns, rows = max(1, columns), max(1, rows)
        if self.fitted:
            return Viewport.fit(self.image, columns, rows, aspect)
        x, y = self.to_picture(self.columns / 2, self.rows / 2)
        view = replace(self, columns=columns, rows=rows, aspect=aspect)
        view = replace(view, scale=min(max(self.scale, view.fit_scale), view.max_scale))
        return replace(view, x=x - columns / 2 / view.scale, y=y - rows / 2 / view.scale_y)._clamped()

    def revealing(self, x: float, y: float, margin: float = 1.0) -> Viewport:
        """The least panned view in which the picture point lies at least `margin` cells inside the canvas, if it can."""
        column, row = self.to_cell(x, y)
        dx = min(0.0, column - margin) + max(0.0, column - (self.columns - margin))
        dy = min(0.0, row - margin) + max(0.0, row - (self.rows - margin))
        return self.panned(dx, dy) if dx or dy else self

    def _clamped(self) -> Viewport:
        return replace(
            self,
            x=_clamp_axis(self.x, self.columns, self.image.width, self.scale),
            y=_clamp_axis(self.y, self.rows, self.image.height, self.scale_y),
        )


def _clamp_axis(origin: float, cells: int, pixels: int, scale: float) -> float:
    """The origin of one axis: a picture shorter than the canvas is centred with a margin of whole cells, a longer one leaves no gap."""
    shown = pixels * scale
    if shown <= cells + 1e-9:
        # Whole cells: a margin of half a cell would tear every edge of the picture out of line with the glyphs.
        return -math.floor((cells - shown) / 2 + 1e-9) / scale
    return min(max(origin, 0.0), pixels - cells / scale)
