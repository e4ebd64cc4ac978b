"""`Metrics`: values that a training gathers."""

from __future__ import annotations

from typing import Any, Dict, List


class Metrics:
    """Append values; each is JSON, such as `{"step": 0, "accuracy": 1}`."""

    def __init__(self) -> None:
        self.data: List[Any] = []

    def add(self, value: Any) -> None:
        """Append a value."""
        self.data.append(value)

    @property
    def output(self) -> Dict[str, Any]:
        """The last value by name, over all that was added."""
        merged: Dict[str, Any] = {}
        for value in self.data:
            if isinstance(value, dict):
                merged.update(value)
        return merged
