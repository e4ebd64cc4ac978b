"""The objects of a picture as the annotator's list shows them: suggestions and what became of them, then what was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import Annotation, PictureView, Suggestion, Verdict

Key = tuple[Literal["annotation", "suggestion"], int]
"""What a row is about. An accepted or fixed suggestion keeps its suggestion's key: the selection survives a verdict and its undoing."""

SLACK = 1e-9
"""Thresholds move in steps of .05; a score that equals one must not fall to a rounding error."""


@dataclass(frozen=True, slots=True)
class Row:
    """One object. `number` counts from 1 down the list; `box` is in pixels of the picture as displayed."""

    key: Key
    number: int
    label: str
    box: Box
    verdict: str
    """`suggested`, `accepted`, `fixed`, `declined`, `drawn` or `imported`."""
    score: float | None
    annotation: Annotation | None = None
    suggestion: Suggestion | None = None

    @property
    def is_undecided(self) -> bool:
        """Whether it waits for a verdict."""
        return self.annotation is None and self.verdict == "suggested"

    @property
    def is_declined(self) -> bool:
        """Whether a person said that it is wrong."""
        return self.annotation is None and self.verdict == "declined"


def rows_of(view: PictureView, threshold: float) -> tuple[Row, ...]:
    """The list: suggestions by falling score, each in its place whatever the verdict, then annotations that came from none.

    Undecided suggestions below `threshold` are left out.
    """
    taken = {note.suggestion: note for note in view.annotations if note.suggestion is not None}
    found: list[Row] = []
    for suggestion in sorted(view.suggestions, key=lambda each: (-each.score, each.id)):
        annotation = taken.pop(suggestion.id, None)
        if annotation is not None:
            found.append(_annotated(annotation, ("suggestion", suggestion.id), suggestion, len(found) + 1))
        elif suggestion.verdict is Verdict.DECLINED or suggestion.score >= threshold - SLACK:
            found.append(_suggested(suggestion, len(found) + 1))
    shown = {row.annotation.id for row in found if row.annotation is not None}
    for annotation in view.annotations:
        if annotation.id not in shown:
            found.append(_annotated(annotation, ("annotation", annotation.id), None, len(found) + 1))
    return tuple(found)


def hidden_below(view: PictureView, threshold: float) -> int:
    """How many undecided suggestions the threshold hides."""
    taken = {note.suggestion for note in view.annotations}
    return sum(1 for each in view.suggestions if each.verdict is None and each.id not in taken and each.score < threshold - SLACK)


def _annotated(annotation: Annotation, key: Key, suggestion: Suggestion | None, number: int) -> Row:
    return Row(
        key=key,
        number=number,
        label=annotation.label,
        box=annotation.box,
        verdict=annotation.origin,
        score=annotation.score,
        annotation=annotation,
        suggestion=suggestion,
    )


def _suggested(suggestion: Suggestion, number: int) -> Row:
    return Row(
        key=("suggestion", suggestion.id),
        number=number,
        label=suggestion.label,
        box=suggestion.box,
        verdict="declined" if suggestion.verdict is Verdict.DECLINED else "suggested",
        score=suggestion.score,
        suggestion=suggestion,
    )
