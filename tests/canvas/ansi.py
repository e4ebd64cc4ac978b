"""Reads what a renderer wrote (ours or chafa's) back into pixels, with ideal glyphs: what a terminal that draws blocks itself shows."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from cvflow_tui.widgets.image_canvas.glyphs import SETS, GlyphSet

_TOKEN = re.compile(r"\x1b\[(?P<sgr>[\d;]*)m|\x1b\[[?\d;]*[A-Za-ln-z]|(?P<text>.)")


def _glyphs() -> dict[str, tuple[GlyphSet, int]]:
    known: dict[str, tuple[GlyphSet, int]] = {}
    for name in ("octant", "sextant", "quadrant", "half"):
        for pattern, code in enumerate(SETS[name].table.tolist()):
            known[chr(code)] = (SETS[name], pattern)
    return known


GLYPHS = _glyphs()


class Pen:
    """The colours in force."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.fg: tuple[int, ...] = (255, 255, 255)
        self.bg: tuple[int, ...] = (0, 0, 0)
        self.reverse = False

    def apply(self, parameters: str) -> None:
        codes = [int(code or 0) for code in parameters.split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.reset()
            elif code == 7:
                self.reverse = True
            elif code == 39:
                self.fg = (255, 255, 255)
            elif code == 49:
                self.bg = (0, 0, 0)
            elif code in (38, 48):
                assert codes.pop(0) == 2, "only truecolor is read back"
                color = tuple(codes[:3])
                del codes[:3]
                if code == 38:
                    self.fg = color
                else:
                    self.bg = color
            else:
                raise AssertionError(f"unexpected SGR {code}")


def to_pixels(text: str, columns: int, rows: int, cell: tuple[int, int] = (12, 24)) -> NDArray[np.uint8]:
    """The picture that `text` draws: [rows * cell height, columns * cell width, 3] uint8."""
    width, height = cell
    pixels = np.zeros((rows * height, columns * width, 3), np.uint8)
    pen = Pen()
    for row, line in enumerate(text.split("\n")[:rows]):
        column = 0
        for token in _TOKEN.finditer(line):
            if token["sgr"] is not None:
                pen.apply(token["sgr"])
            if token["text"] is None:
                continue
            fg, bg = (pen.bg, pen.fg) if pen.reverse else (pen.fg, pen.bg)
            block = pixels[row * height : (row + 1) * height, column * width : (column + 1) * width]
            block[:] = bg
            glyphs, pattern = GLYPHS[token["text"]]
            across, down = width // glyphs.across, height // glyphs.down
            for bit in range(glyphs.count):
                if pattern >> bit & 1:
                    y, x = divmod(bit, glyphs.across)
                    block[y * down : (y + 1) * down, x * across : (x + 1) * across] = fg
            column += 1
    return pixels


def psnr(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Peak signal to noise, dB."""
    error = np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2)
    return float(10 * np.log10(255**2 / error))
