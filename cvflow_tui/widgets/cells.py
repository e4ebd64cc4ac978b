"""Text measured and cut in terminal cells."""

from __future__ import annotations

from collections.abc import Callable

from rich.cells import cell_len, set_cell_size


def width_of(text: str) -> int:
    """Cells that the text takes."""
    return cell_len(text)


def cut(text: str, width: int) -> str:
    """The text in at most `width` cells, an ellipsis at its end where it was longer."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…"


def cut_middle(text: str, width: int) -> str:
    """The beginning and the end of the text in at most `width` cells, an ellipsis between them where it was longer."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    end = (width - 1) // 2
    return set_cell_size(text, width - 1 - end).rstrip() + "…" + set_cell_size(text[::-1], end)[::-1].lstrip()


def cut_left(text: str, width: int) -> str:
    """The end of the text in at most `width` cells, an ellipsis before it where it was longer."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    return "…" + set_cell_size(text[::-1], width - 1)[::-1].lstrip()


def fit(text: str, width: int, align: str = "left", shorten: Callable[[str, int], str] = cut) -> str:
    """The text in exactly `width` cells; `align` is `left` or `right`; `shorten` says how what is too long is cut."""
    text = shorten(text, width)
    gap = " " * max(0, width - cell_len(text))
    return gap + text if align == "right" else text + gap
