"""Solvers' full names where there is little room: one rule for a whole list, and what tells them apart is what stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from cvflow_tui.widgets.cells import cut, cut_left, cut_middle, width_of

LEAST = 3
"""Cells of the package below which the solver stands alone."""

Names = Mapping[str, str]
"""What stands for each full name."""


@lru_cache(8)
def without_vendors(names: tuple[str, ...], width: int) -> Names:
    """What a list calls its solvers, before anything is cut: all without the vendor where one is too long for `width` cells.

    Where two would then be called the same, all keep it: a list in which some have lost it looks as if it were out of order.
    """
    bare = [_bare(name) for name in names]
    keep = all(width_of(name) <= width for name in names) or len(set(bare)) < len(set(names))
    return dict(zip(names, names if keep else bare, strict=True))


@lru_cache(8)
def short_names(names: tuple[str, ...], width: int) -> Names:
    """`vendor/package/solver` in at most `width` cells each, by the first rule under which all stay apart.

    The vendor goes first, for all or for none. Then what is before the solver loses its middle, then the whole, then its beginning.
    """
    called = without_vendors(names, width)
    tried = [{name: rule(text, width) for name, text in called.items()} for rule in RULES]
    return max(tried, key=lambda short: len(set(short.values())))  # of equals, the first


def _bare(name: str) -> str:
    return name.partition("/")[2] if name.count("/") > 1 else name


def _by_solver(name: str, width: int) -> str:
    head, slash, solver = name.rpartition("/")
    if width_of(name) <= width or not slash:
        return cut(name, width)
    room = width - width_of(solver) - 1
    return f"{cut_middle(head, room)}/{solver}" if room >= LEAST else cut(solver, width)


RULES: tuple[Callable[[str, int], str], ...] = (_by_solver, cut_middle, cut_left)
