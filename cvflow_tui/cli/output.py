"""What goes to stdout: tables on a terminal, tab-separated lines in a pipe, JSON for scripts. Nothing unclean in any of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import Any, Literal

import click

from cvflow_tui.cli.options import HUSHED
from cvflow_tui.model.text import clean, in_bytes, one_line

GAP = 2
"""Cells between two columns."""
NARROWEST = 6
"""Cells below which no column is cut."""


def plain(value: Any) -> Any:
    """Model objects as what JSON knows: dataclasses become objects, tuples lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def print_json(value: Any) -> None:
    """One JSON value, and a newline. Non-ASCII is escaped: what comes from outside can't reach the terminal raw."""
    click.echo(json.dumps(plain(value), indent=2 if sys.stdout.isatty() else None))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows under column heads on a terminal; without heads, tab-separated and all columns, otherwise.

    A head that begins with `>` is of numbers; one that begins with `~` is left out, from the right, where the terminal is too narrow.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for row in cells:
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    shown = _that_fit(columns, cells, console.width)
    for position, width in shown.items():
        justify: Literal["left", "right"] = "right" if ">" in columns[position][:2] else "left"
        table.add_column(Text(columns[position].lstrip("~>")), justify=justify, width=width, no_wrap=True, overflow="ellipsis")
    for row in cells:
        table.add_row(*(Text(row[position]) for position in shown))
    console.print(table)


def _that_fit(columns: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> dict[int, int]:
    """Columns to show in `width` cells, and how wide each is. What is still too wide is cut where it is widest, but never the name in
    the first column: other commands take it.
    """
    shown = {position: max([len(head.lstrip("~>")), *(len(row[position]) for row in cells)]) for position, head in enumerate(columns)}
    for position in reversed(range(len(columns))):
        if columns[position].startswith("~") and sum(shown.values()) + GAP * len(shown) > width:
            del shown[position]
    while sum(shown.values()) + GAP * len(shown) > width:
        widest = max((position for position in shown if position > 0), key=lambda position: shown[position], default=0)
        if shown[widest] <= NARROWEST or widest == 0:
            break
        shown[widest] -= 1
    return shown


def print_pairs(pairs: Sequence[tuple[str, object]]) -> None:
    """Names and values, one pair a line, values aligned on a terminal."""
    shown = [(name, _cell(value)) for name, value in pairs]
    width = max((len(name) for name, _ in shown), default=0) if sys.stdout.isatty() else 0
    for name, value in shown:
        click.echo(f"{name:<{width}}  {value}" if width else f"{name}\t{value}")


def say(text: str) -> None:
    """A line (or more) for the reader of stdout."""
    click.echo(clean(text))


def still_elsewhere(shared: int) -> str:
    """Why less was freed than went: the end of a line that says how much was; nothing where all was."""
    return f"; {size(shared)} more went, but uv's cache or another folder has it too: cvflow prune --cache" if shared else ""


def remark(text: str, quiet: bool = False) -> None:
    """A line on stderr, unless `quiet`, or the command was told to be."""
    context = click.get_current_context(silent=True)
    if not quiet and not (context is not None and context.meta.get(HUSHED)):
        click.echo(clean(text), err=True)


def _cell(value: object) -> str:
    return "" if value is None else one_line(str(value), 300)


def size(count: float | None) -> str:
    """Bytes for people: `7.6 MB`; `?` where unknown."""
    return "?" if count is None else in_bytes(count)


def span(seconds: float | None) -> str:
    """Seconds for people: `0:08`, `12:30`, `3 h 05`, `2 d 4 h`; `?` where unknown."""
    if seconds is None:
        return "?"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d}"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def number(value: float | None, digits: int = 2) -> str:
    """A share or a score, `.91`; `-` where there was nothing to measure."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else text
