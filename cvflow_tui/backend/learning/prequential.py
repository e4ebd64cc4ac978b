"""Accuracy while annotating: what the solver had said when each picture was first opened, against what the person committed."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence

from cvflow_tui.backend.annotation import pictures
from cvflow_tui.backend.annotation.folder import ProjectFolder
from cvflow_tui.backend.annotation.suggesting import Proposal
from cvflow_tui.backend.learning.metrics import Compared, Counts, count, measure
from cvflow_tui.model.geometry import Size
from cvflow_tui.model.projects import Prequential

RECENT = 20
"""Finished pictures of the recent figures."""

GROUP = 5
"""Finished pictures behind one step of the sparkline, at least."""

STEPS = 30
"""Steps of the sparkline, at most."""


MOST = 100
"""Suggestions of a picture that count, the best ones: as many as COCO's evaluation looks at."""


def prequential(folder: ProjectFolder, threshold: float) -> Prequential:
    """The figures over every finished picture that the solver had answered for before anyone touched it, in order of finishing."""
    return summarise(forecasts(folder), folder.labels.names, threshold)


def summarise(compared: Sequence[Compared], labels: Sequence[str], threshold: float) -> Prequential:
    """The figures over pictures in order of finishing, oldest first."""
    counts = [count(picture, threshold) for picture in compared]
    size = max(GROUP, math.ceil(len(counts) / STEPS))
    groups = [counts[start : start + size] for start in range(0, len(counts) - size + 1, size)]
    return Prequential(
        overall=measure(compared, labels, threshold),
        recent=measure(compared[-RECENT:], labels, threshold),
        history=tuple(sum(group, Counts()).f1 for group in groups),
    )


def forecasts(folder: ProjectFolder) -> list[Compared]:
    """Finished pictures with an honest forecast (`askings.first`), in order of finishing, oldest first."""
    database = folder.database
    asked = database.rows(
        "SELECT p.id, p.width, p.height, a.id AS asking FROM pictures p JOIN askings a ON a.picture = p.id AND a.first = 1"
        " WHERE p.state IN (?, ?) AND p.width IS NOT NULL ORDER BY p.finished_at, p.id",
        [state.value for state in pictures.FINISHED],
    )
    return [_compared(folder, row) for row in asked]


def _compared(folder: ProjectFolder, row: sqlite3.Row) -> Compared:
    sql = "SELECT class, score, x0, y0, x1, y1 FROM suggestions WHERE asking = ? ORDER BY score DESC, id LIMIT ?"
    said = folder.database.rows(sql, (row["asking"], MOST))
    held = pictures.annotations_of(folder.database, row["id"], folder.labels)
    return Compared(
        Size(row["width"], row["height"]),
        tuple((item.label, item.box) for item in held),
        tuple(Proposal(folder.labels.name(item["class"]), item["score"], pictures.box_of(item)) for item in said),
    )
