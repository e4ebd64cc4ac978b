"""Reading and writing the pictures of a project: always a window, never the whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice
from pathlib import Path

from cvflow_tui.backend.annotation.content import Content
from cvflow_tui.backend.annotation.labels import Labels
from cvflow_tui.backend.pictures.header import read_header, stamp_of
from cvflow_tui.backend.store import Database
from cvflow_tui.model.errors import NotFoundError
from cvflow_tui.model.geometry import Box, Size
from cvflow_tui.model.projects import Annotation, Picture, PicturePage, PictureState, Suggestion, Verdict

BATCH = 10_000
"""Pictures inserted by one statement."""

MOST = 1000
"""Pictures of one page."""

FEW = 200
"""Pictures that are fetched at a time where all are gone through."""

FINISHED = (PictureState.ANNOTATED, PictureState.CONFIRMED_EMPTY)


def insert_pictures(database: Database, paths: Iterable[str], root: Path) -> int:
    """Register the pictures of a new project in their order, none of them read; returns how many."""
    prefix = f"{str(root).rstrip('/')}/"
    rows = ((number, number, path, path.removeprefix(prefix)) for number, path in enumerate(paths, start=1))
    count = 0
    with database.write() as connection:
        while batch := list(islice(rows, BATCH)):
            connection.executemany("INSERT INTO pictures (id, position, path, name) VALUES (?, ?, ?, ?)", batch)
            count += len(batch)
        connection.execute("INSERT INTO tallies VALUES (?, ?, 0)", (PictureState.UNSEEN.value, count))
    return count


def page(database: Database, offset: int, limit: int, query: str, state: PictureState | None) -> PicturePage:
    """A window of the pictures whose name holds `query` (whatever the case) and that are in `state`, in their order."""
    offset, limit = max(0, offset), max(0, min(limit, MOST))
    conditions: dict[str, object] = {}
    if state is not None:
        conditions["state = ?"] = state.value
    if query:
        conditions["instr(lower(name), lower(?)) > 0"] = query
    if not conditions:  # positions have no gaps, so the window is found without counting up to it
        rows = database.rows("SELECT * FROM pictures WHERE position > ? ORDER BY position LIMIT ?", (offset, limit))
    else:
        sql = f"SELECT * FROM pictures WHERE {' AND '.join(conditions)} ORDER BY position LIMIT ? OFFSET ?"  # noqa: S608  # fixed words
        rows = database.rows(sql, (*conditions.values(), limit, offset))
    return PicturePage(tuple(to_picture(row) for row in rows), _total(database, conditions, state), offset)


def _total(database: Database, conditions: dict[str, object], state: PictureState | None) -> int:
    if list(conditions) not in ([], ["state = ?"]):
        sql = f"SELECT COUNT(*) FROM pictures WHERE {' AND '.join(conditions)}"  # noqa: S608  # fixed words
        row = database.row(sql, tuple(conditions.values()))
        return int(row[0]) if row else 0
    counts = tallies(database)
    return counts.get(state, (0, 0))[0] if state is not None else sum(pictures for pictures, _ in counts.values())


def tallies(database: Database) -> dict[str, tuple[int, int]]:
    """By state: how many pictures, and how many annotations they hold. Kept by triggers, so nothing is counted here."""
    return {row["state"]: (row["pictures"], row["annotations"]) for row in database.rows("SELECT * FROM tallies")}


def next_position(database: Database) -> int:
    """The first picture that is not finished: unseen or in progress, else skipped, else the first of all."""
    sql = "SELECT MIN(position) FROM pictures WHERE state = ?"
    open_ones = [database.row(sql, (state.value,)) for state in (PictureState.UNSEEN, PictureState.IN_PROGRESS)]
    found = [row[0] for row in open_ones if row and row[0] is not None]
    if found:
        return int(min(found))
    skipped = database.row(sql, (PictureState.SKIPPED.value,))
    return int(skipped[0]) if skipped and skipped[0] is not None else 1


def at_position(database: Database, position: int) -> sqlite3.Row:
    """The picture at a position. Raises NotFoundError for one beyond the ends."""
    row = database.row("SELECT * FROM pictures WHERE position = ?", (position,))
    if row is None:
        total = sum(pictures for pictures, _ in tallies(database).values())
        raise NotFoundError(f"there is no picture {position}: the project has {total}")
    return row


def with_id(database: Database, number: int) -> sqlite3.Row:
    """The picture with an id. Raises NotFoundError."""
    row = database.row("SELECT * FROM pictures WHERE id = ?", (number,))
    if row is None:
        raise NotFoundError(f"the project has no picture with id {number}")
    return row


def looked_at(database: Database, row: sqlite3.Row) -> sqlite3.Row:
    """The row with size, digest and error of its file as it is now; the file is read only if it changed since."""
    path = Path(row["path"])
    stamp = stamp_of(path)
    if stamp is not None and stamp == row["stamp"]:
        return row
    header = read_header(path)
    with database.write() as connection:
        connection.execute(
            "UPDATE pictures SET width = ?, height = ?, sha256 = ?, error = ?, stamp = ? WHERE id = ?",
            (header.width, header.height, header.sha256, header.error, stamp, row["id"]),
        )
    return with_id(database, row["id"])


def to_picture(row: sqlite3.Row) -> Picture:
    """A row as the type that travels."""
    return Picture(
        id=row["id"],
        position=row["position"],
        name=row["name"],
        path=row["path"],
        state=PictureState(row["state"]),
        width=row["width"],
        height=row["height"],
        sha256=row["sha256"],
        annotations=row["annotations"],
        error=row["error"],
    )


def content_of(database: Database, row: sqlite3.Row, labels: Labels) -> Content:
    """What a picture holds: its annotations and the suggestions that are shown, by id."""
    suggestions = database.rows(
        "SELECT s.*, a.solver, a.checkpoint FROM suggestions s JOIN askings a ON a.id = s.asking"
        " WHERE s.picture = ? AND s.shown = 1 ORDER BY s.id",
        (row["id"],),
    )
    return Content(
        name=row["name"],
        size=None if row["width"] is None else Size(row["width"], row["height"]),
        state=PictureState(row["state"]),
        annotations=annotations_of(database, row["id"], labels),
        suggestions=tuple(to_suggestion(item, labels) for item in suggestions),
    )


def annotations_of(database: Database, picture: int, labels: Labels) -> tuple[Annotation, ...]:
    """A picture's annotations by id."""
    rows = database.rows("SELECT * FROM annotations WHERE picture = ? ORDER BY id", (picture,))
    return tuple(
        Annotation(row["id"], labels.name(row["class"]), box_of(row), row["origin"], row["suggestion"], row["score"]) for row in rows
    )


def to_suggestion(row: sqlite3.Row, labels: Labels) -> Suggestion:
    """A row of suggestions joined with its asking."""
    verdict = None if row["verdict"] is None else Verdict(row["verdict"])
    return Suggestion(row["id"], labels.name(row["class"]), row["score"], box_of(row), row["solver"], row["checkpoint"], verdict)


def finished(database: Database) -> Iterator[sqlite3.Row]:
    """Every finished picture by position, fetched a few at a time. What is finished meanwhile may or may not be among them."""
    return merge(*(_in_state(database, state) for state in FINISHED), key=lambda row: int(row["position"]))


def _in_state(database: Database, state: PictureState) -> Iterator[sqlite3.Row]:
    sql, last = "SELECT * FROM pictures WHERE state = ? AND position > ? ORDER BY position LIMIT ?", 0
    while rows := database.rows(sql, (state.value, last, FEW)):
        yield from rows
        last = rows[-1]["position"]


def teaches(database: Database) -> bool:
    """Whether a finished picture holds an annotation. The tallies tell: nothing is counted."""
    counts = tallies(database)
    return any(counts.get(state, (0, 0))[1] for state in FINISHED)


def box_of(row: sqlite3.Row) -> Box:
    """The box of a row with x0, y0, x1, y1."""
    return Box(row["x0"], row["y0"], row["x1"], row["y1"])
