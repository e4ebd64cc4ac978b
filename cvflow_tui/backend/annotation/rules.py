"""The rules of annotating: what an act does to a picture's content, and what takes it back. Pure; the journal makes it last."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cvflow_tui.backend.annotation.content import AnnotationChange, Change, Content, VerdictChange, applied
from cvflow_tui.backend.annotation.labels import Labels
from cvflow_tui.model.errors import NotFoundError, RefusedError, UsageError
from cvflow_tui.model.geometry import Box
from cvflow_tui.model.projects import (
    Accept,
    AcceptRest,
    Act,
    Annotation,
    Decline,
    Draw,
    Edit,
    Fix,
    Origin,
    PictureState,
    Remove,
    SetState,
    Suggestion,
    Verdict,
)

SMALLEST = 1.0
"""Pixels a box must measure in each direction once it is clipped to the picture."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act comes to. An empty change means that everything was so already."""

    change: Change
    message: str
    affected: int | None = None


@dataclass(frozen=True, slots=True)
class _Situation:
    content: Content
    labels: Labels
    next_id: int
    """The id a new annotation gets; further ones count on from it."""


def decide(content: Content, act: Act, labels: Labels, next_id: int) -> Outcome:
    """What an act does to a picture.

    Raises NotFoundError for an annotation or suggestion that is not there, UsageError for a box or class that can't be,
    RefusedError for an act that the state of things does not allow.
    """
    here = _Situation(content, labels, next_id)
    if isinstance(act, SetState):
        return _set_state(here, act)
    outcome = _done(here, act)
    if not outcome.change.annotations and not outcome.change.verdicts:
        return outcome
    return replace(outcome, change=replace(outcome.change, state=_state_after(content, outcome.change)))


def normal_box(content: Content, box: Box) -> Box:
    """The box in order and inside the picture. Raises UsageError for one that is not finite or too small, RefusedError without a size."""
    if content.size is None:
        raise RefusedError(f"{content.name} can't be read, so nothing can be drawn on it: skip it")
    if not box.is_finite:
        raise UsageError("box: every coordinate must be a finite number")
    clipped = box.ordered().clipped(content.size)
    if clipped.width < SMALLEST or clipped.height < SMALLEST:
        raise UsageError(f"box: {clipped.width:.1f}x{clipped.height:.1f} pixels of it lie inside {content.name}, at least 1x1 must")
    return clipped


def score_text(score: float | None) -> str:
    """A score the way it stands in lists: `.91`."""
    return "" if score is None else f"{score:.2f}".removeprefix("0")


def _state_after(content: Content, change: Change) -> tuple[PictureState, PictureState] | None:
    """Work opens a picture again, save one that is annotated and still holds something."""
    empty = not applied(content, change).annotations
    if content.state is PictureState.IN_PROGRESS or (content.state is PictureState.ANNOTATED and not empty):
        return None
    return content.state, PictureState.IN_PROGRESS


def _accept(here: _Situation, act: Accept) -> Outcome:
    suggestion = _free(here, act.suggestion)
    change = _taken(here, suggestion, here.next_id, suggestion.label, suggestion.box, "accepted", Verdict.ACCEPTED)
    return Outcome(change, f"accepted {suggestion.label} {score_text(suggestion.score)}", here.next_id)


def _accept_rest(here: _Situation, act: AcceptRest) -> Outcome:
    rest = [item for item in here.content.suggestions if item.verdict is None and item.score >= act.threshold]
    if not rest:
        raise RefusedError(f"no suggestion of at least {score_text(act.threshold)} is left to accept")
    annotations: list[AnnotationChange] = []
    verdicts: list[VerdictChange] = []
    for number, item in enumerate(rest, start=here.next_id):
        change = _taken(here, item, number, item.label, item.box, "accepted", Verdict.ACCEPTED)
        annotations += change.annotations
        verdicts += change.verdicts
    plural = "" if len(rest) == 1 else "s"
    return Outcome(Change(tuple(annotations), tuple(verdicts)), f"accepted {len(rest)} suggestion{plural}", here.next_id)


def _decline(here: _Situation, act: Decline) -> Outcome:
    suggestion = _free(here, act.suggestion)
    message = f"declined {suggestion.label} {score_text(suggestion.score)}"
    if suggestion.verdict is Verdict.DECLINED:
        return Outcome(Change(), f"{suggestion.label} {score_text(suggestion.score)} is declined already", suggestion.id)
    return Outcome(Change(verdicts=(VerdictChange(suggestion.id, suggestion.verdict, Verdict.DECLINED),)), message, suggestion.id)


def _fix(here: _Situation, act: Fix) -> Outcome:
    suggestion = _free(here, act.suggestion)
    here.labels.number(act.label)
    change = _taken(here, suggestion, here.next_id, act.label, normal_box(here.content, act.box), "fixed", Verdict.FIXED)
    return Outcome(change, f"fixed {act.label}", here.next_id)


def _draw(here: _Situation, act: Draw) -> Outcome:
    here.labels.number(act.label)
    drawn = Annotation(here.next_id, act.label, normal_box(here.content, act.box))
    return Outcome(Change((AnnotationChange(None, drawn),)), f"drew {act.label}", drawn.id)


def _edit(here: _Situation, act: Edit) -> Outcome:
    before = _annotation(here, act.annotation)
    here.labels.number(act.label)
    after = replace(before, label=act.label, box=normal_box(here.content, act.box))
    if after == before:
        return Outcome(Change(), f"{before.label} is as it was", before.id)
    verdicts: tuple[VerdictChange, ...] = ()
    if before.origin == "accepted" and before.suggestion is not None:  # what a person had to change was not right as it was
        after = replace(after, origin="fixed")
        verdicts = (VerdictChange(before.suggestion, Verdict.ACCEPTED, Verdict.FIXED),)
    return Outcome(Change((AnnotationChange(before, after),), verdicts), f"edited {act.label}", before.id)


def _remove(here: _Situation, act: Remove) -> Outcome:
    before = _annotation(here, act.annotation)
    verdicts: tuple[VerdictChange, ...] = ()
    if before.suggestion is not None:
        verdict = Verdict.ACCEPTED if before.origin == "accepted" else Verdict.FIXED
        verdicts = (VerdictChange(before.suggestion, verdict, None),)
    return Outcome(Change((AnnotationChange(before, None),), verdicts), f"removed {before.label}", before.suggestion or before.id)


def _done(here: _Situation, act: Accept | Decline | AcceptRest | Fix | Draw | Edit | Remove) -> Outcome:
    match act:
        case Accept():
            return _accept(here, act)
        case Decline():
            return _decline(here, act)
        case AcceptRest():
            return _accept_rest(here, act)
        case Fix():
            return _fix(here, act)
        case Draw():
            return _draw(here, act)
        case Edit():
            return _edit(here, act)
        case Remove():
            return _remove(here, act)


def _set_state(here: _Situation, act: SetState) -> Outcome:
    content, wanted = here.content, act.state
    held = len(content.annotations)
    if wanted is PictureState.UNSEEN:
        raise UsageError("state: a picture can't be made unseen; open it again as in progress")
    if wanted.is_finished and content.size is None:
        raise RefusedError(f"{content.name} can't be read, so it can't be finished: skip it")
    if wanted is PictureState.ANNOTATED and not held:
        raise RefusedError(f"{content.name} holds no annotation: confirm that it is empty, or skip it")
    if wanted is PictureState.CONFIRMED_EMPTY and held:
        raise RefusedError(
            f"{content.name} holds {held} annotation{'' if held == 1 else 's'}: remove them before confirming that it is empty"
        )
    if wanted is content.state:
        return Outcome(Change(), f"{content.name} is {wanted} already")
    return Outcome(Change(state=(content.state, wanted)), f"{content.name} is {wanted}")


def _taken(here: _Situation, suggestion: Suggestion, number: int, label: str, box: Box, origin: Origin, verdict: Verdict) -> Change:
    annotation = Annotation(number, label, box, origin, suggestion.id, suggestion.score)
    return Change((AnnotationChange(None, annotation),), (VerdictChange(suggestion.id, suggestion.verdict, verdict),))


def _free(here: _Situation, number: int) -> Suggestion:
    """A suggestion that no annotation stands for yet (a declined one may be taken after all)."""
    found = next((item for item in here.content.suggestions if item.id == number), None)
    if found is None:
        raise NotFoundError(f"{here.content.name} has no suggestion {number}")
    if found.verdict in (Verdict.ACCEPTED, Verdict.FIXED):
        raise RefusedError(f"suggestion {found.label} {score_text(found.score)} is {found.verdict} already: remove its annotation first")
    return found


def _annotation(here: _Situation, number: int) -> Annotation:
    found = next((item for item in here.content.annotations if item.id == number), None)
    if found is None:
        raise NotFoundError(f"{here.content.name} has no annotation {number}")
    return found
