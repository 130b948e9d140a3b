"""Tables of the project file, and the numbered steps by which a file of an earlier version becomes one of this.

What a subject (a photo, a person, a comment) is now stands in its column `own`: a JSON object of fields (`fields.py`),
and always what the journal adds up to. The columns beside it say the same again, for indexes. Three tables are never
changed once written, and triggers hold that: `prediction`, `edit` and `change`.

A change of the tables is a new entry in `MIGRATIONS`; entries that were released are never touched again.
"""

from __future__ import annotations

from sqlite3 import complete_statement

from annotator.project.database import Database
from annotator.project.errors import NewerProjectError, NotAProjectError

APPLICATION_ID = 0x434C4646  # "CLFF" in the header of the file

_NEVER_CHANGED = """
CREATE TRIGGER {table}_is_never_changed BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is never changed'); END;
CREATE TRIGGER {table}_is_never_removed BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is never removed'); END;
"""

_FIRST = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE root (
    id INTEGER PRIMARY KEY,
    prefix TEXT NOT NULL UNIQUE,     -- of the names of its photos; empty for the first
    near TEXT,                       -- the folder as seen from the project's, if they share a drive
    far TEXT NOT NULL                -- the same in full
);

CREATE TABLE photo (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,        -- from its content: the same photo has the same uid in every project
    name TEXT NOT NULL UNIQUE,       -- as in records and exports
    root_id INTEGER NOT NULL REFERENCES root (id),
    path TEXT NOT NULL,              -- below the root, forward slashes
    sha256 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    orientation INTEGER NOT NULL,    -- EXIF, 1..8
    width INTEGER NOT NULL,          -- upright, pixels
    height INTEGER NOT NULL,
    own TEXT NOT NULL DEFAULT '{}',
    excluded INTEGER NOT NULL DEFAULT 0,
    touched INTEGER NOT NULL DEFAULT 0,   -- whether a hand was ever on it: such photos are mirrored
    revision INTEGER NOT NULL DEFAULT 0,
    mirrored INTEGER NOT NULL DEFAULT 0,  -- the revision that the mirror has
    mirror_seq INTEGER NOT NULL DEFAULT 0, -- the line of the journal that it is not older than
    mirror_hash TEXT NOT NULL DEFAULT '', -- SHA-256 of the file written last
    mirror_next TEXT NOT NULL DEFAULT '', -- and of the one being written: any other content is not ours
    UNIQUE (root_id, path)
);
CREATE INDEX photo_by_content ON photo (sha256);
CREATE INDEX photo_to_mirror ON photo (id) WHERE touched AND mirrored < revision;

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('model', 'fit', 'imported')),
    name TEXT NOT NULL,              -- model and version, or the file's format
    started TEXT NOT NULL,
    settings TEXT NOT NULL
);

CREATE TABLE prediction (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES run (id),
    number INTEGER NOT NULL,         -- within the run, the same in every copy
    photo_id INTEGER NOT NULL REFERENCES photo (id),
    box BLOB, joint_set TEXT, points BLOB, body BLOB, gender TEXT, camera BLOB, cam_crop BLOB,
    extra TEXT,
    UNIQUE (run_id, number)
);
CREATE INDEX prediction_by_photo ON prediction (photo_id);

CREATE TABLE person (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    photo_id INTEGER NOT NULL REFERENCES photo (id),
    own TEXT NOT NULL DEFAULT '{}',
    present INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'proposed',
    verdict TEXT NOT NULL DEFAULT '',
    edited INTEGER NOT NULL DEFAULT 0,    -- whether a value of it is a person's
    box_from INTEGER REFERENCES prediction (id),
    body_from INTEGER REFERENCES prediction (id),
    revision INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX person_by_photo ON person (photo_id);

CREATE TABLE comment (
    id INTEGER PRIMARY KEY,
    uid TEXT NOT NULL UNIQUE,
    photo_id INTEGER NOT NULL REFERENCES photo (id),
    own TEXT NOT NULL DEFAULT '{}',
    present INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX comment_by_photo ON comment (photo_id);

CREATE TABLE step (                  -- what undo takes back at once
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('hand', 'bulk', 'merge')),
    label TEXT NOT NULL,
    who TEXT NOT NULL,
    begun TEXT NOT NULL,
    run_id INTEGER REFERENCES run (id),
    open INTEGER NOT NULL,           -- more edits may follow
    done INTEGER NOT NULL DEFAULT 1  -- 0 while it is undone
);
CREATE INDEX step_done ON step (done, id);

CREATE TABLE edit (                  -- the journal: one row for each transaction
    seq INTEGER PRIMARY KEY,
    link TEXT NOT NULL,              -- SHA-256 over the link before and everything in this edit
    step_id INTEGER REFERENCES step (id),
    action TEXT NOT NULL CHECK (action IN ('do', 'undo', 'redo', 'note')),
    command TEXT NOT NULL,
    who TEXT NOT NULL,
    at TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX edit_by_step ON edit (step_id) WHERE step_id IS NOT NULL;

CREATE TABLE change (                -- what each edit changed, field by field
    seq INTEGER NOT NULL REFERENCES edit (seq) DEFERRABLE INITIALLY DEFERRED,
    n INTEGER NOT NULL,              -- within the edit
    step_id INTEGER,                 -- for 'do'; what an undo or redo changes only follows from its step
    kind TEXT NOT NULL,
    subject INTEGER NOT NULL,
    field TEXT NOT NULL,
    before TEXT,                     -- JSON, NULL where nothing was set
    after TEXT,
    PRIMARY KEY (seq, n)
) WITHOUT ROWID;
CREATE INDEX change_by_field ON change (kind, subject, field, seq);
""" + "".join(_NEVER_CHANGED.format(table=table) for table in ("prediction", "edit", "change"))

_COUNTS = """
ALTER TABLE photo ADD COLUMN people INTEGER NOT NULL DEFAULT 0;
ALTER TABLE photo ADD COLUMN done INTEGER NOT NULL DEFAULT 0;
ALTER TABLE photo ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE photo ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE photo ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;

CREATE TABLE tally (                 -- people by state, verdict and whether a hand was on them
    state TEXT NOT NULL, verdict TEXT NOT NULL, edited INTEGER NOT NULL, people INTEGER NOT NULL,
    PRIMARY KEY (state, verdict, edited)
) WITHOUT ROWID;

CREATE TABLE measure (               -- numbers to sort people by; made again at any time, so not in the journal
    name TEXT NOT NULL, person_id INTEGER NOT NULL REFERENCES person (id), value REAL NOT NULL,
    PRIMARY KEY (name, person_id)
) WITHOUT ROWID;
CREATE INDEX measure_by_value ON measure (name, value, person_id);

CREATE INDEX person_by_state ON person (state, photo_id) WHERE present;
CREATE INDEX person_by_verdict ON person (verdict, photo_id) WHERE present AND verdict <> '';
CREATE INDEX photo_unfinished ON photo (name) WHERE NOT excluded AND done < people;
CREATE INDEX photo_edited ON photo (name) WHERE NOT excluded AND edited > 0;
CREATE INDEX photo_accepted ON photo (name) WHERE NOT excluded AND accepted > 0;
CREATE INDEX photo_rejected ON photo (name) WHERE NOT excluded AND rejected > 0;
CREATE INDEX photo_nobody ON photo (name) WHERE NOT excluded AND people = 0;

CREATE TABLE photo_tally (excluded INTEGER PRIMARY KEY, photos INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO photo_tally SELECT 0, count(*) FROM photo WHERE NOT excluded;
INSERT INTO photo_tally SELECT 1, count(*) FROM photo WHERE excluded;
CREATE TRIGGER photo_added AFTER INSERT ON photo
BEGIN UPDATE photo_tally SET photos = photos + 1 WHERE excluded = NEW.excluded; END;
CREATE TRIGGER photo_moved AFTER UPDATE OF excluded ON photo WHEN OLD.excluded <> NEW.excluded
BEGIN
    UPDATE photo_tally SET photos = photos - 1 WHERE excluded = OLD.excluded;
    UPDATE photo_tally SET photos = photos + 1 WHERE excluded = NEW.excluded;
END;

INSERT INTO tally SELECT state, verdict, edited, count(*) FROM person WHERE present GROUP BY 1, 2, 3;
UPDATE photo SET
    people = (SELECT count(*) FROM person WHERE photo_id = photo.id AND present),
    done = (SELECT count(*) FROM person WHERE photo_id = photo.id AND present AND state = 'done'),
    accepted = (SELECT count(*) FROM person WHERE photo_id = photo.id AND present AND verdict = 'accepted'),
    rejected = (SELECT count(*) FROM person WHERE photo_id = photo.id AND present AND verdict = 'rejected'),
    edited = (SELECT count(*) FROM person WHERE photo_id = photo.id AND present AND edited)
WHERE id IN (SELECT photo_id FROM person);

CREATE TRIGGER person_counted AFTER UPDATE OF present, state, verdict, edited ON person
WHEN (OLD.present, OLD.state, OLD.verdict, OLD.edited) IS NOT (NEW.present, NEW.state, NEW.verdict, NEW.edited)
BEGIN
    UPDATE tally SET people = people - 1
        WHERE OLD.present AND state = OLD.state AND verdict = OLD.verdict AND edited = OLD.edited;
    INSERT INTO tally SELECT NEW.state, NEW.verdict, NEW.edited, 1 WHERE NEW.present
        ON CONFLICT DO UPDATE SET people = people + 1;
    UPDATE photo SET
        people = people + NEW.present - OLD.present,
        done = done + (NEW.present AND NEW.state = 'done') - (OLD.present AND OLD.state = 'done'),
        accepted = accepted + (NEW.present AND NEW.verdict = 'accepted') - (OLD.present AND OLD.verdict = 'accepted'),
        rejected = rejected + (NEW.present AND NEW.verdict = 'rejected') - (OLD.present AND OLD.verdict = 'rejected'),
        edited = edited + (NEW.present AND NEW.edited) - (OLD.present AND OLD.edited)
    WHERE id = NEW.photo_id;
END;
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _COUNTS)
"""Entry n brings a file of version n to n + 1; a new project runs all of them."""

VERSION = len(MIGRATIONS)


def version_of(database: Database) -> int:
    """Version of a file's tables.

    Raises:
        NotAProjectError: an SQLite file of something else.
        NewerProjectError: written by a later version of the program.
    """
    if database.value("PRAGMA application_id") != APPLICATION_ID:
        raise NotAProjectError(f"{database.path}: an SQLite file, but not of a project; name the project's folder")
    version = database.value("PRAGMA user_version")
    if version > VERSION:
        raise NewerProjectError(
            f"{database.path}: written by a newer version of the program (tables {version}, this one knows {VERSION}); "
            "update the program"
        )
    return version


def migrate(database: Database, version: int, to: int = VERSION) -> None:
    """Bring a file's tables from one version to another, each step whole or not at all."""
    for number in range(version, to):
        with database.transaction():
            for statement in _statements(MIGRATIONS[number]):
                database.execute(statement)
            if number == 0:
                database.execute(f"PRAGMA application_id={APPLICATION_ID}")
            database.execute(f"PRAGMA user_version={number + 1}")


def _statements(script: str) -> list[str]:
    """Single statements of a script; `executescript` would commit before the first."""
    statements, text = [], ""
    for line in script.splitlines():
        text += line + "\n"
        if complete_statement(text):
            statements.append(text)
            text = ""
    return statements
