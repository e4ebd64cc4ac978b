"""Numbers as a person reads them."""

from __future__ import annotations

from datetime import datetime

from cvflow_tui.model.text import in_bytes

_BLOCKS = "▁▂▃▄▅▆▇█"
_SHORT_TASKS = {
    "object-detection": "detection",
    "instance-segmentation": "segmentation",
    "image-classification": "classification",
    "keypoint-detection": "keypoints",
    "image-captioning": "captioning",
    "text-recognition": "text",
}


def task_of(tasks: tuple[str, ...]) -> str:
    """Tasks in a narrow column: the first by its short name, and how many more."""
    if not tasks:
        return "–"
    first = _SHORT_TASKS.get(tasks[0], tasks[0])
    return first if len(tasks) == 1 else f"{first} +{len(tasks) - 1}"


def bytes_of(count: float | None) -> str:
    """Bytes for people: `3.7 MB`; `–` for None."""
    return "–" if count is None else in_bytes(count)


def seconds_of(seconds: float | None) -> str:
    """A stretch of time: `8 s`, `3:05 min`, `1:02 h`, `4 d 3 h`; `–` for None."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    if whole < 86400:
        return f"{whole // 3600}:{whole % 3600 // 60:02} h"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def date_of(seconds: float | None) -> str:
    """A day: `2026-01-31`; `–` for None."""
    return "–" if seconds is None else f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d}"


def millis_of(milliseconds: float | None) -> str:
    """A short time: `0.8 ms`, `31 ms`, `1.2 s`; `–` for None."""
    if milliseconds is None:
        return "–"
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"


def score_of(score: float | None) -> str:
    """A score 0..1 as `.91`; `1.0` for one, `–` for None."""
    if score is None:
        return "–"
    text = f"{score:.2f}"
    return text[1:] if text.startswith("0") else text[:3]


def sparkline(values: list[float] | tuple[float, ...], width: int, low: float = 0.0, high: float = 1.0) -> str:
    """The last `width` values as blocks between `low` and `high`; a value outside is drawn at the edge."""
    span = (high - low) or 1.0
    return "".join(_BLOCKS[min(7, max(0, round((value - low) / span * 7)))] for value in values[-width:])


def bar(done: float, total: float | None, width: int) -> str:
    """Progress as a line of `width` cells: `━━━━────`; all thin where the total is not known."""
    full = 0 if not total else min(width, max(0, int(width * done / total)))
    return "━" * full + "─" * (width - full)
