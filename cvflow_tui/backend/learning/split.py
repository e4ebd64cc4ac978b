"""Which pictures teach and which are held back to measure by. Said once for each picture, and never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

EVERY = 5
"""One picture in so many is held back."""

Part = Literal["train", "held_back"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture that may be shared out. `part` is what was said of it earlier."""

    id: int
    sha256: str
    annotated: bool
    part: Part | None = None


def shared_out(pictures: Sequence[Candidate]) -> Mapping[int, Part]:
    """A part for every picture.

    Earlier parts stay. Of the new pictures those with the smallest digests are held back, until a fifth of all is (so at least
    one once there are five); as long as no held-back picture holds annotations, one that does comes first, for without it
    nothing could be measured. Copies of one picture (same digest) are always on the same side.
    """
    parts: dict[int, Part] = {item.id: item.part for item in pictures if item.part is not None}
    by_digest: dict[str, Part] = {item.sha256: item.part for item in pictures if item.part is not None}
    groups: dict[str, list[Candidate]] = {}
    for item in pictures:
        if item.part is None and item.sha256 in by_digest:
            parts[item.id] = by_digest[item.sha256]
        elif item.part is None:
            groups.setdefault(item.sha256, []).append(item)
    missing = len(pictures) // EVERY - sum(part == "held_back" for part in parts.values())
    measurable = any(item.annotated for item in pictures if parts.get(item.id) == "held_back")
    while groups:
        digest = min(groups, key=lambda key: (not measurable and not any(item.annotated for item in groups[key]), key))
        chosen = groups.pop(digest)
        held = missing > 0
        for item in chosen:
            parts[item.id] = "held_back" if held else "train"
        if held:
            missing -= len(chosen)
            measurable = measurable or any(item.annotated for item in chosen)
    return parts
