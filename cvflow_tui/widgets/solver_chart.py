"""How a solver did over the last minutes: throughput, latency, processor and memory, a line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.widgets import Static

from cvflow_tui.model.solvers import Figures, SolverHistory
from cvflow_tui.widgets.figures import bytes_of, millis_of

SPAN = 600.0
"""Seconds that a line spans."""
IN_WORDS = " in 10 min"
"""And in words, behind what the first line tells."""
WINDOW = 10.0
"""Seconds over which requests a second are counted: those over which a runner counts the table's."""
HEAD = 8
TOLD = 30
"""Cells before and behind a line, for its name and for its figures."""
BLOCKS = "▁▂▃▄▅▆▇█"
MUTED = "$muted"


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of the chart."""

    name: str
    pick: Callable[[Sequence[Figures]], list[float | None]]
    """A value for each second; None where there is none."""
    spell: Callable[[float], str]


def _rates(points: Sequence[Figures]) -> list[float | None]:
    """Requests a second over the ten that end with each point, as the table's figure is, whatever was not looked at counted as none."""
    rates: list[float | None] = []
    first, held = 0, 0
    for point in points:
        held += point.requests
        while points[first].age >= point.age + WINDOW:
            held -= points[first].requests
            first += 1
        rates.append(held / WINDOW)
    return rates


LANES = (
    Lane("req/s", _rates, lambda value: f"{value:.1f}"),
    Lane("p95", lambda points: [second.p95 for second in points], millis_of),
    Lane("cpu", lambda points: [second.cpu for second in points], lambda value: f"{value:.0f} %"),
    Lane("memory", lambda points: [float(second.rss) if second.rss else None for second in points], bytes_of),
)


def columns(points: Sequence[Figures], lane: Lane, width: int, span: float = SPAN) -> list[float | None]:
    """The lane's value in each of `width` equal pieces of the last `span` seconds, oldest first; None where nothing is known.

    Of the values in a piece it is the largest: so the highest column is what `most` tells, however wide the chart is.
    """
    held: list[list[float]] = [[] for _ in range(width)]
    for point, value in zip(points, lane.pick(points), strict=True):
        at = width - 1 - int(max(0.0, point.age) / span * width)
        if value is not None and 0 <= at < width:
            held[at].append(value)
    return [max(values, default=None) for values in held]


def troubled(points: Sequence[Figures], width: int, span: float = SPAN) -> set[int]:
    """The pieces in which requests ended in errors."""
    return {width - 1 - int(max(0.0, point.age) / span * width) for point in points if point.errors}


def blocks(values: Sequence[float | None], top: float) -> list[str]:
    """A cell each: nothing where nothing is known, the ground for 0, a full block for `top`."""
    return [" " if value is None else BLOCKS[min(7, max(0, round(value / top * 7)))] if top > 0 else BLOCKS[0] for value in values]


class SolverChart(Static):
    """Draws a solver's history, as many lines as it has rows."""

    DEFAULT_CSS = """
    SolverChart { height: 2; padding: 0 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._history: SolverHistory | None = None
        self._drawn: tuple[str, object] | None = None

    def show(self, history: SolverHistory | None) -> None:
        """Draw another history, or none."""
        self._history = history
        self._draw()

    def on_resize(self) -> None:
        """Another width holds other columns."""
        self._draw()

    def _draw(self) -> None:
        points = self._history.points if self._history else ()
        width = max(8, self.content_size.width - HEAD - TOLD)
        bad = troubled(points, width)
        lanes = LANES[: max(1, self.content_size.height)]
        content = Content("\n").join(_line(points, lane, width, bad) for lane in lanes)
        # An update is sent to the terminal even where nothing of it is new.
        if self._drawn != (drawn := (content.plain, content.spans)):
            self._drawn = drawn
            self.update(content)


def _line(points: Sequence[Figures], lane: Lane, width: int, bad: set[int]) -> Content:
    values = columns(points, lane, width)
    top = max((value for value in values if value is not None), default=0.0)
    cells = [Content.styled(cell, "$error" if at in bad and lane is LANES[0] else "$accent") for at, cell in enumerate(blocks(values, top))]
    known = [value for value in lane.pick(points) if value is not None]
    told = f"  {lane.spell(known[-1])} · most {lane.spell(max(known))}" if known else ""
    # One line says for all how far back they reach.
    told += IN_WORDS if known and lane is LANES[0] else ""
    return Content.styled(f"{lane.name:<{HEAD}}", MUTED) + Content("").join(cells) + Content.styled(told, MUTED)
