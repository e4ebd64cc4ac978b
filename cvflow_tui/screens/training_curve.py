"""A curve of block characters: how the accuracy went while annotating."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

BLOCKS = " ▁▂▃▄▅▆▇█"


def curve(values: Sequence[float], width: int, height: int) -> list[str]:
    """Columns for values between 0 and 1, as `height` lines of at most `width` cells, the top line first.

    Where there are more values than columns, each column is the mean of its share of them; few values get wider columns.
    """
    if not values or width <= 0 or height <= 0:
        return []
    shown = _squeezed(values, width)
    across = max(1, min(4, width // len(shown)))
    eighths = [round(min(1.0, max(0.0, value)) * height * 8) for value in shown]
    lines = []
    for row in range(height - 1, -1, -1):
        # A value of nothing still leaves a mark on the ground: it was measured.
        filled = [min(8, max(1 if row == 0 else 0, eighth - row * 8)) for eighth in eighths]
        lines.append("".join(BLOCKS[level] * across for level in filled))
    return lines


def _squeezed(values: Sequence[float], width: int) -> list[float]:
    if len(values) <= width:
        return list(values)
    edges = [round(column * len(values) / width) for column in range(width + 1)]
    return [sum(values[start:end]) / (end - start) for start, end in pairwise(edges) if end > start]
