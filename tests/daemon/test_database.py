"""The store: migrations run once and in order, a failed transaction leaves nothing, a newer file is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from cvflow_tui.backend.store import Database, open_state
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError, RefusedError

FIRST = "CREATE TABLE words (word TEXT PRIMARY KEY);"
SECOND = "ALTER TABLE words ADD COLUMN meaning TEXT;"


def test_migrations_run_once_and_in_order(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", [FIRST])
    with database.write() as connection:
        connection.execute("INSERT INTO words VALUES ('solver')")
    database.close()
    database = Database(tmp_path / "a.db", [FIRST, SECOND])
    assert [tuple(row) for row in database.rows("SELECT * FROM words")] == [("solver", None)]
    database.close()
    with pytest.raises(RefusedError, match="newer"):
        Database(tmp_path / "a.db", [FIRST])


def test_a_failed_migration_leaves_the_older_schema(tmp_path: Path) -> None:
    Database(tmp_path / "a.db", [FIRST]).close()
    with pytest.raises(CvflowError):
        Database(tmp_path / "a.db", [FIRST, SECOND + "nonsense;"])
    database = Database(tmp_path / "a.db", [FIRST])
    assert len(database.rows("SELECT * FROM pragma_table_info('words')")) == 1


def test_an_exception_rolls_back_and_the_next_writer_goes_on(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", [FIRST])
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.execute("INSERT INTO words VALUES ('gone')")
        raise ZeroDivisionError
    with database.write() as connection:
        connection.execute("INSERT INTO words VALUES ('kept')")
    assert [row["word"] for row in database.rows("SELECT word FROM words")] == ["kept"]


def test_a_commit_that_fails_does_not_lock_the_store(tmp_path: Path) -> None:
    script = "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);"
    database = Database(tmp_path / "a.db", [script])
    with pytest.raises(sqlite3.IntegrityError), database.write() as connection:
        connection.execute("INSERT INTO b VALUES (1)")
    with database.write() as connection:
        connection.execute("INSERT INTO a VALUES (1)")
    assert len(database.rows("SELECT * FROM a")) == 1


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(CvflowError, match=r"a\.db"):
        Database(tmp_path / "a.db", [FIRST])


def test_a_damaged_state_says_what_to_do_and_that_helps(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.state_db.write_bytes(b"no database at all" * 100)
    with pytest.raises(CvflowError, match=r"state\.db: file is not a database; move it away with its -wal and -shm: packages and"):
        open_state(home)
    home.state_db.rename(tmp_path / "away")
    open_state(home).close()


def test_a_state_that_cannot_be_opened_is_not_called_damaged(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.state_db.mkdir()
    with pytest.raises(CvflowError, match=r"unable to open") as raised:
        open_state(home)
    assert "move it away" not in raised.value.message
