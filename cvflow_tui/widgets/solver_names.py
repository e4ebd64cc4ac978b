"""A solver's full name where there is little room: what tells it from the others is what stays."""

from __future__ import annotations

from collections.abc import Iterable

from cvflow_tui.widgets.cells import cut, cut_middle, width_of

LEAST = 3
"""Cells of the package below which the solver stands alone."""


def short_name(name: str, width: int, others: Iterable[str] = ()) -> str:
    """`vendor/package/solver` in at most `width` cells.

    The vendor goes first, where none of `others` is then called the same; then what is before the solver loses its middle.
    """
    head, slash, solver = name.rpartition("/")
    if width_of(name) <= width or not slash:
        return cut(name, width)
    tail = name.partition("/")[2]
    if "/" in head and not any(other != name and other.partition("/")[2] == tail for other in others):
        head = tail.rpartition("/")[0]
        if width_of(tail) <= width:
            return tail
    room = width - width_of(solver) - 1
    return f"{cut_middle(head, room)}/{solver}" if room >= LEAST else cut(solver, width)
