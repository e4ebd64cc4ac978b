"""The pictures that a new package's test looks at, drawn."""

from __future__ import annotations

from pathlib import Path

import PIL.Image
import PIL.ImageDraw

from cvflow_tui.backend.packages.template.recipes import BARCODE, CODE

_BARS = ("3211", "2221", "2122", "1411", "1132", "1231", "1114", "1312", "1213", "3112")
_FIRST = ("LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL")
_MODULE = 3
"""Pixels of the narrowest bar."""


def draw(kind: str, path: Path) -> None:
    """Draw a picture of a kind (see `recipes`) into a PNG file."""
    (_barcode() if kind == BARCODE else _scene()).save(path)


def _scene() -> PIL.Image.Image:
    picture = PIL.Image.new("RGB", (320, 240), "white")
    pen = PIL.ImageDraw.Draw(picture)
    pen.rectangle((40, 60, 139, 119), (40, 80, 200))
    pen.ellipse((190, 110, 269, 189), (200, 30, 30))
    return picture


def _barcode() -> PIL.Image.Image:
    widths = [1, 1, 1]
    for digit, kind in zip(CODE[1:7], _FIRST[int(CODE[0])], strict=True):
        bars = _BARS[int(digit)]
        widths += map(int, bars if kind == "L" else bars[::-1])
    widths += [1] * 5
    for digit in CODE[7:]:
        widths += map(int, _BARS[int(digit)])
    widths += [1, 1, 1]
    picture = PIL.Image.new("RGB", (95 * _MODULE + 80, 160), "white")
    pen, x = PIL.ImageDraw.Draw(picture), 40
    for place, width in enumerate(widths):
        if place % 2 == 0:
            pen.rectangle((x, 30, x + width * _MODULE - 1, 129), "black")
        x += width * _MODULE
    return picture
