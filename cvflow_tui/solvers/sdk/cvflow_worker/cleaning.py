"""Results made plain JSON: no numpy, no tuples, no NaN."""

from __future__ import annotations

import dataclasses
import enum
import math
import os
import sys
from collections.abc import Mapping
from typing import Any

DEPTH = 64
"""How deep a result may nest."""


def clean(value: Any, depth: int = 0) -> Any:
    """The value as JSON can say it: arrays and tuples as lists, numpy numbers as numbers, NaN and infinities as null, and so a
    whole number that no float can hold.

    Raises TypeError for what has no JSON form.
    """
    if value is None or isinstance(value, (bool, str)):
        return value if value is None or isinstance(value, bool) else str(value)
    if isinstance(value, enum.Enum):
        return clean(value.value, depth)
    if isinstance(value, int):
        return int(value) if abs(value) <= sys.float_info.max else None
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if depth > DEPTH:
        raise TypeError(f"the result nests deeper than {DEPTH} levels")
    return _compound(value, depth + 1)


def _compound(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {str(key): clean(item, depth) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [clean(item, depth) for item in value]
    if hasattr(value, "tolist"):  # numpy arrays and scalars, torch tensors
        return clean(value.tolist(), depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: clean(getattr(value, field.name), depth) for field in dataclasses.fields(value)}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"the solver returned a {type(value).__name__}, which has no JSON form")
