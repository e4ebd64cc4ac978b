"""Numbers and states as the annotate and training places say them."""

from __future__ import annotations

from collections.abc import Sequence

from cvflow_tui.model.jobs import Job
from cvflow_tui.model.projects import DetectionMetrics, Prequential, Round, RoundState
from cvflow_tui.model.text import plural

BARS = "▁▂▃▄▅▆▇█"


def fraction(value: float | None) -> str:
    """`.91`, `1.0`, or `–` where there was nothing to measure."""
    if value is None:
        return "–"
    text = f"{value:.2f}"
    return "1.0" if text == "1.00" else text.removeprefix("0")


def change(after: float | None, before: float | None) -> str:
    """`+.03` or `-.10`; empty where either is unknown."""
    if after is None or before is None:
        return ""
    difference = round(after - before, 2)
    return ("-" if difference < 0 else "+") + fraction(abs(difference))


def sparkline(values: Sequence[float], width: int) -> str:
    """The last `width` values between 0 and 1 as blocks of eight heights."""
    return "".join(BARS[min(7, max(0, int(value * 8)))] for value in list(values)[-width:]) if width > 0 else ""


def spell_time(seconds: float) -> str:
    """`6 s`, `1 min 20 s`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def accuracy(prequential: Prequential) -> str:
    """`P .91  R .84  AP50 .78`, of the last finished pictures."""
    metrics = prequential.recent if prequential.recent.pictures else prequential.overall
    if not metrics.pictures:
        return ""
    return measures(metrics)


def measures(metrics: DetectionMetrics) -> str:
    """`P .91  R .84  AP50 .78`."""
    return f"P {fraction(metrics.precision)}  R {fraction(metrics.recall)}  AP50 {fraction(metrics.ap50)}"


def round_line(round_: Round) -> str:
    """`25 pictures · 6 s · +.03 AP50`: a round in one line."""
    parts = [plural(round_.pictures, "picture")]
    if round_.state is RoundState.RUNNING:
        parts.append("running")
        return " · ".join(parts)
    if round_.seconds is not None:
        parts.append(spell_time(round_.seconds))
    difference = change(ap50(round_.held_back), ap50(round_.before))
    if round_.state is not RoundState.PROMOTED:
        parts.append(str(round_.state))
    elif difference:
        parts.append(f"{difference} AP50")
    return " · ".join(parts)


def round_ended(round_: Round) -> str:
    """What became of a round, as a sentence without a full stop."""
    before, after = ap50(round_.before), ap50(round_.held_back)
    measured = f": AP50 {fraction(before)} → {fraction(after)}" if before is not None and after is not None else ""
    why = f" ({round_.reason})" if round_.reason else ""
    if round_.state is RoundState.PROMOTED:
        return f"round {round_.number} promoted{measured}{why if not measured else ''}"
    if round_.state is RoundState.KEPT_OLD:
        return f"round {round_.number} kept the old weights{measured}{why}"
    return f"round {round_.number} {round_.state}{why}"


def round_progress(job: Job, number: int | None = None) -> str:
    """`round 5: fine-tuning 40/100 steps, 6 s left`."""
    name = f"round {number}" if number else "round"
    parts = [f"{name}: {job.step or 'starting'}"]
    if job.total:
        parts[0] += f" {job.done:.0f}/{job.total:.0f}" + (f" {job.unit}" if job.unit else "")
    if job.eta is not None:
        parts.append(f"{spell_time(job.eta)} left")
    return ", ".join(parts)


def ap50(metrics: DetectionMetrics | None) -> float | None:
    """AP50 of a measurement, None where there is none."""
    return metrics.ap50 if metrics else None
