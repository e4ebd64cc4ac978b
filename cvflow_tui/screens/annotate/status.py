"""The annotate place's status line: as much as the width holds, the least needed left out first."""

from __future__ import annotations

from dataclasses import dataclass

from cvflow_tui.model.geometry import Size
from cvflow_tui.model.projects import PictureState
from cvflow_tui.model.text import one_line, plural
from cvflow_tui.screens.annotate.boxes import Resizing
from cvflow_tui.screens.annotate.rows import hidden_below
from cvflow_tui.screens.annotate.session import Session
from cvflow_tui.screens.annotate.words import ap50, fraction, round_progress
from cvflow_tui.widgets.cells import cut, width_of

NAME_LIMIT = 30
"""Cells of a picture's name at most: the whole name is in the list of pictures (`G`)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the line. Parts of a group stand close together; the part with the highest `spare` goes first when room is short."""

    text: str
    group: int
    spare: int


def status_line(session: Session, *, zoom: float | None, drawing: bool, size: Size | None, width: int) -> str:
    """What the line says now, in at most `width` cells."""
    if session.opening is not None:
        place = f"picture {session.opening}" if session.opening else "the first picture that is not finished"
        return cut(f"opening {place}: asking for suggestions …", width)
    if session.view is None:
        return ""
    parts = _parts(session, zoom, drawing, size)
    while width_of(_joined(parts)) > width and any(part.spare for part in parts):
        parts.remove(max(parts, key=lambda part: part.spare))
    return cut(_joined(parts), width)


def _parts(session: Session, zoom: float | None, drawing: bool, size: Size | None) -> list[Part]:
    view = session.opened()
    parts = [Part(f"{view.picture.position}/{view.total}", 0, 0), Part(one_line(cut(view.picture.name, NAME_LIMIT), 80), 0, 3)]
    if size is not None:
        parts.append(Part(f"{size.width}x{size.height}", 0, 8))
    if zoom is not None:
        parts.append(Part(f"zoom {zoom:.1f}", 0, 9))
    state = view.picture.state
    if state.is_finished or state is PictureState.SKIPPED:
        parts.append(Part(str(state), 1, 1))
    if session.resizing is not None:
        parts.append(Part(f"resizing: {_side(session.resizing[1])}", 1, 0))
    elif drawing:
        parts.append(Part(f"drawing {one_line(session.label or '', 24)}", 1, 0))
    elif session.undecided:
        parts.append(Part(f"{session.undecided} to decide", 1, 0))
    elif view.note:
        parts.append(Part("no suggestions", 1, 2))
    elif not session.rows and hidden_below(view, session.threshold):
        parts.append(Part("none above the threshold", 1, 2))
    elif view.suggestions:
        parts.append(Part("all decided", 1, 2))
    parts.append(Part(f"threshold {fraction(session.threshold)}", 2, 6))
    return [*parts, *_accuracy(session), *_learning(session)]


def _side(resizing: Resizing) -> str:
    box = resizing.box
    return f"{resizing.corner.words} corner, {box.width:.0f}x{box.height:.0f}"


def _accuracy(session: Session) -> list[Part]:
    """How the suggestions did on the last finished pictures, and what the last round measured on those held back."""
    if session.status is None:
        return []
    prequential, parts = session.status.prequential, []
    metrics = prequential.recent if prequential.recent.pictures else prequential.overall
    if metrics.pictures:
        parts.append(Part(f"P {fraction(metrics.precision)}  R {fraction(metrics.recall)}", 3, 7))
        parts.append(Part(f"AP50 {fraction(metrics.ap50)}", 3, 2))
    measured = [each for each in session.status.rounds if each.held_back is not None]
    if measured:
        last = max(measured, key=lambda each: each.number)
        parts.append(Part(f"r{last.number} AP50 {fraction(ap50(last.held_back))}", 4, 4))
    return parts


def _learning(session: Session) -> list[Part]:
    project = session.project
    if session.rounds.job is not None:
        number = (
            next((each.number for each in session.status.rounds if each.job == session.rounds.job.id), None) if session.status else None
        )
        return [Part(round_progress(session.rounds.job, number), 5, 0)]
    if project is None:
        return []
    if project.finished == project.pictures and project.pictures:
        return [Part(f"all {plural(project.pictures, 'picture')} finished: E exports", 5, 2)]
    if project.until_round:
        return [Part(f"{project.until_round} until round {_next_round(session)}", 5, 5)]
    return []


def _next_round(session: Session) -> int:
    return max((each.number for each in session.status.rounds), default=0) + 1 if session.status else 1


def _joined(parts: list[Part]) -> str:
    groups: dict[int, list[str]] = {}
    for part in parts:
        groups.setdefault(part.group, []).append(part.text)
    return "  ·  ".join("  ".join(groups[group]) for group in sorted(groups))
