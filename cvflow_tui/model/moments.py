"""Times that a user types: so long ago, or a date."""

from __future__ import annotations

from datetime import datetime

from cvflow_tui.model.settings import read_duration

FORMS = "30s, 5m, 2h, 1d ago, or 2026-01-31, 2026-01-31T12:00"
"""What may be typed."""


def read_moment(text: str, now: float) -> float:
    """Seconds since 1970. Raises ValueError with one sentence."""
    try:
        return now - read_duration(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError:
        raise ValueError(f"{text[:40]}: give a time such as 30s, 5m, 2h or 2026-01-31T12:00") from None
