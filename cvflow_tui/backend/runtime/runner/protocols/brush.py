"""Masks as Label Studio's brush wants them: its own bit-packed run lengths over RGBA, not COCO's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

_SIZES = (3, 4, 8, 16)
"""How many bits a run's length may take; two bits before it say which."""
_LONGEST = 1 << _SIZES[-1]
_PIXELS = 50_000_000

Runs = list[tuple[int, bool]]
"""Lengths in pixels, row by row, and whether they belong to the mask."""


def runs_of_mask(mask: Mapping[str, Any]) -> Runs | None:
    """The runs, row by row, of COCO's `{"size": [h, w], "counts"}`; None for one that is none."""
    import numpy as np

    try:
        height, width = (int(value) for value in mask["size"])
        counts = mask["counts"]
        lengths = _coco(counts) if isinstance(counts, str) else [int(value) for value in counts]
    except (KeyError, TypeError, ValueError):
        return None
    if height < 1 or width < 1 or height * width > _PIXELS or min(lengths, default=0) < 0 or sum(lengths) != height * width:
        return None
    # COCO goes down the columns.
    columns = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return _runs(columns.reshape(width, height).T.ravel())


def runs_of_polygons(polygons: Iterable[Sequence[float]], width: int, height: int) -> Runs | None:
    """The runs of what some rings enclose."""
    import numpy as np
    from PIL import Image, ImageDraw

    if width * height > _PIXELS:
        return None
    canvas = Image.new("1", (width, height))
    draw = ImageDraw.Draw(canvas)
    for ring in polygons:
        if len(ring) >= 6 and len(ring) % 2 == 0:
            draw.polygon([float(value) for value in ring], fill=1)
    return _runs(np.asarray(canvas, dtype=bool).ravel())


def encode_brush(runs: Runs) -> list[int]:
    """The bytes of Label Studio's `rle`: how many values, how wide, the four lengths' widths; then runs of one value each."""
    pieces = [(4 * sum(length for length, _ in runs), 32), (7, 5), *((size - 1, 4) for size in _SIZES)]
    for length, inside in runs:
        left = 4 * length  # red, green, blue and alpha of each pixel
        while left:
            run = min(left, _LONGEST)
            which = next(number for number, size in enumerate(_SIZES) if run <= 1 << size)
            pieces += [(1, 1), (which, 2), (run - 1, _SIZES[which]), (255 if inside else 0, 8)]
            left -= run
    bits = "".join(f"{value:0{width}b}" for value, width in pieces)
    bits += "0" * (-len(bits) % 8)
    return list(int(bits, 2).to_bytes(len(bits) // 8, "big"))


def _runs(flat: Any) -> Runs:
    import numpy as np

    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    ends = chain(edges.tolist(), (len(flat),))
    inside, runs, begin = bool(flat[0]), [], 0
    for end in ends:
        runs.append((int(end - begin), inside))
        inside, begin = not inside, end
    return runs


def _coco(text: str) -> list[int]:
    """COCO's compressed counts: five bits a character, from the third run on as differences to the run before the last."""
    counts: list[int] = []
    value = shift = 0
    for letter in text.encode("ascii"):
        part = letter - 48
        if not 0 <= part < 64:
            raise ValueError("no such character")
        value |= (part & 31) << shift
        shift += 5
        if not part & 32:
            if part & 16:
                value -= 1 << shift
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value = shift = 0
    if shift:
        raise ValueError("it ends within a number")
    return counts
