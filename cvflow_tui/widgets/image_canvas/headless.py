"""A picture with its boxes as text, for the command line: no app, no Textual."""

from __future__ import annotations

from collections.abc import Sequence

from cvflow_tui.widgets.image_canvas.colors import DEFAULT, Depth
from cvflow_tui.widgets.image_canvas.glyphs import choose
from cvflow_tui.widgets.image_canvas.grid import Row
from cvflow_tui.widgets.image_canvas.overlay import draw_shapes
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture
from cvflow_tui.widgets.image_canvas.raster import rasterise
from cvflow_tui.widgets.image_canvas.scene import Shape
from cvflow_tui.widgets.image_canvas.terminal import cell_aspect, color_depth
from cvflow_tui.widgets.image_canvas.viewport import Viewport


def render_to_ansi(
    picture: CanvasPicture,
    shapes: Sequence[Shape],
    columns: int,
    rows: int,
    glyphs: str = "auto",
    *,
    depth: Depth | None = None,
    aspect: float | None = None,
) -> str:
    """The picture with its shapes in at most `columns` x `rows` cells, as lines that end with a newline.

    It starts at the left edge and is no taller than the picture needs. `depth` and `aspect` are asked of the terminal where they
    are not given. Raises ValueError for glyphs that are not known.
    """
    depth = color_depth() if depth is None else depth
    glyph_set = choose(glyphs, color=depth is not Depth.NONE)
    aspect = cell_aspect() if aspect is None else aspect
    fitted = Viewport.fit(picture.size, columns, rows, aspect)
    # No margins: a fitted view of exactly the cells that the picture takes.
    used_columns = min(columns, max(1, round(picture.size.width * fitted.scale)))
    used_rows = min(rows, max(1, round(picture.size.height * fitted.scale_y)))
    raster = rasterise(picture, Viewport.fit(picture.size, used_columns, used_rows, aspect), glyph_set, DEFAULT)
    grid = draw_shapes(raster, shapes)
    return "".join(Row(grid, y, depth).ansi(0, grid.columns) + "\n" for y in range(grid.rows))
