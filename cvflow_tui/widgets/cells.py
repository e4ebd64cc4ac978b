"""Text measured and cut in terminal cells."""

from __future__ import annotations

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


def cut_front(text: str, width: int) -> str:
    """The end of the text in at most `width` cells, an ellipsis before it where it was longer."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    return "…" + set_cell_size(text[::-1], width - 1)[::-1].lstrip()


def fit(text: str, width: int, align: str = "left", *, keep_end: bool = False) -> str:
    """The text in exactly `width` cells; `align` is `left` or `right`; `keep_end` cuts at the front."""
    text = cut_front(text, width) if keep_end else cut(text, width)
    gap = " " * max(0, width - cell_len(text))
    return gap + text if align == "right" else text + gap
