"""Suggestions: what a solver says of a picture, made to fit the project and kept as a layer of its own."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cvflow_tui.backend.annotation.labels import Labels
from cvflow_tui.backend.store import Database
from cvflow_tui.model.geometry import Box, Size
from cvflow_tui.model.projects import Annotation, PictureState
from cvflow_tui.model.results import DetectedObject
from cvflow_tui.model.text import one_line

FLOOR = 0.05
"""Scores from here on are kept: a screen shows those above its threshold, which may be lowered later."""

MOST = 300
"""Suggestions kept for one picture, the best ones."""

SAME = 0.7
"""A suggestion that overlaps an annotation of its class more than this (IoU) says nothing new."""


TWICE = 0.5
"""Of two proposals of one class that overlap more than this (IoU), the better is kept.

Solvers keep such pairs for the sake of crowds; an annotator has to decline them. After 25 raccoons a picture had 5.9 suggestions above .4
for 1.1 animals, and has 3.3 with this, at no lower AP50 (.80 to .83; coco128 .453 to .452).
"""


@dataclass(frozen=True, slots=True)
class Serving:
    """Who suggests: a solver and the checkpoint of a round (number `round`), or the package's own weights (None, 0)."""

    solver: str
    checkpoint: str | None = None

    @property
    def round(self) -> int:
        """The number of the checkpoint's round; 0 for the package's own weights."""
        return int(self.checkpoint[1:]) if self.checkpoint else 0


@dataclass(frozen=True, slots=True)
class Proposal:
    """An object of a solver in the words of the project: one of its classes, a box inside the picture."""

    label: str
    score: float
    box: Box


def fitted(objects: Iterable[DetectedObject], labels: Labels, size: Size) -> list[Proposal]:
    """The objects whose label is a class of the project (whatever the case), clipped to the picture, best first.

    Left out: objects without a score or box, boxes below one pixel, other labels, what is there twice.
    """
    found: list[Proposal] = []
    for item in objects:
        label = labels.match(item.label)
        if label is None or item.box is None or item.score is None or not item.box.is_finite or not 0 <= item.score <= 1:
            continue
        box = item.box.ordered().clipped(size)
        if box.width >= 1 and box.height >= 1:
            found.append(Proposal(label, item.score, box))
    return _distinct(sorted(found, key=lambda proposal: -proposal.score)[: 4 * MOST])


def _distinct(proposals: Sequence[Proposal]) -> list[Proposal]:
    """The proposals, best first, without those that nearly cover a better one of their class."""
    kept: dict[str, list[Proposal]] = {}
    found = []
    for proposal in proposals:
        better = kept.setdefault(proposal.label, [])
        if all(other.box.iou(proposal.box) <= TWICE for other in better):
            better.append(proposal)
            found.append(proposal)
    return found


def new_to(proposals: Sequence[Proposal], annotations: Sequence[Annotation]) -> list[Proposal]:
    """The proposals that no annotation of the same class covers already."""
    return [
        proposal
        for proposal in proposals
        if not any(item.label == proposal.label and item.box.iou(proposal.box) > SAME for item in annotations)
    ]


def is_due(database: Database, row: sqlite3.Row, serving: Serving) -> bool:
    """Whether the solver should be asked about a picture.

    It should where it never was, and again where something else serves by now and no person has decided on any of its suggestions.
    Nothing is suggested over a finished picture.
    """
    state = PictureState(row["state"])
    if state.is_finished or row["width"] is None:
        return False
    last = database.row("SELECT solver, checkpoint FROM askings WHERE picture = ? ORDER BY id DESC LIMIT 1", (row["id"],))
    if last is None:
        return True
    if state is PictureState.SKIPPED or (last["solver"], last["checkpoint"]) == (serving.solver, serving.checkpoint):
        return False
    # An act that was undone may be redone, and would then decide on a suggestion that is gone: it counts as a verdict.
    decided = "SELECT 1 FROM journal WHERE picture = ? AND status IN ('done', 'undone') AND verdicts > 0 LIMIT 1"
    return database.row(decided, (row["id"],)) is None


def keep(database: Database, row: sqlite3.Row, serving: Serving, proposals: Sequence[Proposal], labels: Labels) -> None:
    """Store what a solver said; an earlier set is put aside. Does nothing if the picture moved on meanwhile."""
    with database.write() as connection:
        now = connection.execute("SELECT * FROM pictures WHERE id = ?", (row["id"],)).fetchone()
        if now is None or not is_due(database, now, serving):
            return
        connection.execute("UPDATE suggestions SET shown = 0 WHERE picture = ?", (row["id"],))
        asked = connection.execute(
            "INSERT INTO askings (picture, solver, checkpoint, round, first, asked_at) VALUES (?, ?, ?, ?, ?, ?)",
            (row["id"], serving.solver, serving.checkpoint, serving.round, _is_first(connection, now), time.time()),
        ).lastrowid
        connection.executemany(
            "INSERT INTO suggestions (asking, picture, class, score, x0, y0, x1, y1) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(asked, row["id"], labels.number(item.label), item.score, *item.box.corners) for item in proposals[:MOST]],
        )


def unknown_labels(objects: Sequence[DetectedObject], labels: Labels, solver: str) -> str | None:
    """One line for a picture on which a solver found things, none of them a class of the project; None otherwise.

    It is the same line on every such picture, whatever was found: an annotator is told a thing once.
    """
    if not objects or any(labels.match(item.label) for item in objects):
        return None
    return one_line(f"{solver} found only things that are no classes of this project; a round teaches it yours")


def _is_first(connection: sqlite3.Connection, row: sqlite3.Row) -> int:
    """1 where nobody has done anything to the picture and no solver was asked: then the answer is an honest forecast."""
    asked = connection.execute("SELECT 1 FROM askings WHERE picture = ? LIMIT 1", (row["id"],)).fetchone()
    return int(asked is None and not row["annotations"] and row["finished_at"] is None and row["taught"] is None)
