"""The session's objects as shapes for the canvas."""

from __future__ import annotations

from cvflow_tui.model.geometry import Box
from cvflow_tui.model.text import one_line
from cvflow_tui.screens.annotate.rows import Key, Row
from cvflow_tui.screens.annotate.session import Session
from cvflow_tui.screens.annotate.words import fraction
from cvflow_tui.widgets.image_canvas.scene import Shape

UNKNOWN = 7
"""The colour of a label that the project does not have: the palette's grey."""


def color_index(labels: tuple[str, ...], label: str) -> int:
    """The position of a class in the palette."""
    return labels.index(label) if label in labels else UNKNOWN


def shapes_of(session: Session) -> tuple[Shape, ...]:
    """What lies over the picture: every row but the declined ones (unless selected); a box that is not yet an act is a draft."""
    drafts = _drafts(session)
    return tuple(_shape(session, row, drafts.get(row.key)) for row in session.rows if not row.is_declined or row.key == session.selected)


def key_of(shape_id: str) -> Key:
    """The row a shape stands for."""
    kind, _, number = shape_id.partition(":")
    return ("annotation" if kind == "annotation" else "suggestion", int(number))


def _drafts(session: Session) -> dict[Key, Box]:
    found: dict[Key, Box] = {}
    if session.moved is not None:
        found[session.moved[0]] = session.moved[1]
    if session.resizing is not None:
        found[session.resizing[0]] = session.resizing[1].box
    return found


def _shape(session: Session, row: Row, draft: Box | None) -> Shape:
    label = f"{row.number} {one_line(row.label, 40)}"
    if row.is_undecided and row.score is not None:
        label += f" {fraction(row.score)}"
    return Shape(
        id=f"{row.key[0]}:{row.key[1]}",
        box=draft or row.box,
        color=color_index(session.labels, row.label),
        label=label,
        kind="draft" if draft is not None else "suggestion" if row.annotation is None else "annotation",
        selected=row.key == session.selected,
        dimmed=row.is_declined,
    )
