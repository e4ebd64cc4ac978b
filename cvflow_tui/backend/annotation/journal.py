"""The journal: every act is one transaction that holds its line and what it did, so that a killed process loses nothing."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from cvflow_tui.backend.annotation import pictures, rules
from cvflow_tui.backend.annotation.codec import act_to_json, change_from_json, change_to_json
from cvflow_tui.backend.annotation.content import Change
from cvflow_tui.backend.annotation.labels import Labels
from cvflow_tui.backend.store import Database
from cvflow_tui.model.errors import CvflowError, RefusedError
from cvflow_tui.model.projects import Act


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done: to which picture, one line that says so, and the annotation or suggestion it was about."""

    picture: int
    message: str
    affected: int | None = None


class Journal:
    """The acts of a project: one line of history over all its pictures. Thread-safe."""

    def __init__(self, database: Database, labels: Labels) -> None:
        self._database = database
        self._labels = labels

    def act(self, picture: int, act: Act) -> Entry:
        """Do something to a picture. When this returns it is on disk; what had been undone can't be redone any more.

        Raises what the rules raise, and CvflowError where the disk does not take it; then nothing was done.
        """
        try:
            with self._database.write() as connection:
                row = pictures.with_id(self._database, picture)
                content = pictures.content_of(self._database, row, self._labels)
                outcome = rules.decide(content, act, self._labels, _next_annotation(connection))
                if outcome.change != Change():
                    self._write(connection, picture, act, outcome)
        except sqlite3.Error as error:
            raise _unwritten(self._database, error) from error
        return Entry(picture, outcome.message, outcome.affected)

    def undo(self) -> Entry:
        """Take the last act back. Raises RefusedError when there is none."""
        return self._turn("SELECT * FROM journal WHERE status = 'done' ORDER BY id DESC LIMIT 1", "undone")

    def redo(self) -> Entry:
        """Do again what was undone last. Raises RefusedError when there is nothing."""
        return self._turn("SELECT * FROM journal WHERE status = 'undone' ORDER BY id LIMIT 1", "done")

    def can_undo(self) -> bool:
        """Whether there is an act to take back."""
        return self._database.row("SELECT 1 FROM journal WHERE status = 'done' LIMIT 1") is not None

    def can_redo(self) -> bool:
        """Whether there is something to do again."""
        return self._database.row("SELECT 1 FROM journal WHERE status = 'undone' LIMIT 1") is not None

    def _write(self, connection: sqlite3.Connection, picture: int, act: Act, outcome: rules.Outcome) -> None:
        connection.execute("UPDATE journal SET status = 'dropped' WHERE status = 'undone'")
        connection.execute(
            "INSERT INTO journal (picture, status, act, change, message, verdicts, at) VALUES (?, 'done', ?, ?, ?, ?, ?)",
            (
                picture,
                act_to_json(act),
                change_to_json(outcome.change, self._labels),
                outcome.message,
                len(outcome.change.verdicts),
                time.time(),
            ),
        )
        apply_change(connection, picture, outcome.change, self._labels)

    def _turn(self, sql: str, status: str) -> Entry:
        try:
            with self._database.write() as connection:
                row = connection.execute(sql).fetchone()
                if row is None:
                    raise RefusedError("there is nothing to undo" if status == "undone" else "there is nothing to redo")
                change = change_from_json(row["change"], self._labels)
                if status == "undone":
                    change = change.inverse()
                apply_change(connection, row["picture"], change, self._labels)
                connection.execute("UPDATE journal SET status = ? WHERE id = ?", (status, row["id"]))
        except sqlite3.Error as error:
            raise _unwritten(self._database, error) from error
        return Entry(row["picture"], f"{'undone' if status == 'undone' else 'redone'}: {row['message']}", _affected(change))


def apply_change(connection: sqlite3.Connection, picture: int, change: Change, labels: Labels) -> None:
    """Make a change in the tables; the caller's transaction holds it."""
    for item in change.annotations:
        if item.after is None:
            connection.execute("DELETE FROM annotations WHERE id = ?", (item.id,))
            continue
        after = item.after
        values = (picture, labels.number(after.label), *after.box.corners, after.origin, after.suggestion, after.score)
        connection.execute(
            "INSERT INTO annotations (id, picture, class, x0, y0, x1, y1, origin, suggestion, score) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET class = excluded.class, x0 = excluded.x0, y0 = excluded.y0, x1 = excluded.x1,"
            " y1 = excluded.y1, origin = excluded.origin, suggestion = excluded.suggestion, score = excluded.score",
            (item.id, *values),
        )
    for verdict in change.verdicts:
        connection.execute("UPDATE suggestions SET verdict = ? WHERE id = ?", (verdict.after, verdict.suggestion))
    was = connection.execute("SELECT state FROM pictures WHERE id = ?", (picture,)).fetchone()["state"]
    if change.state is not None:
        ended = change.state[1].is_finished and not change.state[0].is_finished
        connection.execute(
            "UPDATE pictures SET state = ?, finished_at = CASE WHEN ? THEN ? ELSE finished_at END WHERE id = ?",
            (change.state[1].value, ended, time.time(), picture),
        )
    if was in [state.value for state in pictures.FINISHED] or (change.state is not None and change.state[1].is_finished):
        connection.execute("UPDATE project SET revision = revision + 1")


def _next_annotation(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'annotations'").fetchone()
    return int(row["seq"]) + 1 if row else 1


def _affected(change: Change) -> int | None:
    if change.annotations and change.annotations[0].after is not None:
        return change.annotations[0].id
    return change.verdicts[0].suggestion if change.verdicts else None


def _unwritten(database: Database, error: sqlite3.Error) -> CvflowError:
    return CvflowError(f"{database.path}: the act could not be written and was not done: {error}")
