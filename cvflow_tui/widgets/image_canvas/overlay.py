"""Shapes, tags, the draft and the cursor drawn over a raster: the pictures' frame that goes to the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from cvflow_tui.model.geometry import Box
from cvflow_tui.model.text import one_line
from cvflow_tui.widgets.image_canvas.colors import DEFAULT, class_color, handle_color, ink_on, mix
from cvflow_tui.widgets.image_canvas.grid import BOLD, REVERSE, TAG, CellGrid
from cvflow_tui.widgets.image_canvas.outlines import Outlines
from cvflow_tui.widgets.image_canvas.raster import Raster
from cvflow_tui.widgets.image_canvas.scene import Shape, painting_order
from cvflow_tui.widgets.image_canvas.strokes import Pen, Strokes

_TAG_LIMIT = 28
_PAPER = 0x181818
_MARKER = 0xF0E442


@dataclass(frozen=True, slots=True)
class _Span:
    column: int
    row: int
    width: int

    def meets(self, other: _Span) -> bool:
        return self.row == other.row and self.column < other.column + other.width and other.column < self.column + self.width


def draw_shapes(raster: Raster, shapes: Sequence[Shape]) -> CellGrid:
    """The raster's cells with all shapes and their tags over them, in arrays of their own."""
    grid = raster.grid.copy()
    ordered = [shape for shape in painting_order(shapes) if shape.box.is_finite]
    if not ordered:
        return grid
    strokes = _new_strokes(raster)
    for shape in ordered:
        _outline(strokes, raster, shape)
    for shape in ordered:
        if shape.selected:
            _handles(strokes, raster, shape)
    strokes.lay_on(grid)
    placed: list[_Span] = []
    # The most important tag chooses its place first; it's also written last, over any other.
    spans = [(shape, _place_tag(raster, shape, placed)) for shape in reversed(ordered) if shape.label]
    for shape, span in reversed(spans):
        if span is not None:
            _write_tag(raster, grid, shape, span)
    return grid


def draw_draft(raster: Raster, grid: CellGrid, box: Box, color: int) -> None:
    """The box being drawn, with its size in picture pixels, over a grid that shows the raster."""
    shape = Shape("", box, color, f"{box.width:.0f} x {box.height:.0f}", "draft")
    strokes = _new_strokes(raster)
    strokes.rectangle(raster.viewport.box_to_cells(box), _pen(shape))
    strokes.lay_on(grid)
    span = _place_tag(raster, shape, [])
    if span is not None:
        _write_tag(raster, grid, shape, span)


def draw_cursor(raster: Raster, grid: CellGrid, x: float, y: float, *, cross: bool) -> None:
    """The marker at a picture point, with dotted lines to the edges where `cross` is set."""
    column, row = raster.viewport.to_cell(x, y)
    # The right and bottom edge of the picture belong to its last cell.
    column, row = min(column, raster.viewport.columns - 1e-3), min(row, raster.viewport.rows - 1e-3)
    if cross:
        strokes = _new_strokes(raster)
        strokes.cross(column, row, Pen(0xFFFFFF, contrast=True, opacity=0.8))
        strokes.lay_on(grid)
    if column >= 0 and row >= 0:
        plain = raster.glyphs.count == 1
        grid.write(
            int(column), int(row), "+", DEFAULT if plain else 0x000000, DEFAULT if plain else _MARKER, BOLD | (REVERSE if plain else 0)
        )


def _outline(strokes: Strokes | Outlines, raster: Raster, shape: Shape) -> None:
    rings = [ring for ring in shape.rings if len(ring) >= 6]
    if not rings:
        strokes.rectangle(raster.viewport.box_to_cells(shape.box), _pen(shape))
    for ring in rings:
        strokes.ring([raster.viewport.to_cell(x, y) for x, y in zip(ring[::2], ring[1::2], strict=False)], _pen(shape))


def _new_strokes(raster: Raster) -> Strokes | Outlines:
    return Outlines(raster) if raster.glyphs.count == 1 else Strokes(raster)


def _pen(shape: Shape) -> Pen:
    color = handle_color(shape.color) if shape.selected else class_color(shape.color)
    if shape.kind == "draft":
        return Pen(handle_color(shape.color), beside=0.6)
    dashed = shape.kind == "suggestion"
    if shape.dimmed and not shape.selected:
        return Pen(color, opacity=0.45, dashed=dashed)
    return Pen(color, beside=0.55 if shape.selected else 0.85, dashed=dashed, thick=shape.selected)


def _handles(strokes: Strokes | Outlines, raster: Raster, shape: Shape) -> None:
    box = raster.viewport.box_to_cells(shape.box)
    left, top = int(box.x0 // 1), int(box.y0 // 1)
    right, bottom = max(left, -int(-box.x1 // 1) - 1), max(top, -int(-box.y1 // 1) - 1)
    for column in (left, right):
        for row in (top, bottom):
            strokes.block(column, row, Pen(0xFFFFFF))


def _place_tag(raster: Raster, shape: Shape, placed: list[_Span]) -> _Span | None:
    """Where a tag fits without covering another: over the box's top left corner, else on its edges; None for a box out of view."""
    view = raster.viewport
    box = view.box_to_cells(shape.box)
    if box.x1 <= 0 or box.y1 <= 0 or box.x0 >= view.columns or box.y0 >= view.rows:
        return None
    width = min(cell_len(_tag_text(shape)), view.columns)
    left = min(max(0, int(box.x0)), view.columns - width)
    right = min(max(0, -int(-box.x1 // 1) - width), view.columns - width)
    top, bottom = int(box.y0 // 1), -int(-box.y1 // 1)
    rows = [row for row in (top - 1, bottom, top, bottom - 1) if 0 <= row < view.rows] or [0]
    choices = [_Span(column, row, width) for row in rows for column in (left, right)]
    span = next((choice for choice in choices if not any(choice.meets(other) for other in placed)), choices[0])
    placed.append(span)
    return span


def _tag_text(shape: Shape) -> str:
    label = one_line(shape.label, _TAG_LIMIT)
    return f"▸{label} " if shape.selected else f" {label} "


def _write_tag(raster: Raster, grid: CellGrid, shape: Shape, span: _Span) -> None:
    text = _tag_text(shape)
    if raster.glyphs.count == 1:
        text, fg, bg, attrs = text.replace("▸", ">"), DEFAULT, DEFAULT, REVERSE if shape.kind == "annotation" else BOLD
    else:
        fg, bg, attrs = _tag_colors(shape)
    grid.write(span.column, span.row, text, fg, bg, attrs | TAG)


def _tag_colors(shape: Shape) -> tuple[int, int, int]:
    """(ink, paper, attributes): filled for what a person stands behind and for the selected, coloured ink on dark for a suggestion."""
    color = handle_color(shape.color) if shape.selected else class_color(shape.color)
    if shape.dimmed and not shape.selected:
        return mix(color, _PAPER, 0.45), _PAPER, 0
    if shape.kind == "annotation" or shape.selected:
        return ink_on(color), color, BOLD if shape.selected else 0
    return color, _PAPER, 0
