"""A log as indexed lines; no screen in it."""

from __future__ import annotations

from rich.cells import cell_len, chop_cells

KEPT = 50_000
"""Lines that are kept; older ones are let go from the top."""


class LogText:
    """Lines of a log that grows at its end (and, when someone scrolls up, at its start), each drawn on one row or wrapped on several."""

    def __init__(self, width: int = 80, wrap: bool = False) -> None:
        self.lines: list[str] = []
        self._open = ""
        self._width, self._wrap = max(1, width), wrap
        self._rows: list[tuple[int, int]] = []
        self._longest = 0

    # -- text in

    def append(self, text: str) -> int:
        """Add text at the end; returns how many lines are new. A last line without a newline is shown, and goes on with the next text."""
        before = len(self.lines)
        if self._open:
            self.lines.pop()
            self._drop_rows_of(len(self.lines))
        pieces = (self._open + text).split("\n")
        self._open = pieces[-1]
        first = len(self.lines)
        self.lines += pieces if self._open else pieces[:-1]
        self._index(first)
        added = len(self.lines) - before
        self._forget()
        return max(0, added)

    def prepend(self, text: str) -> int:
        """Add whole lines at the start; returns how many rows they take."""
        lines = text.split("\n")
        if lines and not lines[-1]:
            lines.pop()
        self.lines = lines + self.lines
        before = len(self._rows)
        self._reindex()
        return len(self._rows) - before

    def clear(self) -> None:
        """Forget everything."""
        self.lines, self._rows, self._open, self._longest = [], [], "", 0

    def _forget(self) -> None:
        if len(self.lines) > KEPT:
            del self.lines[: len(self.lines) - KEPT]
            self._reindex()

    # -- rows out

    def lay_out(self, width: int, wrap: bool) -> None:
        """Lay the lines out anew where that changes anything."""
        width = max(1, width)
        if wrap != self._wrap or (wrap and width != self._width):
            self._width, self._wrap = width, wrap
            self._reindex()
        self._width = width

    @property
    def height(self) -> int:
        """Rows in all."""
        return len(self._rows)

    @property
    def longest(self) -> int:
        """Cells of the longest line (0 when wrapped: nothing lies beyond the edge)."""
        return 0 if self._wrap else self._longest

    def row(self, number: int) -> tuple[int, str]:
        """(line, text) of a row."""
        line, part = self._rows[number]
        text = self.lines[line].expandtabs(8)
        return line, chop_cells(text, self._width)[part] if self._wrap and text else text

    def row_of(self, line: int) -> int:
        """The first row of a line."""
        low, high = 0, len(self._rows)
        while low < high:
            middle = (low + high) // 2
            if self._rows[middle][0] < line:
                low = middle + 1
            else:
                high = middle
        return low

    def _reindex(self) -> None:
        self._rows, self._longest = [], 0
        self._index(0)

    def _index(self, first: int) -> None:
        for number in range(first, len(self.lines)):
            text = self.lines[number].expandtabs(8)
            length = len(text) if text.isascii() else cell_len(text)
            self._longest = max(self._longest, length)
            parts = 1
            if self._wrap and length > self._width:
                parts = len(chop_cells(text, self._width))
            self._rows += [(number, part) for part in range(parts)]

    def _drop_rows_of(self, line: int) -> None:
        while self._rows and self._rows[-1][0] == line:
            self._rows.pop()
