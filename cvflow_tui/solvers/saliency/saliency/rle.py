"""Masks as COCO writes them: run lengths down the columns, background first, packed into text."""

from __future__ import annotations

from typing import Any

import numpy as np


def encode(mask: np.ndarray[Any, Any]) -> dict[str, Any]:
    """A bool mask [height, width] as `{"size": [height, width], "counts": "…"}`, which pycocotools reads."""
    values = mask.ravel(order="F")
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [values.size]])).tolist()
    if values.size and values[0]:
        runs.insert(0, 0)
    return {"size": [int(side) for side in mask.shape], "counts": "".join(map(_packed, _differences(runs)))}


def _differences(runs: list[int]) -> list[int]:
    """From the fourth run on, how much longer it is than the run of its kind before."""
    return [run - runs[place - 2] if place > 2 else run for place, run in enumerate(runs)]


def _packed(number: int) -> str:
    """A number in pieces of five bits, the lowest first; a sixth bit says that more follow, and the last piece's fifth is the sign."""
    text = ""
    while True:
        piece, number = number & 0x1F, number >> 5
        more = number != (-1 if piece & 0x10 else 0)
        text += chr((piece | 0x20 if more else piece) + 48)
        if not more:
            return text
