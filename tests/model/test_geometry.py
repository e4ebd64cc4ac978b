"""Boxes obey the rules of rectangles."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from cvflow_tui.model.geometry import Box, Size

numbers = st.floats(-1e4, 1e4, allow_nan=False)
boxes = st.builds(Box, numbers, numbers, numbers, numbers)


@given(boxes, boxes)
def test_iou_is_symmetric_and_bounded(a: Box, b: Box) -> None:
    a, b = a.ordered(), b.ordered()
    assert a.iou(b) == b.iou(a)
    assert 0.0 <= a.iou(b) <= 1.0 + 1e-9


def test_boxes_too_small_for_an_area_have_nothing_in_common() -> None:
    assert Box(0.0, 0.0, 1e-200, 1e-200).iou(Box(0.0, 0.0, 1e-200, 1e-200)) == 0.0


@given(boxes)
def test_a_box_with_area_is_wholly_itself(box: Box) -> None:
    box = box.ordered()
    if box.area > 1e-3:
        assert math.isclose(box.iou(box), 1.0)


@given(boxes, numbers, numbers)
def test_moving_keeps_the_extent(box: Box, dx: float, dy: float) -> None:
    moved = box.ordered().moved(dx, dy)
    assert math.isclose(moved.width, box.ordered().width, abs_tol=1e-6)
    assert math.isclose(moved.height, box.ordered().height, abs_tol=1e-6)


@given(boxes)
def test_a_clipped_box_lies_inside_the_picture(box: Box) -> None:
    clipped = box.ordered().clipped(Size(640, 480))
    assert 0 <= clipped.x0 <= clipped.x1 <= 640
    assert 0 <= clipped.y0 <= clipped.y1 <= 480


def test_iou_of_a_half_overlap() -> None:
    assert Box(0, 0, 10, 10).iou(Box(5, 0, 15, 10)) == 50 / 150
    assert Box(0, 0, 0, 0).iou(Box(0, 0, 0, 0)) == 0.0
    assert not Box(0, math.nan, 1, 1).is_finite
