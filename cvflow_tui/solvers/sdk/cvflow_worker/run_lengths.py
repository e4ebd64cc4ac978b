"""Masks as COCO's run lengths: columns first, the first run counts zeros, packed six bits to a character."""

from __future__ import annotations

from itertools import chain, groupby
from typing import Any, Dict, List, Sequence


def encode(rows: Sequence[Sequence[Any]], value: Any) -> Dict[str, Any]:
    """`{"size": [height, width], "counts": "…"}` of the pixels that equal `value`."""
    pixels = chain.from_iterable(zip(*rows))  # noqa: B905 - strict came with 3.10; rows are of one length
    runs: List[int] = []
    for inside, run in groupby(pixels, lambda pixel: bool(pixel == value)):
        if inside and not runs:
            runs.append(0)
        runs.append(sum(1 for _ in run))
    return {"size": [len(rows), len(rows[0])], "counts": pack(runs)}


def pack(runs: Sequence[int]) -> str:
    """COCO's text: from the third run on, each is told by its difference to the one before the last."""
    text: List[str] = []
    for index, run in enumerate(runs):
        left = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            bits = left & 0x1F
            left >>= 5
            more = left != -1 if bits & 0x10 else left != 0
            text.append(chr((bits | 0x20 if more else bits) + 48))
    return "".join(text)
