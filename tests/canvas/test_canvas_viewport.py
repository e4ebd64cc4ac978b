from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.model.geometry import Size
from cvflow_tui.widgets.image_canvas.glyphs import SETS
from cvflow_tui.widgets.image_canvas.raster import picture_window
from cvflow_tui.widgets.image_canvas.viewport import Viewport

SIZES = st.builds(Size, st.integers(1, 20_000), st.integers(1, 20_000))
ASPECTS = st.floats(0.35, 0.8)
SHARES = st.floats(0, 1)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("zoom"), st.floats(0.2, 5), st.floats(0, 200)),
        st.tuples(st.just("pan"), st.floats(-300, 300), st.floats(-300, 300)),
        st.tuples(st.just("one"), st.just(0.0), st.just(0.0)),
        st.tuples(st.just("size"), st.floats(1, 250), st.floats(1, 80)),
    ),
    max_size=8,
)


@st.composite
def viewports(draw: st.DrawFn) -> Viewport:
    view = Viewport.fit(draw(SIZES), draw(st.integers(1, 250)), draw(st.integers(1, 90)), draw(ASPECTS))
    for kind, one, two in draw(MOVES):
        if kind == "zoom":
            view = view.zoomed(one, min(two, view.columns), view.rows / 3)
        elif kind == "pan":
            view = view.panned(one, two)
        elif kind == "one":
            view = view.one_to_one(2)
        else:
            view = view.resized(int(one), int(two))
    return view


@given(viewports(), SHARES, SHARES)
def test_a_point_survives_the_way_to_the_cells_and_back(view: Viewport, across: float, down: float) -> None:
    x, y = view.image.width * across, view.image.height * down
    back = view.to_picture(*view.to_cell(x, y))
    # Far below a sub-cell (at most a quarter of a row): only rounding of floats is left.
    assert abs(back[0] - x) * view.scale < 1e-6
    assert abs(back[1] - y) * view.scale_y < 1e-6


@given(viewports())
def test_no_view_shows_less_of_the_picture_than_it_could(view: Viewport) -> None:
    for origin, cells, pixels, scale in (
        (view.x, view.columns, view.image.width, view.scale),
        (view.y, view.rows, view.image.height, view.scale_y),
    ):
        shown = pixels * scale
        if shown > cells + 1e-6:
            assert -1e-6 <= origin <= pixels - cells / scale + 1e-6
        else:
            margin = -origin * scale
            assert abs(margin - round(margin)) < 1e-6, "a margin of whole cells"
            assert -1e-6 <= margin <= cells - shown + 1e-6


@given(viewports())
def test_zoom_stays_between_the_whole_picture_and_the_deepest(view: Viewport) -> None:
    assert view.fit_scale * (1 - 1e-9) <= view.scale <= view.max_scale * (1 + 1e-9)
    assert view.zoom >= 1 - 1e-9
    assert not view.fitted or math.isclose(view.zoom, 1, rel_tol=1e-9)


@given(viewports(), SHARES, SHARES, st.floats(1.01, 3))
def test_zooming_in_keeps_the_point_under_the_pointer(view: Viewport, across: float, down: float, factor: float) -> None:
    column, row = view.columns * across, view.rows * down
    x, y = view.to_picture(column, row)
    closer = view.zoomed(factor, column, row)
    # Where the picture then fills the canvas in both directions nothing clamps towards a margin.
    inside = 0 <= x <= view.image.width and 0 <= y <= view.image.height
    if inside and view.image.width * view.scale >= view.columns and view.image.height * view.scale_y >= view.rows:
        after = closer.to_cell(x, y)
        assert abs(after[0] - column) < 1e-4
        assert abs(after[1] - row) < 1e-4


@given(viewports(), st.sampled_from(["half", "quadrant", "sextant", "octant"]))
def test_what_is_sampled_is_where_the_map_says_to_half_a_sub_cell(view: Viewport, name: str) -> None:
    glyphs = SETS[name]
    box, (left, top, right, bottom) = picture_window(view, glyphs)
    assert 0 <= left < right <= view.columns * glyphs.across
    assert 0 <= top < bottom <= view.rows * glyphs.down
    cells = view.box_to_cells(box)
    if right - left > 1 and bottom - top > 1:
        for value, at in ((cells.x0 * glyphs.across, left), (cells.x1 * glyphs.across, right)):
            assert abs(value - at) <= 0.5 + 1e-6
        for value, at in ((cells.y0 * glyphs.down, top), (cells.y1 * glyphs.down, bottom)):
            assert abs(value - at) <= 0.5 + 1e-6


@given(viewports(), SHARES, SHARES)
def test_revealing_a_point_brings_it_on_the_canvas(view: Viewport, across: float, down: float) -> None:
    x, y = view.image.width * across, view.image.height * down
    column, row = view.revealing(x, y).to_cell(x, y)
    assert -1e-4 <= column <= view.columns + 1e-4
    assert -1e-4 <= row <= view.rows + 1e-4


def test_a_fitted_view_follows_the_canvas_and_any_other_keeps_its_middle() -> None:
    view = Viewport.fit(Size(4000, 3000), 160, 45)
    assert view.resized(80, 24).zoom == 1
    closer = view.zoomed(8)
    middle = closer.to_picture(80, 22.5)
    after = closer.resized(100, 40)
    assert after.scale == closer.scale
    assert after.to_picture(50, 20) == pytest.approx(middle)


def test_one_to_one_gives_each_pixel_a_sub_cell() -> None:
    view = Viewport.fit(Size(4000, 3000), 160, 45).one_to_one(2)
    assert view.scale * 2 == 1
