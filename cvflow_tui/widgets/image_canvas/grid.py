"""A rectangle of terminal cells as arrays, what changed between two of them, and their text as ANSI."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.cells import get_character_cell_size

from cvflow_tui.widgets.image_canvas.colors import DEFAULT, Depth, quantised, sgr

BOLD = 1
REVERSE = 2
TAG = 4
"""Not sent: the cell belongs to a tag, which lines must not cut."""
CONTINUED = 0
"""The code point of a cell that is the right half of the wide character before it."""


@dataclass(eq=False)
class CellGrid:
    """Cells of a canvas, all arrays [rows, columns]: code points, packed colours (-1 = the terminal's own), attributes."""

    codes: NDArray[np.uint32]
    fg: NDArray[np.int32]
    bg: NDArray[np.int32]
    attrs: NDArray[np.uint8]

    @classmethod
    def blank(cls, columns: int, rows: int, background: int = DEFAULT) -> CellGrid:
        """Spaces on one background."""
        shape = (rows, columns)
        return cls(
            np.full(shape, 0x20, np.uint32),
            np.full(shape, DEFAULT, np.int32),
            np.full(shape, background, np.int32),
            np.zeros(shape, np.uint8),
        )

    @property
    def columns(self) -> int:
        """Cells in a row."""
        return int(self.codes.shape[1])

    @property
    def rows(self) -> int:
        """Rows of cells."""
        return int(self.codes.shape[0])

    def copy(self) -> CellGrid:
        """The same cells in arrays of their own."""
        return CellGrid(self.codes.copy(), self.fg.copy(), self.bg.copy(), self.attrs.copy())

    def changes(self, other: CellGrid) -> NDArray[np.bool_]:
        """Where two grids of one shape look different. Both halves of a wide character change together."""
        changed = (self.codes != other.codes) | (self.bg != other.bg) | ((self.attrs ^ other.attrs) & ~np.uint8(TAG) != 0)
        # The foreground of a space is never seen.
        changed |= (self.fg != other.fg) & (self.codes != 0x20)
        for codes in (self.codes, other.codes):
            tail = codes == CONTINUED
            if tail.any():
                pairs = changed | _shifted(changed, -1)
                changed |= tail & _shifted(changed, 1)
                changed |= _shifted(tail, -1) & pairs
        return np.asarray(changed, dtype=np.bool_)

    def write(self, column: int, row: int, text: str, fg: int, bg: int, attrs: int = 0) -> int:
        """Write text over the cells from (column, row), clipped to the grid; returns the cells it took.

        Characters without a width are left out; half a wide character that would be cut becomes a space.
        """
        start = column
        if not 0 <= row < self.rows:
            return 0
        for character in text:
            width = get_character_cell_size(character)
            for part in range(width):
                if 0 <= column + part < self.columns:
                    fits = column >= 0 and column + width <= self.columns
                    code = (ord(character) if part == 0 else CONTINUED) if fits else 0x20
                    self._put(column + part, row, code, fg, bg, attrs)
            column += width
        return column - start

    def _put(self, column: int, row: int, code: int, fg: int, bg: int, attrs: int) -> None:
        old = self.codes[row, column]
        if old == CONTINUED and code != CONTINUED and column:
            self.codes[row, column - 1] = 0x20
        if column + 1 < self.columns and self.codes[row, column + 1] == CONTINUED:
            self.codes[row, column + 1] = 0x20
        self.codes[row, column], self.fg[row, column], self.bg[row, column], self.attrs[row, column] = code, fg, bg, attrs


def _shifted(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    moved = np.zeros_like(mask)
    if by > 0:
        moved[:, by:] = mask[:, :-by]
    else:
        moved[:, :by] = mask[:, -by:]
    return moved


def runs(changed: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """The changed cells as (row, first column, one past the last), by rows."""
    edges = np.diff(np.pad(changed.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    return list(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True))


class Row:
    """One row of a grid, ready to be sent: an immutable snapshot that strips are cut from."""

    __slots__ = ("attrs", "bg", "characters", "depth", "fg", "length")

    def __init__(self, grid: CellGrid, y: int, depth: Depth) -> None:
        self.depth = depth
        self.length = grid.columns
        self.characters = [chr(code) if code else "" for code in grid.codes[y].tolist()]
        self.fg: list[int] = quantised(grid.fg[y], depth).tolist()
        self.bg: list[int] = quantised(grid.bg[y], depth).tolist()
        self.attrs: list[int] = (grid.attrs[y] & ~np.uint8(TAG)).tolist()

    def cells(self, start: int, end: int) -> list[tuple[str, int, int, int]]:
        """(text, fg, bg, attributes) of the cells; half of a wide character at either end is a space."""
        cells = list(zip(self.characters[start:end], self.fg[start:end], self.bg[start:end], self.attrs[start:end], strict=True))
        if cells and cells[0][0] == "":
            cells[0] = (" ", *cells[0][1:])
        if end < self.length and cells and self.characters[end] == "" and cells[-1][0] != " ":
            cells[-1] = (" ", *cells[-1][1:])
        return cells

    def ansi(self, start: int, end: int) -> str:
        """The cells as text with escape sequences, only where a colour changes; ends with a reset."""
        parts: list[str] = []
        last_fg = last_bg = DEFAULT
        last_attrs = 0
        depth = self.depth
        for text, fg, bg, attrs in self.cells(start, end):
            if attrs != last_attrs:
                parts.append(_attributes(attrs))
                last_fg = last_bg = DEFAULT
                last_attrs = attrs
            new_fg = fg != last_fg and (text != " " or attrs)
            if bg != last_bg:
                back = sgr(bg, depth, 48)
                parts.append(f"\x1b[{sgr(fg, depth, 38)};{back}m" if new_fg else f"\x1b[{back}m")
                last_bg = bg
                if new_fg:
                    last_fg = fg
            elif new_fg:
                parts.append(f"\x1b[{sgr(fg, depth, 38)}m")
                last_fg = fg
            parts.append(text)
        if last_attrs or last_fg != DEFAULT or last_bg != DEFAULT:
            parts.append("\x1b[0m")
        return "".join(parts)


def _attributes(attrs: int) -> str:
    codes = ["0"]
    if attrs & BOLD:
        codes.append("1")
    if attrs & REVERSE:
        codes.append("7")
    return f"\x1b[{';'.join(codes)}m"
