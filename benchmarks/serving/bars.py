"""The numbers to hold, and what was found of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.serving.peers import PEERS
from benchmarks.serving.rounds import CALM, Found, Sample

CELL = tuple[str, str, int]
ENOUGH = 3
"""So many calm rounds are enough to leave the others out."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times the rate of one cell is that of another."""

    what: str
    one: CELL
    other: CELL
    bar: float | None = None
    """None: told, not held."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table."""

    what: str
    values: tuple[float, ...]
    """By round; empty where it was not measured."""
    bar: str = ""
    met: bool | None = None
    """None: there is no bar."""
    note: str = ""
    """Why it was not measured."""
    calm: bool = True
    """Whether these are rounds in which others left the machine alone."""

    @property
    def value(self) -> float:
        """Median of the rounds."""
        return statistics.median(self.values)


RATIOS = (
    Ratio("raw body, 16 clients: ours / bare Starlette + uvicorn", ("ours", "raw", 16), ("bare", "raw", 16), 0.8),
    Ratio("form, 16 clients: ours / bare Starlette + uvicorn", ("ours", "form", 16), ("bare", "form", 16), 0.8),
    Ratio("form, 16 clients: ours / LitServe", ("ours", "form", 16), ("litserve", "form", 16), 2),
    Ratio("form, 16 clients: ours / original cvpm", ("ours", "form", 16), ("cvpm", "form", 16), 3.5),
    Ratio("form, 16 clients: ours / BentoML", ("ours", "form", 16), ("bentoml", "form", 16), 4),
    Ratio("form, 16 clients: ours / original mlpm", ("ours", "form", 16), ("mlpm", "form", 16), 6),
    Ratio("batching, 16 clients: ours / ours without", ("ours-batched", "batched", 16), ("ours-alone", "alone", 16), 5),
    Ratio("raw body, 16 clients: ours / LitServe", ("ours", "raw", 16), ("litserve", "raw", 16)),
    Ratio("raw body, 16 clients: ours / BentoML", ("ours", "raw", 16), ("bentoml", "raw", 16)),
    Ratio("batching, 16 clients: ours / LitServe with batching", ("ours-batched", "batched", 16), ("litserve", "batched", 16)),
    Ratio("batching, 16 clients: LitServe / LitServe without", ("litserve", "batched", 16), ("litserve", "alone", 16)),
    Ratio("batching, 1 client: ours / ours without", ("ours-batched", "batched", 1), ("ours-alone", "alone", 1)),
    Ratio("one call at a time, raw, 16 clients: ours / bare", ("ours-1", "raw", 16), ("bare-1", "raw", 16)),
    Ratio("one call at a time, form, 16 clients: ours / bare", ("ours-1", "form", 16), ("bare-1", "form", 16)),
    Ratio("one call at a time, form, 16 clients: ours / LitServe", ("ours-1", "form", 16), ("litserve", "form", 16)),
    Ratio("one call at a time, form, 16 clients: ours / original cvpm", ("ours-1", "form", 16), ("cvpm", "form", 16)),
    Ratio("one call at a time, form, 16 clients: ours / original mlpm", ("ours-1", "form", 16), ("mlpm", "form", 16)),
    *(
        Ratio(f"one call at a time, form, 1 client: ours / {title}", ("ours-1", "form", 1), (name, "form", 1))
        for name, title in [("bare-1", "bare"), *((peer.name, peer.title) for peer in PEERS)]
    ),
)
OVERHEADS = (
    ("raw body, 1 client: p50 over a direct call, ms", "ours-1", "raw", 1.0),
    ("form, 1 client: p50 over a direct call, ms", "ours-1", "form", 1.3),
    ("raw body, 1 client: bare Starlette's p50 over a direct call, ms", "bare-1", "raw", None),
    ("form, 1 client: bare Starlette's p50 over a direct call, ms", "bare-1", "form", None),
)


def lines_of(found: Found) -> list[Line]:
    """Every line: first those that have a bar."""
    lines = [_ratio(found, ratio) for ratio in RATIOS]
    lines += [_overhead(found, *overhead) for overhead in OVERHEADS]
    return sorted(lines, key=lambda line: line.met is None and not line.bar)


def _ratio(found: Found, ratio: Ratio) -> Line:
    one, other = found.of(*ratio.one), found.of(*ratio.other)
    bar = "" if ratio.bar is None else f">= {ratio.bar:g}"
    if not one or not other:
        missing = next((name for name, *_ in (ratio.other, ratio.one) if name in found.not_run), ratio.other[0])
        return Line(ratio.what, (), bar, None, f"not run: {found.not_run.get(missing, 'no reply')}")
    values, calm = _of_calm_rounds([_over(ours, theirs) for ours, theirs in zip(one, other, strict=True)], one, other)
    return Line(ratio.what, values, bar, None if ratio.bar is None else statistics.median(values) >= ratio.bar, calm=calm)


def _over(one: Sample, other: Sample) -> float:
    return one.rate / other.rate if other.rate else float("inf")


def _overhead(found: Found, what: str, server: str, kind: str, bar: float | None) -> Line:
    samples = found.of(server, kind, 1)
    values, calm = _of_calm_rounds([sample.p50 - call for sample, call in zip(samples, found.direct, strict=True)], samples)
    return Line(what, values, "" if bar is None else f"<= {bar}", None if bar is None else statistics.median(values) <= bar, calm=calm)


def _of_calm_rounds(values: Sequence[float], *cells: Sequence[Sample]) -> tuple[tuple[float, ...], bool]:
    """The values of the rounds in which nobody else took much of the machine; all of them where there are too few such."""
    calm = tuple(value for value, *samples in zip(values, *cells, strict=True) if all(sample.others <= CALM for sample in samples))
    return (calm, True) if len(calm) >= ENOUGH else (tuple(values), False)


def missed(lines: Sequence[Line]) -> list[Line]:
    """The lines whose bar is not known to be held."""
    return [line for line in lines if line.bar and not line.met]
