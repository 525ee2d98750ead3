"""The Workshop's SQLite file: its tables, its version, and connections to it.

Pragmas: WAL so that pages read while events are written; synchronous NORMAL, which keeps every commit through a
crash of the process (a power cut may take the last moments).
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final

from raindrop_logging.workshop import times
from raindrop_logging.workshop.handoffs import CHILD, PARENT
from raindrop_logging.workshop.records import LIVE
from raindrop_logging.workshop.sqlite.migrations import FIRST_VERSION, SCHEMA_VERSION, migrate
from raindrop_logging.workshop.sqlite.search_index import add_functions
from raindrop_logging.workshop.store import MEMORY, StoreError

BUSY_SECONDS: Final = 10.0
"""How long one process waits for another that writes the same file."""
BUSY_STEP: Final = 0.02
CACHE_KIB: Final = 16_384
"""Pages of the file that each connection may keep in memory."""
MAPPED_BYTES: Final = 2_147_418_112
"""Of the file, read where the system has it in memory, without a copy."""
WRITING_CACHE_KIB: Final = 65_536
"""The same for the one that writes: what it changes goes to the disk late, and once."""
CHECKPOINT_PAGES: Final = 8_000
"""Pages in the WAL, 32 MB, before they go into the file: most are written many times in a row."""
STATEMENTS: Final = 512
"""Prepared statements that each connection keeps."""

TABLES: Final = """
CREATE TABLE events (
    rid           INTEGER PRIMARY KEY,
    event_id      TEXT NOT NULL UNIQUE,
    user_id       TEXT,
    event         TEXT,
    model         TEXT,
    input         TEXT,
    output        TEXT,
    convo_id      TEXT,
    properties    TEXT NOT NULL,
    attachments   TEXT NOT NULL,
    feature_flags TEXT NOT NULL,
    timestamp     TEXT,
    is_pending    INTEGER NOT NULL,
    project_id    TEXT,
    received_at   TEXT NOT NULL,
    happened_at   TEXT GENERATED ALWAYS AS (coalesce(timestamp, received_at)) STORED
);
CREATE INDEX events_by_time ON events (happened_at, rid);
CREATE INDEX events_by_user ON events (user_id, happened_at);

CREATE TABLE signals (
    id            INTEGER PRIMARY KEY,
    event_id      TEXT NOT NULL,
    name          TEXT NOT NULL,
    signal_type   TEXT NOT NULL,
    sentiment     TEXT,
    timestamp     TEXT,
    properties    TEXT NOT NULL,
    attachment_id TEXT,
    received_at   TEXT NOT NULL
);
CREATE UNIQUE INDEX signals_once ON signals (event_id, name, coalesce(timestamp, ''), properties);

CREATE TABLE users (
    user_id    TEXT PRIMARY KEY,
    traits     TEXT NOT NULL,
    first_seen TEXT NOT NULL,
    last_seen  TEXT NOT NULL
);

CREATE TABLE spans (
    trace_id   TEXT NOT NULL,
    span_id    TEXT NOT NULL,
    event_id   TEXT,
    parent_id  TEXT,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    status     TEXT NOT NULL,
    error      TEXT,
    input      TEXT,
    output     TEXT,
    start_time TEXT,
    end_time   TEXT,
    attributes TEXT NOT NULL,
    events     TEXT NOT NULL,
    resource   TEXT NOT NULL,
    PRIMARY KEY (trace_id, span_id)
);
CREATE INDEX spans_by_event ON spans (event_id);

-- Which events a trace speaks of: declared by the event itself (its properties.trace_id), else seen on a span.
-- A row whose event_id is the trace id stands for an event that is known only by its trace.
CREATE TABLE traces (
    trace_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    declared INTEGER NOT NULL,
    PRIMARY KEY (trace_id, event_id)
);
CREATE INDEX traces_by_event ON traces (event_id);
"""

# The spans of an event: those that name it, and those that name none in a trace that is its own alone
# or that it declared to be its own.
SPANS_OF_EVENT: Final = """
SELECT * FROM spans WHERE event_id = :event_id
    OR (event_id IS NULL AND trace_id IN (
        SELECT trace_id FROM traces AS t WHERE t.event_id = :event_id
        AND (t.declared OR 1 = (SELECT count(*) FROM traces AS o WHERE o.trace_id = t.trace_id))))
"""


def attribute(name: str) -> str:
    """The expression for an attribute of a span, by a name of this package's own."""
    return f"""json_extract(attributes, '$."{name}"')"""


# An index on an expression serves only queries that spell it the same way.
LAUNCHED: Final = attribute(CHILD)
LAUNCHER: Final = attribute(PARENT)
TOLD_LIVE: Final = attribute(LIVE)

# What only makes questions quick is added to a file that lacks it: it changes no version, and older readers keep it up.
INDEXES: Final = (
    ("spans_by_launched", LAUNCHED, LAUNCHED),
    ("spans_by_launcher", f"{LAUNCHER}, event_id", LAUNCHER),
    ("spans_told_live", "event_id, span_id", TOLD_LIVE),
)


def connect(location: Path | str) -> sqlite3.Connection:
    """One connection, in autocommit, usable from any one thread at a time."""
    db = sqlite3.connect(
        location, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS
    )
    try:
        db.row_factory = sqlite3.Row
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute(f"PRAGMA mmap_size = {MAPPED_BYTES}")
        add_functions(db)
    except sqlite3.Error:
        db.close()
        raise
    return db


def prepare(location: Path | str) -> sqlite3.Connection:
    """Make or open the database and see that this version can use it.

    Raises:
        StoreError: it cannot be opened, is no database, or is of another version.
    """
    try:
        if isinstance(location, Path):
            location.touch(mode=0o600)
        return _ready(connect(location), location)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"cannot use {location} as the Workshop's database: {error} (--db names another)") from error


def _ready(db: sqlite3.Connection, location: Path | str) -> sqlite3.Connection:
    try:
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heard by a new file only
        _use_wal(db)
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA cache_size = -{WRITING_CACHE_KIB}")
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        db.execute("BEGIN IMMEDIATE")  # of two processes that start at once, one makes the tables
        _create(db)
        migrate(db, _version(db, location))
        db.execute("COMMIT")
        _add_indexes(db)
    except BaseException:
        db.close()
        raise
    return db


def _use_wal(db: sqlite3.Connection) -> None:
    """Of two processes that make one new file at once, SQLite makes one fail here without waiting."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(BUSY_STEP)
        else:
            return


def _create(db: sqlite3.Connection) -> None:
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        for statement in (*TABLES.split(";\n"), "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)"):
            db.execute(statement)
        rows = [("schema_version", str(FIRST_VERSION)), ("created_at", times.now())]
        db.executemany("INSERT INTO meta VALUES (?, ?)", rows)


def _version(db: sqlite3.Connection, location: Path | str) -> int:
    row = db.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    found = row["value"] if row else "none"
    if found not in {str(version) for version in range(FIRST_VERSION, SCHEMA_VERSION + 1)}:
        raise StoreError(
            f"{location} has schema version {found}, this Workshop knows {SCHEMA_VERSION}: "
            f"update raindrop-logging, or name another file with --db (in memory: --db {MEMORY})"
        )
    return int(found)


def _add_indexes(db: sqlite3.Connection) -> None:
    for name, terms, present in INDEXES:
        db.execute(f"CREATE INDEX IF NOT EXISTS {name} ON spans ({terms}) WHERE {present} IS NOT NULL")
