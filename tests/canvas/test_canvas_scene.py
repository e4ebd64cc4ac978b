from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.model.geometry import Box
from cvflow_tui.widgets.image_canvas.colors import class_color, handle_color, pack, rgb
from cvflow_tui.widgets.image_canvas.glyphs import SETS
from cvflow_tui.widgets.image_canvas.grid import CellGrid
from cvflow_tui.widgets.image_canvas.overlay import draw_cursor, draw_draft, draw_shapes
from cvflow_tui.widgets.image_canvas.picture import CanvasPicture
from cvflow_tui.widgets.image_canvas.raster import Raster, rasterise
from cvflow_tui.widgets.image_canvas.scene import Shape, painting_order, pick
from cvflow_tui.widgets.image_canvas.viewport import Viewport

COORDINATE = st.floats(-50, 750)
BOXES = st.builds(lambda a, b, c, d: Box(a, b, c, d).ordered(), COORDINATE, COORDINATE, COORDINATE, COORDINATE)
SHAPES = st.builds(
    Shape,
    st.uuids().map(str),
    BOXES,
    st.integers(0, 20),
    st.text(max_size=12),
    st.sampled_from(["annotation", "suggestion", "draft"]),
    st.booleans(),
    st.booleans(),
)
SUBCELLED = ["half", "quadrant", "sextant", "octant"]


def _raster(photo: CanvasPicture, glyphs: str = "quadrant", columns: int = 60, rows: int = 20) -> Raster:
    return rasterise(photo, Viewport.fit(photo.size, columns, rows), SETS[glyphs], 0x101010)


def _text(grid: CellGrid, row: int) -> str:
    return "".join(chr(code) for code in grid.codes[row].tolist() if code)


# Picking


@given(st.lists(SHAPES, max_size=6), COORDINATE, COORDINATE)
def test_a_click_picks_the_smallest_box_around_it(shapes: list[Shape], x: float, y: float) -> None:
    picked = pick(shapes, x, y)
    around = [shape for shape in shapes if shape.box.contains(x, y)]
    assert (picked is None) == (not around)
    if picked is not None:
        assert picked.box.area == min(shape.box.area for shape in around)


def test_an_edge_can_be_hit_from_just_outside() -> None:
    shape = Shape("a", Box(100, 100, 200, 200))
    assert pick([shape], 203, 150, 5, 10) is shape
    assert pick([shape], 150, 209, 5, 10) is shape
    assert pick([shape], 206, 150, 5, 10) is None
    assert pick([shape], 203, 150) is None


def test_boxes_on_each_other_are_walked_through_by_clicking_again() -> None:
    first, second = Shape("a", Box(0, 0, 10, 10), selected=True), Shape("b", Box(0, 0, 10, 10))
    assert pick([first, second], 5, 5) is second


def test_the_selected_is_painted_last_and_small_boxes_over_large_ones() -> None:
    large, small, chosen = Shape("l", Box(0, 0, 90, 90)), Shape("s", Box(0, 0, 9, 9)), Shape("c", Box(0, 0, 500, 500), selected=True)
    assert [shape.id for shape in painting_order([chosen, small, large])] == ["l", "s", "c"]


# Drawing


@given(shapes=st.lists(SHAPES, max_size=5), glyphs=st.sampled_from(["ascii", *SUBCELLED]), zoom=st.floats(1, 30))
def test_any_shapes_can_be_drawn_and_the_raster_stays_as_it_was(
    photo: CanvasPicture, shapes: list[Shape], glyphs: str, zoom: float
) -> None:
    raster = rasterise(photo, Viewport.fit(photo.size, 40, 12).zoomed(zoom, 3, 4), SETS[glyphs], 0)
    before = raster.grid.copy()
    grid = draw_shapes(raster, shapes)
    draw_draft(raster, grid, Box(10, 10, 10, 10), 3)
    draw_cursor(raster, grid, 600, 400, cross=True)
    assert grid.codes.shape == (12, 40)
    assert not raster.grid.changes(before).any()


@pytest.mark.parametrize("glyphs", SUBCELLED)
def test_an_outline_lies_on_the_sub_cells_of_its_edges(photo: CanvasPicture, glyphs: str) -> None:
    raster = _raster(photo, glyphs)
    view, down, across = raster.viewport, raster.glyphs.down, raster.glyphs.across
    # A box whose corners are in the middle of known cells.
    x0, y0 = view.to_picture(10 + 0.25 / across, 5 + 0.25 / down)
    x1, y1 = view.to_picture(30 - 0.25 / across, 15 - 0.25 / down)
    grid = draw_shapes(raster, [Shape("a", Box(x0, y0, x1, y1), 0)])
    changed = grid.changes(raster.grid)
    line = grid.fg == class_color(0)
    assert line[5, 10:30].all()
    assert line[14, 10:30].all()
    assert line[5:15, 10].all()
    assert line[5:15, 29].all()
    assert not changed[6:14, 11:29].any(), "inside nothing is touched"
    outside = changed.copy()
    outside[5:15, 10:30] = False
    assert not outside.any()
    pattern = raster.glyphs.table.tolist().index(int(grid.codes[8, 10]))
    left_column = sum(1 << (row * across) for row in range(down))
    assert pattern == left_column, "the left edge is the left sub-cells"


def test_a_suggestion_is_dashed_and_its_corners_are_drawn(photo: CanvasPicture) -> None:
    raster = _raster(photo)
    box = Box(*raster.viewport.to_picture(10, 5), *raster.viewport.to_picture(34, 15))
    solid = draw_shapes(raster, [Shape("a", box, 1)]).fg[5, 10:34] == class_color(1)
    dashed = draw_shapes(raster, [Shape("a", box, 1, kind="suggestion")]).fg[5, 10:34] == class_color(1)
    assert solid.all()
    assert 0.3 < dashed.mean() < 0.75
    assert dashed[0]
    assert dashed[-1]


def test_the_selected_is_brighter_and_has_corners_to_take_hold_of(photo: CanvasPicture) -> None:
    raster = _raster(photo)
    box = Box(*raster.viewport.to_picture(10, 5), *raster.viewport.to_picture(34, 15))
    grid = draw_shapes(raster, [Shape("a", box, 2, selected=True)])
    assert grid.fg[5, 20] == handle_color(2) != class_color(2)
    for row, column in ((5, 10), (5, 33), (14, 10), (14, 33)):
        assert grid.fg[row, column] == 0xFFFFFF


def test_a_tag_stands_over_the_top_left_corner_and_lines_do_not_cut_it(photo: CanvasPicture) -> None:
    raster = _raster(photo)
    box = Box(*raster.viewport.to_picture(10, 5), *raster.viewport.to_picture(34, 15))
    grid = draw_shapes(raster, [Shape("a", box, 0, "1 raccoon .91")])
    assert _text(grid, 4)[10:].startswith(" 1 raccoon .91 ")
    assert grid.bg[4, 12] == class_color(0)
    draw_cursor(raster, grid, *raster.viewport.to_picture(15.2, 10.2), cross=True)
    assert _text(grid, 4)[10:].startswith(" 1 raccoon .91 ")


def test_tags_do_not_cover_each_other_while_there_is_room(photo: CanvasPicture) -> None:
    raster = _raster(photo)
    box = Box(*raster.viewport.to_picture(10, 5), *raster.viewport.to_picture(34, 15))
    shapes = [Shape(str(number), box, number, f"number{number}") for number in range(6)]
    shown = "\n".join(_text(draw_shapes(raster, shapes), row) for row in range(20))
    for shape in shapes:
        assert f" {shape.label} " in shown


@pytest.mark.parametrize("glyphs", ["ascii", "quadrant"])
def test_labels_with_markup_and_controls_come_out_as_harmless_text(photo: CanvasPicture, glyphs: str) -> None:
    raster = _raster(photo, glyphs)
    box = Box(*raster.viewport.to_picture(10, 5), *raster.viewport.to_picture(50, 15))
    grid = draw_shapes(raster, [Shape("a", box, 0, "[red]x\x1b[31m\n\x07\u202ey\u0301")])
    assert "[red]x \ufffd\ufffdy" in _text(grid, 4)
    assert not np.isin(grid.codes, [0x1B, 0x07, 0x0A, 0x202E]).any()


def test_wide_characters_take_two_cells_and_are_never_halved(photo: CanvasPicture) -> None:
    raster = _raster(photo, columns=60)
    grid = raster.grid.copy()
    assert grid.write(57, 2, "人人", 1, 2) == 4
    assert _text(grid, 2).endswith("人 "), "the second has no room"
    grid.write(58, 2, "x", 1, 2)
    assert _text(grid, 2).endswith(" x ")
    before = raster.grid.copy()
    before.write(10, 1, "人", 1, 2)
    after = before.copy()
    after.write(11, 1, "|", 3, 4)
    assert after.changes(before)[1, 10:12].all(), "both halves are sent again"


@pytest.mark.parametrize("glyphs", SUBCELLED)
def test_only_touched_cells_are_fitted_again_and_the_rest_is_the_picture(photo: CanvasPicture, glyphs: str) -> None:
    raster = _raster(photo, glyphs)
    grid = raster.grid.copy()
    draw_draft(raster, grid, Box(100, 100, 140, 130), 0)
    changed = grid.changes(raster.grid)
    assert 0 < changed.sum() < 60
    assert np.array_equal(grid.codes[~changed], raster.grid.codes[~changed])


def test_the_crosshair_stays_inside_the_picture_and_does_not_move_along_its_own_line(photo: CanvasPicture) -> None:
    raster = _raster(photo, columns=100)
    view = raster.viewport
    one, two = raster.grid.copy(), raster.grid.copy()
    draw_cursor(raster, one, *view.to_picture(40.2, 10.2), cross=True)
    draw_cursor(raster, two, *view.to_picture(41.2, 10.2), cross=True)
    margin = int(view.to_cell(0, 0)[0])
    assert margin > 3
    assert not one.changes(raster.grid)[:, :margin].any()
    assert one.changes(raster.grid)[10].sum() > 20
    moved = two.changes(one)
    assert moved[10].sum() <= 3
    assert moved.sum() < 25


def test_the_colour_of_a_line_is_not_lost_where_the_picture_has_it_too(photo: CanvasPicture) -> None:
    pixels = np.full((40, 40, 3), 0, np.uint8)
    pixels[:] = rgb(class_color(0))
    raster = rasterise(CanvasPicture.from_array(pixels), Viewport.fit(CanvasPicture.from_array(pixels).size, 20, 10), SETS["quadrant"], 0)
    grid = draw_shapes(raster, [Shape("a", Box(10, 10, 30, 30), 0)])
    edge = grid.changes(raster.grid)
    assert edge.any()
    assert (grid.bg[edge] != int(pack(pixels[0, 0][None])[0])).any(), "beside the line it is darker"


# Outlines


def _drawn(grid: CellGrid, raster: Raster) -> set[tuple[int, int]]:
    """Cells that something was drawn over."""
    changed = (grid.codes != raster.grid.codes) | (grid.fg != raster.grid.fg) | (grid.bg != raster.grid.bg)
    return {(int(column), int(row)) for row, column in zip(*np.nonzero(changed), strict=True)}


@pytest.mark.parametrize("glyphs", [*SUBCELLED, "ascii"])
def test_a_ring_is_drawn_along_its_corners_and_the_box_is_not(photo: CanvasPicture, glyphs: str) -> None:
    raster = _raster(photo, glyphs)
    size = photo.size
    x, y = size.width / 2, size.height / 2
    ring = (x, 10.0, size.width - 10.0, y, x, size.height - 10.0, 10.0, y)
    shape = Shape("a", Box(10, 10, size.width - 10, size.height - 10), 0, "", rings=(ring,))
    cells = _drawn(draw_shapes(raster, [shape]), raster)
    view = raster.viewport
    for corner in zip(ring[::2], ring[1::2], strict=True):
        column, row = view.to_cell(*corner)
        assert any(abs(at - column) <= 1.5 and abs(line - row) <= 1.5 for at, line in cells)
    left, top = view.to_cell(10, 10)
    assert not any(abs(at - left) <= 2 and abs(line - top) <= 2 for at, line in cells), "the box's corner is bare"


@given(st.lists(st.floats(-1e9, 1e9), min_size=6, max_size=24), st.booleans())
def test_any_ring_is_drawn_without_harm(photo: CanvasPicture, ring: list[float], selected: bool) -> None:
    raster = _raster(photo)
    shape = Shape("a", Box(0, 0, 5, 5), 0, "tag", "suggestion", selected, rings=(tuple(ring),))
    grid = draw_shapes(raster, [shape])
    assert grid.codes.shape == raster.grid.codes.shape


def test_a_ring_of_two_points_leaves_the_box(photo: CanvasPicture) -> None:
    raster = _raster(photo)
    box = Box(50, 50, 200, 200)
    with_ring = draw_shapes(raster, [Shape("a", box, rings=((1.0, 1.0, 2.0, 2.0),))])
    without = draw_shapes(raster, [Shape("a", box)])
    assert (with_ring.codes == without.codes).all()
    assert (with_ring.fg == without.fg).all()
