"""Lines over a picture at sub-cell resolution: which sub-cells a line takes, and the fit of the cells it touches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvflow_tui.model.geometry import Box
from cvflow_tui.widgets.image_canvas.colors import DEFAULT, pack, unpack
from cvflow_tui.widgets.image_canvas.grid import TAG, CellGrid
from cvflow_tui.widgets.image_canvas.raster import Raster, picture_window

_DASH = 2
"""Columns of a dash and of the gap after it; a row, twice as tall as a column is wide, counts for two."""


@dataclass(frozen=True, slots=True)
class Pen:
    """How a line looks: packed colour, opacity (1 hides the picture), how much of the light beside it stays, dashed or not.

    `contrast` takes black or white, whichever stands out from the picture, instead of the colour.
    """

    color: int
    opacity: float = 1.0
    beside: float = 1.0
    dashed: bool = False
    thick: bool = False
    contrast: bool = False


class Strokes:
    """Lines to be laid over a raster. Later ones lie on top."""

    def __init__(self, raster: Raster) -> None:
        self._raster = raster
        self._owner: NDArray[np.int16] = np.full(raster.pixels.shape[:2], -1, np.int16)
        self._pens: list[Pen] = []

    def rectangle(self, box: Box, pen: Pen) -> None:
        """The outline of a box given in cells (float). Edges off the canvas are not drawn."""
        glyphs = self._raster.glyphs
        height, width = self._owner.shape
        left, top = _first(box.x0 * glyphs.across), _first(box.y0 * glyphs.down)
        right, bottom = _last(box.x1 * glyphs.across, left), _last(box.y1 * glyphs.down, top)
        if right < 0 or bottom < 0 or left >= width or top >= height:
            return
        owner = self._pen(pen)
        across = 2 if pen.thick and glyphs.across > 1 else 1
        down = 2 if pen.thick and glyphs.down > 2 else 1
        columns, rows = np.arange(max(0, left), min(width, right + 1)), np.arange(max(0, top), min(height, bottom + 1))
        if pen.dashed:
            columns = columns[_dashes(columns, left, right, _DASH * glyphs.across)]
            rows = rows[_dashes(rows, top, bottom, _DASH * glyphs.down // 2)]
        for step in range(across):
            self._column(left + step, rows, owner)
            self._column(right - step, rows, owner)
        for step in range(down):
            self._row(top + step, columns, owner)
            self._row(bottom - step, columns, owner)

    def ring(self, points: Sequence[tuple[float, float]], pen: Pen) -> None:
        """A closed line through points given in cells (float). What lies off the canvas is not drawn."""
        glyphs = self._raster.glyphs
        height, width = self._owner.shape
        corners = np.array([*points, points[0]], np.float64) * (glyphs.across, glyphs.down)
        # From far off the canvas a line would be millions of steps: its ends are brought near, which bends only what is not seen.
        corners = np.clip(np.nan_to_num(corners), -4 * max(width, height), 4 * max(width, height))
        steps = np.ceil(np.abs(np.diff(corners, axis=0)).max(axis=1)).astype(np.intp) + 1
        along = [np.linspace(start, end, count, endpoint=False) for start, end, count in zip(corners[:-1], corners[1:], steps, strict=True)]
        places = np.floor(np.concatenate(along) + 1e-6).astype(np.intp)
        if pen.dashed:
            places = places[(np.arange(len(places)) // (_DASH * glyphs.across)) % 2 == 0]
        wide = places if not pen.thick or glyphs.across == 1 else np.concatenate([places, places + np.array([1, 0])])
        inside = wide[(wide[:, 0] >= 0) & (wide[:, 0] < width) & (wide[:, 1] >= 0) & (wide[:, 1] < height)]
        if len(inside):
            self._owner[inside[:, 1], inside[:, 0]] = self._pen(pen)

    def block(self, column: int, row: int, pen: Pen) -> None:
        """One whole cell."""
        glyphs = self._raster.glyphs
        if 0 <= column < self._raster.viewport.columns and 0 <= row < self._raster.viewport.rows:
            top, left = row * glyphs.down, column * glyphs.across
            self._owner[top : top + glyphs.down, left : left + glyphs.across] = self._pen(pen)

    def cross(self, column: float, row: float, pen: Pen) -> None:
        """Dotted lines through a cell point to the picture's edges: every second cell, which hides less of it and costs half the bytes."""
        glyphs = self._raster.glyphs
        height, width = self._owner.shape
        x, y = _first(column * glyphs.across), _first(row * glyphs.down)
        owner = self._pen(pen)
        # The dots stay where they are while the cross moves along its own line, so that only the other line is sent.
        _, (left, top, right, bottom) = picture_window(self._raster.viewport, glyphs)
        columns, rows = np.arange(left, right), np.arange(top, bottom)
        if 0 <= y < height:
            self._row(y, columns[(columns // glyphs.across) % 2 == 0], owner)
        if 0 <= x < width:
            self._column(x, rows[(rows // glyphs.down) % 2 == 0], owner)

    def lay_on(self, grid: CellGrid) -> None:
        """Draw all lines into a grid that shows the raster: only the cells they touch are fitted again. Tags stay whole."""
        glyphs = self._raster.glyphs
        rows, columns = grid.codes.shape
        owners = self._owner.reshape(rows, glyphs.down, columns, glyphs.across).swapaxes(1, 2).reshape(rows, columns, glyphs.count)
        at = np.nonzero((owners.max(axis=2) >= 0) & (grid.attrs & TAG == 0))
        cells = owners[at]
        if not len(cells):
            return
        top = cells.max(axis=1)
        front = cells == top[:, None]
        pixels = self._raster.blocks(*at).astype(np.float32)
        mean = pixels.mean(axis=1)
        fg = self._ink(top, mean)
        bg = self._ground(cells, front, pixels, fg)
        pattern = (front << np.arange(glyphs.count)).sum(axis=1)
        grid.codes[at] = glyphs.table[pattern]
        grid.fg[at] = pack(np.clip(fg, 0, 255).astype(np.uint8))
        grid.bg[at] = pack(np.clip(bg, 0, 255).astype(np.uint8)) if glyphs.count > 1 else DEFAULT
        grid.attrs[at] = 0

    def _ink(self, top: NDArray[np.int16], mean: NDArray[np.float32]) -> NDArray[np.float32]:
        colors = unpack(np.array([pen.color for pen in self._pens], np.int32)).astype(np.float32)[top]
        contrast = np.array([pen.contrast for pen in self._pens])[top]
        light = mean @ np.array([0.299, 0.587, 0.114], np.float32)
        colors[contrast] = np.where(light[contrast] > 130, 0.0, 255.0)[:, None]
        opacity = np.array([pen.opacity for pen in self._pens], np.float32)[top][:, None]
        return np.asarray(colors * opacity + mean * (1 - opacity), np.float32)

    def _ground(
        self, cells: NDArray[np.int16], front: NDArray[np.bool_], pixels: NDArray[np.float32], fg: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The colour behind: what is not of the top line, other lines included, darkened beside it."""
        colors = unpack(np.array([pen.color for pen in self._pens] + [0], np.int32)).astype(np.float32)
        behind = np.where((cells >= 0)[:, :, None], colors[cells], pixels)
        weight = (~front).astype(np.float32)[:, :, None]
        count = weight.sum(axis=1)
        beside = np.array([pen.beside for pen in self._pens], np.float32)[cells.max(axis=1)][:, None]
        ground = (behind * weight).sum(axis=1) / np.maximum(count, 1) * beside
        return np.where(count > 0, ground, fg)

    def _pen(self, pen: Pen) -> int:
        self._pens.append(pen)
        return len(self._pens) - 1

    def _column(self, x: int, rows: NDArray[np.intp], owner: int) -> None:
        if 0 <= x < self._owner.shape[1]:
            self._owner[rows, x] = owner

    def _row(self, y: int, columns: NDArray[np.intp], owner: int) -> None:
        if 0 <= y < self._owner.shape[0]:
            self._owner[y, columns] = owner


def _first(value: float) -> int:
    """The sub-cell in which a coordinate lies; one that is a hair under a border belongs to the next."""
    return int(np.floor(value + 1e-6))


def _last(value: float, first: int) -> int:
    """The last sub-cell before a coordinate, never before `first`."""
    return max(first, int(np.ceil(value - 1e-6)) - 1)


def _dashes(positions: NDArray[np.intp], start: int, end: int, length: int) -> NDArray[np.bool_]:
    """Dashes and gaps of `length`, mirrored about the middle, so that every corner is drawn."""
    from_corner = np.minimum(positions - start, end - positions)
    return np.asarray((from_corner // max(1, length)) % 2 == 0)
