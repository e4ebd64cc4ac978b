"""Glyph sets: how a cell is divided into sub-cells, which character draws which pattern, and the two-colour fit.

A pattern is a number whose bit `i` says that sub-cell `i` (row by row, left to right) has the foreground colour.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

GlyphMode = Literal["auto", "ascii", "half", "quadrant", "sextant", "octant"]
"""What a user may ask for; `auto` is the safe choice."""

_EXACT_LIMIT = 6
"""Sub-cells up to which every split is tried (2^5 of them); beyond, only those along the main axis of the colours."""

_QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
_QUADRANT_OCTANTS = (0b00000101, 0b00001010, 0b01010000, 0b10100000)
"""The octants that make up each quadrant."""
_OCTANT_EXCEPTIONS = {
    **{sum(part for bit, part in enumerate(_QUADRANT_OCTANTS) if quad >> bit & 1): ord(shape) for quad, shape in enumerate(_QUADRANTS)},
    0b00000011: 0x1FB82,
    0b00111111: 0x1FB85,
    0b11000000: 0x2582,
    0b11111100: 0x2586,
    0b00000001: 0x1CEA8,
    0b00000010: 0x1CEAB,
    0b01000000: 0x1CEA3,
    0b10000000: 0x1CEA0,
    0b00010100: 0x1FBE6,
    0b00101000: 0x1FBE7,
}
"""Octant patterns that Unicode had elsewhere before 16.0; all others follow each other from U+1CD00."""


@dataclass(frozen=True, eq=False)
class GlyphSet:
    """A way to draw with characters: `across` x `down` sub-cells a cell; `table[pattern]` is the code point."""

    name: str
    across: int
    down: int
    table: NDArray[np.uint32]

    @property
    def count(self) -> int:
        """Sub-cells of a cell."""
        return self.across * self.down


@dataclass(frozen=True, eq=False)
class Fit:
    """Cells fitted to pixels: `patterns` [n], `fg` and `bg` [n, 3] uint8."""

    patterns: NDArray[np.intp]
    fg: NDArray[np.uint8]
    bg: NDArray[np.uint8]


def _table(characters: list[int]) -> NDArray[np.uint32]:
    return np.array(characters, dtype=np.uint32)


def _sextants() -> list[int]:
    known = {0: 0x20, 21: 0x258C, 42: 0x2590, 63: 0x2588}
    return [known.get(value, 0x1FB00 + value - 1 - (value > 21) - (value > 42)) for value in range(64)]


def _octants() -> list[int]:
    following = iter(range(0x1CD00, 0x1CE00))
    return [_OCTANT_EXCEPTIONS[value] if value in _OCTANT_EXCEPTIONS else next(following) for value in range(256)]


SETS: dict[str, GlyphSet] = {
    "ascii": GlyphSet("ascii", 1, 1, _table([0x20, 0x23])),
    "half": GlyphSet("half", 1, 2, _table([ord(character) for character in " ▀▄█"])),
    "quadrant": GlyphSet("quadrant", 2, 2, _table([ord(character) for character in _QUADRANTS])),
    "sextant": GlyphSet("sextant", 2, 3, _table(_sextants())),
    "octant": GlyphSet("octant", 2, 4, _table(_octants())),
}
"""The glyph sets by name. Quadrants are in every font; sextants and octants need a terminal that draws them itself."""

ASCII_RAMP = " .'-:;=+*o%O#&@"
"""Characters from dark to light, for a terminal without colour."""


def choose(mode: str = "auto", *, color: bool = True) -> GlyphSet:
    """The glyph set for a mode; `auto` asks CVFLOW_GLYPHS, then takes quadrants, or ASCII where there is no colour.

    Octants are only for those who ask: a multiplexer that does not know Unicode 16 (tmux 3.3) swallows them.

    Raises ValueError for a name that is none of the modes.
    """
    asked = os.environ.get("CVFLOW_GLYPHS", "").strip().lower() if mode == "auto" else mode
    if asked in ("", "auto"):
        return SETS["quadrant" if color else "ascii"]
    if asked not in SETS:
        known = ", ".join(get_args(GlyphMode))
        raise ValueError(f"glyphs {asked!r} are not known; choose one of {known}")
    # Without colour a two-colour split shows nothing: only characters of different weight do.
    return SETS[asked if color else "ascii"]


@cache
def _splits(count: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.intp]]:
    """Every way to split `count` sub-cells in two: masks [m, count], 1 / sizes [m, 2], patterns [m]. Sub-cell 0 is never in front."""
    patterns = np.arange(0, 1 << count, 2, dtype=np.intp)
    masks = ((patterns[:, None] >> np.arange(count)) & 1).astype(np.float32)
    front = masks.sum(axis=1)
    inverse = np.stack([1 / np.maximum(front, 1), 1 / (count - front)], axis=1).astype(np.float32)
    return masks, inverse, patterns


def fit(blocks: NDArray[np.uint8]) -> Fit:
    """The best two-colour split of each cell: `blocks` is [n, sub-cells, 3] uint8.

    Up to 6 sub-cells it is exact (least squared error); with 8 the split runs across the main axis of the cell's colours,
    which costs less than 0.15 dB and a tenth of the time.
    """
    count = blocks.shape[1]
    if count == 1:
        return Fit(np.zeros(len(blocks), np.intp), blocks[:, 0], blocks[:, 0])
    pixels = blocks.astype(np.float32)
    patterns = _exact(pixels) if count <= _EXACT_LIMIT else _along_axis(pixels)
    return with_pattern(pixels, patterns)


def with_pattern(pixels: NDArray[np.float32], patterns: NDArray[np.intp]) -> Fit:
    """The colours of each cell for a split that is given: the mean in front and the mean behind. `pixels` is [n, sub-cells, 3]."""
    count = pixels.shape[1]
    mask = ((patterns[:, None] >> np.arange(count)) & 1).astype(np.float32)
    front_size = mask.sum(axis=1, keepdims=True)
    total = pixels.sum(axis=1)
    front = np.matmul(mask[:, None, :], pixels)[:, 0]
    fg = front / np.maximum(front_size, 1)
    bg = (total - front) / np.maximum(count - front_size, 1)
    # A cell of one colour has no front: both colours say the same, so that nothing shows whatever the glyph.
    fg = np.where(front_size == 0, bg, fg)
    bg = np.where(front_size == count, fg, bg)
    return Fit(patterns, (fg + 0.5).astype(np.uint8), (bg + 0.5).astype(np.uint8))


def _exact(pixels: NDArray[np.float32]) -> NDArray[np.intp]:
    masks, inverse, patterns = _splits(pixels.shape[1])
    # Centred on the cell's mean both halves have the same sum but for the sign, so one matrix product scores every split.
    centred = pixels - pixels.mean(axis=1, keepdims=True)
    front = np.matmul(masks, centred)
    gain = np.einsum("nmc,nmc->nm", front, front) * (inverse[:, 0] + inverse[:, 1])
    return np.asarray(patterns[np.argmax(gain, axis=1)], dtype=np.intp)


def _along_axis(pixels: NDArray[np.float32]) -> NDArray[np.intp]:
    count = pixels.shape[1]
    centred = pixels - pixels.mean(axis=1, keepdims=True)
    covariance = np.matmul(centred.transpose(0, 2, 1), centred)
    axis = np.take_along_axis(covariance, np.argmax(np.einsum("nii->ni", covariance), axis=1)[:, None, None], axis=1)[:, 0]
    for _ in range(2):
        axis = np.matmul(covariance, axis[:, :, None])[:, :, 0]
        axis /= np.abs(axis).max(axis=1, keepdims=True) + 1e-6
    order = np.argsort(np.matmul(centred, axis[:, :, None])[:, :, 0], axis=1)
    front = np.cumsum(np.take_along_axis(centred, order[:, :, None], axis=1), axis=1)[:, :-1]
    sizes = np.arange(1, count, dtype=np.float32)
    gain = np.einsum("nmc,nmc->nm", front, front) * (1 / sizes + 1 / (count - sizes))
    best = np.argmax(gain, axis=1)
    bits = np.left_shift(1, order)
    return np.asarray(np.take_along_axis(np.cumsum(bits, axis=1), best[:, None], axis=1)[:, 0], dtype=np.intp)
