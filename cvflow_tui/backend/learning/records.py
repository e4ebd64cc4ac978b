"""Rounds as the project's database keeps them."""

from __future__ import annotations

import sqlite3
import time

from cvflow_tui.backend.annotation import pictures
from cvflow_tui.backend.annotation.folder import ProjectFolder
from cvflow_tui.backend.learning.metrics import metrics_from_json, metrics_to_json
from cvflow_tui.model.projects import DetectionMetrics, Round, RoundState

KILLED = "the process ended while the round was running"


def begin(folder: ProjectFolder, solver: str) -> int:
    """Write down that a round begins; every picture that is finished now counts as taught. Returns its number."""
    with folder.database.write() as connection:
        number = int(connection.execute("SELECT COALESCE(MAX(number), 0) + 1 FROM rounds").fetchone()[0])
        states = [state.value for state in pictures.FINISHED]
        connection.execute("UPDATE pictures SET taught = ? WHERE taught IS NULL AND state IN (?, ?)", (number, *states))
        count = connection.execute("SELECT COALESCE(SUM(pictures), 0) FROM tallies WHERE state IN (?, ?)", states).fetchone()[0]
        connection.execute(
            "INSERT INTO rounds (number, solver, state, pictures, started) VALUES (?, ?, ?, ?, ?)",
            (number, solver, RoundState.RUNNING.value, count, time.time()),
        )
    return number


def set_job(folder: ProjectFolder, number: int, job: str) -> None:
    """Write down which job a round is."""
    with folder.database.write() as connection:
        connection.execute("UPDATE rounds SET job = ? WHERE number = ?", (job, number))


def set_pictures(folder: ProjectFolder, number: int, count: int) -> None:
    """Write down how many pictures a round's snapshot holds."""
    with folder.database.write() as connection:
        connection.execute("UPDATE rounds SET pictures = ? WHERE number = ?", (count, number))


def end(
    folder: ProjectFolder,
    number: int,
    state: RoundState,
    reason: str,
    held_back: DetectionMetrics | None = None,
    before: DetectionMetrics | None = None,
) -> Round:
    """Write down how a round ended; a promoted one's checkpoint serves from here on, in the same transaction."""
    promoted = state is RoundState.PROMOTED
    with folder.database.write() as connection:
        connection.execute(
            "UPDATE rounds SET state = ?, reason = ?, held_back = ?, before = ?, checkpoint = ?, seconds = MAX(0, ? - started)"
            " WHERE number = ?",
            (
                state.value,
                reason,
                metrics_to_json(held_back),
                metrics_to_json(before),
                f"r{number}" if promoted else None,
                time.time(),
                number,
            ),
        )
        if promoted:
            connection.execute(
                "UPDATE project SET checkpoint = ? WHERE solver = (SELECT solver FROM rounds WHERE number = ?)", (f"r{number}", number)
            )
    return get(folder, number)


def get(folder: ProjectFolder, number: int) -> Round:
    """A round as it stands."""
    row = folder.database.row("SELECT * FROM rounds WHERE number = ?", (number,))
    if row is None:
        raise ValueError(f"there is no round {number}")
    return _round(row)


def recent(folder: ProjectFolder, limit: int = 100) -> tuple[Round, ...]:
    """The last rounds, oldest first."""
    rows = folder.database.rows("SELECT * FROM rounds ORDER BY number DESC LIMIT ?", (limit,))
    return tuple(_round(row) for row in reversed(rows))


def running(folder: ProjectFolder) -> list[tuple[int, str]]:
    """Rounds that are written down as running, and the solver that learns in each."""
    rows = folder.database.rows("SELECT number, solver FROM rounds WHERE state = ?", (RoundState.RUNNING.value,))
    return [(int(row["number"]), str(row["solver"])) for row in rows]


def _round(row: sqlite3.Row) -> Round:
    return Round(
        number=row["number"],
        state=RoundState(row["state"]),
        pictures=row["pictures"],
        started=row["started"],
        seconds=row["seconds"],
        checkpoint=row["checkpoint"],
        held_back=metrics_from_json(row["held_back"]),
        before=metrics_from_json(row["before"]),
        reason=row["reason"],
        job=row["job"],
    )
