"""The tables of a project's database, `project.db`."""

from __future__ import annotations

MIGRATIONS = (
    """
    CREATE TABLE project (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        solver TEXT,                        -- vendor/package/solver that suggests
        threshold REAL NOT NULL,
        round_every INTEGER NOT NULL,
        credit TEXT,
        checkpoint TEXT,                    -- the round's checkpoint that serves, e.g. r4; NULL = the package's own weights
        revision INTEGER NOT NULL DEFAULT 0,-- grows whenever something that a finished picture holds changes
        created_at REAL NOT NULL
    );
    CREATE TABLE pictures (
        id INTEGER PRIMARY KEY,
        position INTEGER NOT NULL UNIQUE,   -- counts from 1
        path TEXT NOT NULL UNIQUE,          -- absolute
        name TEXT NOT NULL,                 -- relative to the folder that all pictures share, with /
        state TEXT NOT NULL DEFAULT 'unseen',
        width INTEGER,                      -- of the picture as displayed; NULL until it was opened
        height INTEGER,
        sha256 TEXT,
        error TEXT,                         -- why it can't be read
        stamp TEXT,                         -- size and modification time of the file when it was read
        annotations INTEGER NOT NULL DEFAULT 0,
        finished_at REAL,                   -- when it last became finished; stays when it is opened again
        taught INTEGER,                     -- the first round that began after it was finished
        split TEXT                          -- 'train' or 'held_back', from its first round on
    );
    CREATE INDEX pictures_by_state ON pictures (state, position);
    CREATE INDEX pictures_by_round ON pictures (state, taught);
    -- pictures and annotations by state; inserting pictures counts them itself, once for all of them
    CREATE TABLE tallies (state TEXT PRIMARY KEY, pictures INTEGER NOT NULL, annotations INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TRIGGER tally_changed AFTER UPDATE OF state, annotations ON pictures BEGIN
        UPDATE tallies SET pictures = pictures - 1, annotations = annotations - old.annotations WHERE state = old.state;
        INSERT INTO tallies VALUES (new.state, 1, new.annotations)
            ON CONFLICT (state) DO UPDATE SET pictures = pictures + 1, annotations = annotations + new.annotations;
    END;
    CREATE TABLE annotations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        picture INTEGER NOT NULL REFERENCES pictures (id) ON DELETE CASCADE,
        class INTEGER NOT NULL,             -- the number of its class in labels.toml
        x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL,
        origin TEXT NOT NULL,
        suggestion INTEGER REFERENCES suggestions (id),
        score REAL
    );
    CREATE INDEX annotations_by_picture ON annotations (picture);
    CREATE TRIGGER annotation_new AFTER INSERT ON annotations BEGIN
        UPDATE pictures SET annotations = annotations + 1 WHERE id = new.picture;
    END;
    CREATE TRIGGER annotation_gone AFTER DELETE ON annotations BEGIN
        UPDATE pictures SET annotations = annotations - 1 WHERE id = old.picture;
    END;
    CREATE TABLE askings (                  -- each time a solver was asked about a picture
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        picture INTEGER NOT NULL REFERENCES pictures (id) ON DELETE CASCADE,
        solver TEXT NOT NULL,
        checkpoint TEXT,
        round INTEGER NOT NULL,             -- number of the checkpoint's round; 0 = the package's own weights
        first INTEGER NOT NULL,             -- 1: before a person had done anything here, so it may measure the solver
        asked_at REAL NOT NULL
    );
    CREATE INDEX askings_by_picture ON askings (picture, id);
    CREATE TABLE suggestions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        asking INTEGER NOT NULL REFERENCES askings (id) ON DELETE CASCADE,
        picture INTEGER NOT NULL REFERENCES pictures (id) ON DELETE CASCADE,
        class INTEGER NOT NULL,
        score REAL NOT NULL,
        x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL,
        verdict TEXT,
        shown INTEGER NOT NULL DEFAULT 1    -- 0: a later asking took its place; kept to measure by
    );
    CREATE INDEX suggestions_by_picture ON suggestions (picture, shown);
    CREATE INDEX suggestions_by_asking ON suggestions (asking);
    CREATE TABLE journal (                  -- every act, in order; nothing is ever taken out
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        picture INTEGER NOT NULL REFERENCES pictures (id) ON DELETE CASCADE,
        status TEXT NOT NULL,               -- 'done', 'undone' (can be redone) or 'dropped' (undone, then something else was done)
        act TEXT NOT NULL,                  -- JSON: what the annotator asked for
        change TEXT NOT NULL,               -- JSON: what it did, readable in both directions
        message TEXT NOT NULL,
        verdicts INTEGER NOT NULL,          -- how many suggestions it decided
        at REAL NOT NULL
    );
    CREATE INDEX journal_by_status ON journal (status, id);
    CREATE INDEX journal_by_picture ON journal (picture, status, verdicts);
    CREATE TABLE rounds (
        number INTEGER PRIMARY KEY,
        solver TEXT NOT NULL,
        state TEXT NOT NULL,
        pictures INTEGER NOT NULL,
        started REAL NOT NULL,
        seconds REAL,
        checkpoint TEXT,
        held_back TEXT,                     -- JSON metrics of the new checkpoint
        before TEXT,                        -- JSON metrics of the one that served until then
        reason TEXT NOT NULL DEFAULT '',
        job TEXT
    );
    """,
)
