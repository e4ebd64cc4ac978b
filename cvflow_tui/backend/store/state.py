"""The daemon's own database, `state.db`."""

from __future__ import annotations

import sqlite3

from cvflow_tui.backend.store.database import Database
from cvflow_tui.home import Home
from cvflow_tui.model.errors import CvflowError

MIGRATIONS = (
    """
    CREATE TABLE packages (
        vendor TEXT NOT NULL,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        source TEXT NOT NULL,          -- what `install` was given
        commit_id TEXT,                -- git sources: the pinned commit
        path TEXT NOT NULL,            -- folder of the installed files
        environment TEXT,              -- key of the virtualenv; NULL = the app's own Python
        size INTEGER NOT NULL,         -- bytes on disk, weights included
        warnings TEXT NOT NULL,        -- JSON list: what the loader repaired
        installed_at REAL NOT NULL,
        PRIMARY KEY (vendor, name)
    );
    CREATE TABLE weights (
        sha256 TEXT NOT NULL,
        size INTEGER NOT NULL,
        vendor TEXT NOT NULL,
        name TEXT NOT NULL,
        file TEXT NOT NULL,            -- the weight's name inside the package
        PRIMARY KEY (vendor, name, file),
        FOREIGN KEY (vendor, name) REFERENCES packages (vendor, name) ON DELETE CASCADE
    );
    CREATE TABLE runs (
        name TEXT PRIMARY KEY,         -- vendor/package/solver
        version TEXT NOT NULL,
        spec TEXT NOT NULL,            -- path of the runner's specification file
        token TEXT NOT NULL,           -- opens the runner's control routes
        port INTEGER NOT NULL,
        pid INTEGER,                   -- with start_time and boot_id: which process it is
        start_time REAL,
        boot_id TEXT,
        error TEXT,                    -- why it failed, once it has
        started_at REAL NOT NULL
    );
    CREATE TABLE projects (
        name TEXT PRIMARY KEY,
        path TEXT NOT NULL UNIQUE,
        created_at REAL NOT NULL
    );
    """,
    """
    CREATE TABLE settings (            -- what a person set of a solver, as it was written
        solver TEXT NOT NULL,          -- vendor/package/solver
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (solver, name)
    );
    CREATE TABLE variables (           -- environment variables of workers; values leave this file only for a worker's environment
        owner TEXT NOT NULL,           -- vendor/package or vendor/package/solver
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (owner, name)
    );
    """,
    """
    ALTER TABLE packages ADD COLUMN request TEXT;                      -- JSON: what the user asked for, which an upgrade asks again
    ALTER TABLE packages ADD COLUMN editable TEXT;                     -- the author's folder, where the package is only linked
    ALTER TABLE packages ADD COLUMN proven INTEGER NOT NULL DEFAULT 1; -- whether it has started once
    CREATE TABLE kept_versions (       -- what an upgrade left in its place: the way back
        vendor TEXT NOT NULL,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        kept_at REAL NOT NULL,
        record TEXT NOT NULL,          -- JSON: its row of `packages` and its rows of `weights`
        PRIMARY KEY (vendor, name, version),
        FOREIGN KEY (vendor, name) REFERENCES packages (vendor, name) ON DELETE CASCADE
    );
    """,
)


def open_state(home: Home) -> Database:
    """Open (and bring up to date) the state of a home folder. Raises as Database does, and says what to do where the file is damaged."""
    try:
        return Database(home.state_db, MIGRATIONS)
    except CvflowError as error:
        if type(error.__cause__) is not sqlite3.DatabaseError:  # what derives from it is not the file's fault
            raise
        what = "packages and solvers that run are found by their folders then; settings and environment variables are lost"
        raise CvflowError(f"{error.message}; move it away with its -wal and -shm: {what}") from error
