"""What was found, as Markdown tables that read well in a terminal too."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from benchmarks.serving.bars import Line
from benchmarks.serving.peers import PEERS
from benchmarks.serving.rounds import Found, Sample

TITLES = {
    "ours": "ours, 16 calls at a time",
    "ours-1": "ours, one call at a time",
    "ours-alone": "ours, batchable model alone",
    "ours-batched": "ours, batchable model",
    "bare": "bare Starlette, 16 calls at a time",
    "bare-1": "bare Starlette, one call at a time",
    **{peer.name: peer.title for peer in PEERS},
}


def bars(lines: Iterable[Line]) -> str:
    """The ratio table."""
    rows = []
    for line in lines:
        if line.values:
            met = "" if line.met is None else "met" if line.met else "NOT MET"
            spread = f"{_number(min(line.values))} - {_number(max(line.values))}"
            rounds = f"{len(line.values)}{' calm' if line.calm else ', disturbed'}"
            rows.append([line.what, _number(line.value), spread, rounds, line.bar, met])
        else:
            rows.append([line.what, line.note, "", "", line.bar, "not measured" if line.bar else ""])
    return _table(["what", "median", "from - to", "rounds", "bar", ""], rows)


def cells(found: Found) -> str:
    """Every cell: medians over the rounds."""
    rows = []
    for cell, samples in sorted(found.samples.items(), key=lambda item: (item[0].clients, item[0].kind, -_median(item[1], "rate"))):
        rates = [sample.rate for sample in samples]
        rows.append(
            [
                TITLES[cell.server],
                cell.kind,
                str(cell.clients),
                f"{statistics.median(rates):.0f}",
                f"{min(rates):.0f} - {max(rates):.0f}",
                f"{_median(samples, 'p50'):.2f}",
                f"{_median(samples, 'cpu'):.0f}",
                f"{_median(samples, 'errors'):.1%}",
                f"{_median(samples, 'load'):.0%}",
                f"{_median(samples, 'others'):.0%}",
            ]
        )
    head = [
        "server",
        "request",
        "clients",
        "replies/s",
        "rounds",
        "p50 ms",
        "CPU us a request",
        "errors",
        "load, of a core",
        "others, of all",
    ]
    return _table(head, rows)


def processes(found: Found) -> str:
    """What each server is as processes, and who could not be had."""
    rows = [
        [TITLES[name], f"{found.started[name]:.2f}", str(found.processes[name]), f"{found.memory[name]:.0f}", ""] for name in found.started
    ]
    rows += [[TITLES[name], "", "", "", f"not run: {why}"] for name, why in found.not_run.items()]
    return _table(["server", "s to the first reply", "processes", "MB (PSS)", ""], rows)


def _median(samples: Sequence[Sample], name: str) -> float:
    return statistics.median(float(getattr(sample, name)) for sample in samples)


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rows = [list(head), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    shown = ["| " + " | ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)) + " |" for row in rows]
    return "\n".join([shown[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *shown[1:]])
