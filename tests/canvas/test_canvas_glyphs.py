from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cvflow_tui.widgets.image_canvas.colors import DEFAULT, OKABE_ITO, Depth, pack, quantised, rgb, sgr, unpack
from cvflow_tui.widgets.image_canvas.glyphs import SETS, Fit, choose, fit

BLOCKS = {count: arrays(np.uint8, (3, count, 3)) for count in (2, 4, 6, 8)}


def _error(blocks: NDArray[np.uint8], fitted: Fit) -> NDArray[np.float64]:
    mask = (fitted.patterns[:, None] >> np.arange(blocks.shape[1])) & 1
    drawn = np.where(mask[..., None] == 1, fitted.fg[:, None], fitted.bg[:, None]).astype(np.float64)
    return np.asarray(np.square(drawn - blocks).sum(axis=(1, 2)))


def _best_error(block: NDArray[np.uint8]) -> float:
    """The least squared error of any split into two colours, by trying all."""
    best = np.inf
    for mask in itertools.product([False, True], repeat=len(block)):
        front = np.array(mask)
        error = sum(
            np.square(part - part.mean(axis=0)).sum() for part in (block[front].astype(float), block[~front].astype(float)) if len(part)
        )
        best = min(best, error)
    return float(best)


@given(st.sampled_from([2, 4, 6]).flatmap(lambda count: BLOCKS[count]))
def test_up_to_six_sub_cells_no_split_is_better(blocks: NDArray[np.uint8]) -> None:
    errors = _error(blocks, fit(blocks))
    for block, error in zip(blocks, errors, strict=True):
        # Colours are rounded to whole numbers: at most half a step in each channel of each sub-cell.
        assert error <= _best_error(block) + block.size * 0.25 + 1e-3


@given(BLOCKS[8])
def test_eight_sub_cells_are_split_better_than_not_at_all(blocks: NDArray[np.uint8]) -> None:
    errors = _error(blocks, fit(blocks))
    flat = np.square(blocks - blocks.mean(axis=1, keepdims=True)).sum(axis=(1, 2))
    assert np.all(errors <= flat + blocks[0].size * 0.25 + 1e-3)


@pytest.mark.parametrize("name", ["half", "quadrant", "sextant", "octant"])
def test_two_colours_are_drawn_exactly(name: str) -> None:
    glyphs = SETS[name]
    every = np.arange(1 << glyphs.count)
    mask = (every[:, None] >> np.arange(glyphs.count)) & 1
    blocks = np.where(mask[..., None] == 1, np.array([250, 20, 60]), np.array([10, 90, 200])).astype(np.uint8)
    assert _error(blocks, fit(blocks)).max() == 0


@pytest.mark.parametrize("name", ["half", "quadrant", "sextant", "octant"])
def test_every_pattern_has_a_character_of_its_own(name: str) -> None:
    table = SETS[name].table.tolist()
    assert len(set(table)) == 1 << SETS[name].count


def test_the_code_points_are_those_of_unicode() -> None:
    sextant, octant = SETS["sextant"].table, SETS["octant"].table
    assert sextant[1] == 0x1FB00  # BLOCK SEXTANT-1
    assert sextant[62] == 0x1FB3B  # BLOCK SEXTANT-23456
    assert sextant[21] == ord("▌")
    assert sextant[42] == ord("▐")
    assert octant[0b100] == 0x1CD00  # BLOCK OCTANT-3
    assert octant[0b11111110] == 0x1CDE5  # BLOCK OCTANT-2345678
    assert octant[0b00001111] == ord("▀")
    assert octant[0b01010101] == ord("▌")
    assert octant[0b10100101] == ord("▚")


def test_a_mode_is_chosen_by_name_by_environment_and_by_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CVFLOW_GLYPHS", raising=False)
    assert choose().name == "quadrant"
    assert choose(color=False).name == "ascii"
    assert choose("sextant", color=False).name == "ascii"
    monkeypatch.setenv("CVFLOW_GLYPHS", "octant")
    assert choose().name == "octant"
    assert choose("half").name == "half"
    monkeypatch.setenv("CVFLOW_GLYPHS", "braille")
    with pytest.raises(ValueError, match=r"braille.*quadrant"):
        choose()


@given(arrays(np.uint8, (7, 3)))
def test_colours_survive_packing(colors: NDArray[np.uint8]) -> None:
    assert np.array_equal(unpack(pack(colors)), colors)


@given(arrays(np.uint8, (5, 3)))
def test_256_colours_are_the_nearest_there_are(colors: NDArray[np.uint8]) -> None:
    levels = [0, 95, 135, 175, 215, 255]
    palette = np.array([*itertools.product(levels, repeat=3), *((8 + 10 * step,) * 3 for step in range(24))])
    sent = quantised(pack(colors), Depth.PALETTE)
    for color, index in zip(colors.astype(int), sent.tolist(), strict=True):
        best = np.square(palette - color).sum(axis=1).min()
        # The nearest grey is taken by the mean of the channels, which is the nearest by distance.
        assert np.square(palette[index - 16] - color).sum() <= best + 1e-9


def test_what_is_sent_for_a_colour() -> None:
    assert sgr(0x102030, Depth.TRUE, 38) == "38;2;16;32;48"
    assert sgr(196, Depth.PALETTE, 48) == "48;5;196"
    assert sgr(1, Depth.STANDARD, 38) == "31"
    assert sgr(9, Depth.STANDARD, 48) == "101"
    assert sgr(9, Depth.STANDARD, 38) == "91"
    assert sgr(DEFAULT, Depth.TRUE, 38) == "39"
    own = np.array([DEFAULT, 0x123456], np.int32)
    assert quantised(own, Depth.PALETTE)[0] == DEFAULT
    assert quantised(own, Depth.NONE).tolist() == [DEFAULT, DEFAULT]
    assert set(rgb(int(quantised(own, Depth.REDUCED)[1]))) <= {value << 3 | value >> 2 for value in range(32)}


def test_class_colours_differ() -> None:
    assert len(set(OKABE_ITO)) == len(OKABE_ITO) == 8
