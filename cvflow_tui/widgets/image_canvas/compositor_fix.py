"""Textual sends a changed region from its left edge on, not from the left edge of the widget it lies in.

`Widget.refresh(region)` marks cells, but Textual (Textualize/textual#5625, still so in 8.2.8) crops what it sends on the right only: a
marker of one cell at column 150 sends 151 cells. Over a picture, where every cell has its own colours, that is 2 to 4 KiB instead of
0.1, and 90 KiB instead of 5 for a crosshair. `install` replaces the one method that writes partial updates by one that crops on both
sides. It does so only on a Textual version this was tried with, and only after both methods painted the same screens in a self-check;
otherwise Textual stays as it is, correct and slower.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from importlib.metadata import version

from rich.cells import cell_len, get_character_cell_size
from rich.console import Console
from rich.control import Control
from rich.segment import Segment
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from cvflow_tui.widgets.image_canvas.strips import CellStrip

KNOWN_VERSIONS = ((8, 2),)
"""Textual versions (major, minor) whose partial update is the one that is replaced here."""

_METHOD = "render_segments"
_stock: Callable[[ChopsUpdate, Console], str] = ChopsUpdate.render_segments


def install() -> bool:
    """Make partial updates start at their left edge; returns whether they do now. Safe to call again.

    CVFLOW_COMPOSITOR=stock leaves Textual as it is.
    """
    if is_installed():
        return True
    if os.environ.get("CVFLOW_COMPOSITOR") == "stock" or not is_known(version("textual")) or not paints_alike(_stock, render_segments):
        return False
    setattr(ChopsUpdate, _METHOD, render_segments)
    return True


def uninstall() -> None:
    """Give Textual its own method back."""
    setattr(ChopsUpdate, _METHOD, _stock)


def is_installed() -> bool:
    """Whether partial updates are cropped on both sides."""
    return ChopsUpdate.render_segments is render_segments


def is_known(textual_version: str) -> bool:
    """Whether the fix was tried with this version of Textual."""
    parts = re.findall(r"\d+", textual_version)[:2]
    return len(parts) == 2 and (int(parts[0]), int(parts[1])) in KNOWN_VERSIONS


def render_segments(update: ChopsUpdate, console: Console) -> str:
    """What `ChopsUpdate.render_segments` does, with each span cropped on its left as well."""
    parts: list[str] = []
    last_y = update.spans[-1][0]
    for y, x1, x2 in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x >= x2 or end <= x1:
                continue
            left = max(x, x1)
            if left > x and _splits_wide(strip, left - x):
                left -= 1
            piece = strip if left == x and end <= x2 else strip.crop(left - x, min(end, x2) - x)
            parts.append(Control.move_to(left, y).segment.text)
            parts.append(piece.render(console))
        if y != last_y:
            parts.append("\n")
    return "".join(parts)


def _splits_wide(strip: Strip, offset: int) -> bool:
    """Whether a cut at the cell `offset` would go through a wide character, which would blank its left half on the screen."""
    if isinstance(strip, CellStrip):
        return False  # the canvas marks both halves as changed
    position = 0
    for segment in strip:
        length = cell_len(segment.text)
        if position + length > offset:
            if length == len(segment.text):
                return False
            for character in segment.text:
                if position >= offset:
                    break
                position += get_character_cell_size(character)
            return position > offset
        position += length
    return False


Painter = Callable[[ChopsUpdate, Console], str]


def paints_alike(one: Painter, other: Painter) -> bool:
    """Whether two ways to write a partial update leave the same cells inside its spans, on a screen with all kinds of chops."""
    console = Console(color_system=None, force_terminal=True, width=40)
    try:
        return all(_painted(one, update, console) == _painted(other, update, console) for update in _samples())
    except (AttributeError, TypeError, IndexError, KeyError, ValueError):
        return False  # the class is not the one that is known: leave it alone


def _samples() -> list[ChopsUpdate]:
    def strip(text: str) -> Strip:
        return Strip([Segment(text[:3]), Segment(text[3:])])

    rows: list[dict[int, Strip | None]] = [
        {0: strip("abcdefgh"), 8: strip("ijklmnopqrst")},
        {0: strip("ABCDEFGH"), 8: None},
        {0: strip("日本語テキ"), 10: strip("0123456789")},
    ]
    ends = [[8, 20], [8, 20], [10, 20]]
    spans: list[list[tuple[int, int, int]]] = [
        [(0, 2, 5)],
        [(0, 0, 20), (1, 4, 20)],
        [(0, 3, 12), (1, 0, 3), (1, 5, 6), (2, 2, 14)],
        [(2, 8, 10), (2, 12, 13)],
    ]
    return [ChopsUpdate(rows, each, ends) for each in spans]


def _painted(painter: Painter, update: ChopsUpdate, console: Console) -> list[tuple[int, int, str]]:
    screen: dict[tuple[int, int], str] = {}
    x = y = 0
    for row, column, character in re.findall(r"\x1b\[(\d+);(\d+)H|([^\x1b])", painter(update, console)):
        if row:
            x, y = int(column) - 1, int(row) - 1
        elif character != "\n":
            screen[x, y] = character
            x += max(1, get_character_cell_size(character))
    spans: Sequence[tuple[int, int, int]] = update.spans
    return [(x, y, screen.get((x, y), "")) for y, x1, x2 in spans for x in range(x1, x2)]
