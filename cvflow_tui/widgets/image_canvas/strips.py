"""A Textual strip that is cut from a row of cells without making a style for each of them.

Textual's own way, a Rich `Segment` and `Style` per cell, takes ten times as long as writing the escape sequences does, and a picture
changes the colour in nearly every cell. A `CellStrip` writes them straight from the row; segments are made only for those who ask
(SVG export, a dialog that dims what is below it, the style under the mouse).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from cvflow_tui.widgets.image_canvas.colors import DEFAULT, Depth
from cvflow_tui.widgets.image_canvas.grid import BOLD, REVERSE, Row


class CellStrip(Strip):
    """The cells `start` to `end` of a row."""

    __slots__ = ("_end", "_made", "_row", "_start")

    def __init__(self, row: Row, start: int = 0, end: int | None = None) -> None:
        super().__init__((), 0)
        self._row = row
        self._start = start
        self._end = row.length if end is None else end
        self._cell_length = self._end - self._start
        self._made: list[Segment] | None = None

    @property
    def _segments(self) -> list[Segment]:
        if self._made is None:
            self._made = _segments_of(self._row, self._start, self._end)
        return self._made

    @_segments.setter
    def _segments(self, segments: list[Segment]) -> None:
        # Strip's constructor sets an empty list; what this strip shows is decided by its row.
        self._made = None

    def __bool__(self) -> bool:
        return self._end > self._start

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._segments)

    def crop(self, start: int, end: int | None = None) -> Strip:
        """The cells from `start` to `end`, counted from the strip's left edge."""
        length = self._end - self._start
        start = max(0, start)
        end = length if end is None else min(length, end)
        if start == 0 and end == length:
            return self
        if end <= start:
            return Strip([], 0)
        return CellStrip(self._row, self._start + start, self._start + end)

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """The strip cut at the given cell positions; what lies after the last cut is dropped."""
        length = self._end - self._start
        pieces: list[Strip] = []
        position = 0
        for cut in cuts:
            if cut <= length:
                pieces.append(self.crop(position, cut))
                position = cut
        return pieces

    def render(self, console: Console) -> str:
        """The cells with their escape sequences. The row knows the terminal's colours, so the console is not asked."""
        if self._render_cache is None:
            self._render_cache = self._row.ansi(self._start, self._end)
        return self._render_cache


def _segments_of(row: Row, start: int, end: int) -> list[Segment]:
    segments: list[Segment] = []
    text = ""
    last: tuple[int, int, int] | None = None
    for character, fg, bg, attrs in row.cells(start, end):
        key = (fg, bg, attrs)
        if key == last:
            text += character
            continue
        if last is not None:
            segments.append(Segment(text, _style(row.depth, *last)))
        text, last = character, key
    if last is not None:
        segments.append(Segment(text, _style(row.depth, *last)))
    return segments


def _style(depth: Depth, fg: int, bg: int, attrs: int) -> Style:
    return Style(color=_color(depth, fg), bgcolor=_color(depth, bg), bold=bool(attrs & BOLD) or None, reverse=bool(attrs & REVERSE) or None)


def _color(depth: Depth, sent: int) -> Color | None:
    if sent == DEFAULT:
        return None
    if depth in (Depth.PALETTE, Depth.STANDARD):
        return Color.from_ansi(sent)
    return Color.from_rgb(sent >> 16, sent >> 8 & 255, sent & 255)
