"""A picture drawn into cells: sampled once per sub-cell, then fitted to the glyph set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvflow_tui.model.geometry import Box
from cvflow_tui.widgets.image_canvas.colors import DEFAULT, pack, rgb
from cvflow_tui.widgets.image_canvas.glyphs import ASCII_RAMP, GlyphSet, fit
from cvflow_tui.widgets.image_canvas.grid import CellGrid
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture
from cvflow_tui.widgets.image_canvas.viewport import Viewport

_RAMP = np.array([ord(character) for character in ASCII_RAMP], dtype=np.uint32)


@dataclass(frozen=True, eq=False)
class Raster:
    """A picture on a canvas without anything over it.

    `pixels` [rows * down, columns * across, 3] uint8 has a pixel for each sub-cell; `grid` is their fit.
    Both are shared: copy before writing.
    """

    viewport: Viewport
    glyphs: GlyphSet
    background: int
    pixels: NDArray[np.uint8]
    grid: CellGrid

    def blocks(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.uint8]:
        """The pixels of the cells at (rows[i], columns[i]): [n, sub-cells, 3]."""
        return blocks_of(self.pixels, self.glyphs)[rows, columns]


def blocks_of(pixels: NDArray[np.uint8], glyphs: GlyphSet) -> NDArray[np.uint8]:
    """Sub-cell pixels grouped by cell: [rows, columns, sub-cells, 3]."""
    height, width = pixels.shape[:2]
    rows, columns = height // glyphs.down, width // glyphs.across
    cells = pixels.reshape(rows, glyphs.down, columns, glyphs.across, 3).swapaxes(1, 2)
    return cells.reshape(rows, columns, glyphs.count, 3)


def picture_window(viewport: Viewport, glyphs: GlyphSet) -> tuple[Box, tuple[int, int, int, int]]:
    """What part of the picture (in its pixels) fills which sub-cells (left, top, right, bottom) of the canvas."""
    area = viewport.box_to_cells(Box(0, 0, viewport.image.width, viewport.image.height))
    left, right = _span(area.x0 * glyphs.across, area.x1 * glyphs.across, viewport.columns * glyphs.across)
    top, bottom = _span(area.y0 * glyphs.down, area.y1 * glyphs.down, viewport.rows * glyphs.down)
    first = viewport.to_picture(left / glyphs.across, top / glyphs.down)
    last = viewport.to_picture(right / glyphs.across, bottom / glyphs.down)
    return Box(*first, *last).clipped(viewport.image), (left, top, right, bottom)


def _span(start: float, end: float, limit: int) -> tuple[int, int]:
    """The sub-cells at least half of which lie between two points, within the canvas; at least one."""
    first = min(max(0, round(start)), limit - 1)
    return first, max(first + 1, min(limit, round(end)))


def rasterise(picture: CanvasPicture, viewport: Viewport, glyphs: GlyphSet, background: int) -> Raster:
    """Draw what the viewport shows of the picture; around it lies the background. Takes milliseconds: for a worker thread."""
    red, green, blue = rgb(background) if background != DEFAULT else (0, 0, 0)
    pixels = np.empty((viewport.rows * glyphs.down, viewport.columns * glyphs.across, 3), np.uint8)
    pixels[:] = (red, green, blue)
    box, (left, top, right, bottom) = picture_window(viewport, glyphs)
    pixels[top:bottom, left:right] = picture.sample(box, right - left, bottom - top)
    inside = (left // glyphs.across, top // glyphs.down, -(-right // glyphs.across), -(-bottom // glyphs.down))
    grid = CellGrid.blank(viewport.columns, viewport.rows, background)
    if glyphs.count == 1:
        _draw_ramp(grid, pixels, inside)
    else:
        _draw_fit(grid, blocks_of(pixels, glyphs), inside, glyphs)
    return Raster(viewport, glyphs, background, pixels, grid)


def _draw_fit(grid: CellGrid, blocks: NDArray[np.uint8], inside: tuple[int, int, int, int], glyphs: GlyphSet) -> None:
    left, top, right, bottom = inside
    part = blocks[top:bottom, left:right]
    fitted = fit(part.reshape(-1, glyphs.count, 3))
    shape = part.shape[:2]
    grid.codes[top:bottom, left:right] = glyphs.table[fitted.patterns].reshape(shape)
    grid.fg[top:bottom, left:right] = pack(fitted.fg).reshape(shape)
    grid.bg[top:bottom, left:right] = pack(fitted.bg).reshape(shape)


def _draw_ramp(grid: CellGrid, pixels: NDArray[np.uint8], inside: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = inside
    light = pixels[top:bottom, left:right] @ np.array([0.299, 0.587, 0.114])
    # Stretched to the lightness there is: a ramp has few steps, and a dull picture would use two of them.
    low, high = np.percentile(light, (2, 98))
    share = np.clip((light - low) / max(1.0, high - low), 0, 1)
    grid.codes[top:bottom, left:right] = _RAMP[(share * (len(_RAMP) - 1) + 0.5).astype(np.intp)]
    grid.bg[:] = DEFAULT
