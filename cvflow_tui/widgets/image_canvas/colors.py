"""Colours of the canvas: the classes' palette, packed colours, and what is left of them on a poorer terminal.

A packed colour is `red << 16 | green << 8 | blue` in an int32; -1 is the terminal's own colour.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DEFAULT = -1
"""The terminal's own foreground or background."""

OKABE_ITO: tuple[int, ...] = (0xE69F00, 0x56B4E9, 0x009E73, 0xF0E442, 0xCC79A7, 0xD55E00, 0x0072B2, 0xBBBBBB)
"""Class colours that people with colour-blindness can tell apart (black, which no dark theme shows, is a light grey here)."""

_STANDARD = (
    0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5,
    0x7F7F7F, 0xFF0000, 0x00FF00, 0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF, 0xFFFFFF,
)  # fmt: skip
_CUBE = np.array([0, 95, 135, 175, 215, 255], dtype=np.int32)


class Depth(Enum):
    """How many colours may be sent."""

    NONE = "none"
    STANDARD = "16"
    PALETTE = "256"
    REDUCED = "32k"
    """Five bits a channel in truecolor codes: fewer changes between cells, for slow links."""
    TRUE = "16m"


def class_color(index: int) -> int:
    """The packed colour of a class by its position."""
    return OKABE_ITO[index % len(OKABE_ITO)]


def pack(rgb: NDArray[np.uint8]) -> NDArray[np.int32]:
    """[..., 3] uint8 to packed int32 [...]."""
    wide = rgb.astype(np.int32)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


def unpack(packed: NDArray[np.int32]) -> NDArray[np.int32]:
    """Packed [...] to channels [..., 3] int32; meaningless where the colour is the terminal's own."""
    return np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], axis=-1)


def rgb(packed: int) -> tuple[int, int, int]:
    """One packed colour as (red, green, blue)."""
    return packed >> 16 & 255, packed >> 8 & 255, packed & 255


def luminance(packed: int) -> float:
    """Perceived lightness, 0 to 255."""
    red, green, blue = rgb(packed)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def mix(first: int, second: int, share: float) -> int:
    """`first` with `share` (0 to 1) of `second` in it."""
    one, two = rgb(first), rgb(second)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, two, strict=True))
    return red << 16 | green << 8 | blue


def ink_on(packed: int) -> int:
    """Black or white, whichever can be read on the colour."""
    return 0x000000 if luminance(packed) > 120 else 0xFFFFFF


def quantised(packed: NDArray[np.int32], depth: Depth) -> NDArray[np.int32]:
    """Colours as they are sent at a depth: packed for TRUE and REDUCED, palette indices for PALETTE and STANDARD, -1 for NONE."""
    if depth is Depth.TRUE:
        return packed
    if depth is Depth.NONE:
        return np.full_like(packed, DEFAULT)
    channels = unpack(packed)
    if depth is Depth.REDUCED:
        channels = (channels & 0xF8) | (channels >> 5)
        sent = (channels[..., 0] << 16) | (channels[..., 1] << 8) | channels[..., 2]
    elif depth is Depth.PALETTE:
        sent = _palette(channels)
    else:
        table = np.array([rgb(color) for color in _STANDARD], dtype=np.int32)
        sent = np.square(channels[..., None, :] - table).sum(axis=-1).argmin(axis=-1).astype(np.int32)
    return np.where(packed < 0, DEFAULT, sent).astype(np.int32)


def _palette(channels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Nearest of xterm's 6 x 6 x 6 cube and 24 greys."""
    steps = np.abs(channels[..., None] - _CUBE).argmin(axis=-1)
    cube = _CUBE[steps]
    grey_step = np.clip((channels.mean(axis=-1) - 8 + 5) // 10, 0, 23).astype(np.int32)
    grey = (8 + 10 * grey_step)[..., None]
    is_grey = np.square(channels - grey).sum(axis=-1) < np.square(channels - cube).sum(axis=-1)
    index = 16 + 36 * steps[..., 0] + 6 * steps[..., 1] + steps[..., 2]
    return np.asarray(np.where(is_grey, 232 + grey_step, index), dtype=np.int32)


def sgr(sent: int, depth: Depth, base: int) -> str:
    """The SGR parameters that set a colour; `base` is 38 for the foreground, 48 for the background."""
    if sent < 0:
        return str(base + 1)
    if depth is Depth.PALETTE:
        return f"{base};5;{sent}"
    if depth is Depth.STANDARD:
        return str(base - 8 + sent if sent < 8 else base + 52 + sent - 8)
    return f"{base};2;{sent >> 16};{sent >> 8 & 255};{sent & 255}"


@lru_cache(maxsize=8)
def handle_color(index: int) -> int:
    """What marks the selected box of a class: its colour, brightened."""
    return mix(class_color(index), 0xFFFFFF, 0.45)
