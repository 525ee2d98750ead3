"""The index that a search uses: words and trigrams of every event's input and output, filled behind the writing.

In: a connection.  Out: rows in the index.  Touches: its own tables, and triggers on `events`.

Trigrams find what has no spaces between words, and what a regular expression must have in it. They take longer to write
than the event itself, so an event that comes is only queued; `fill` does a few at a time when nothing else waits. What
a database of an earlier version holds is queued as well, so it opens at once. An event that changes or goes leaves the
index in the same transaction, by the text it had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

STEP_ROWS: Final = 50
"""Events indexed at a time, about 20 ms for 2 KB each: so long may a batch that comes meanwhile wait."""

MOST_WAITING: Final = 100_000
"""When more events wait, those that come are kept waiting too: what a search reads one by one stays bounded."""

STEP_CHARS: Final = 500_000
"""Characters indexed at a time, unless one event alone has more."""

WORDS: Final = "unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''"
"""Marks belong to words: without them Hindi would fall apart."""

# Only what is in the index may leave it. One trigger does it all in order: of two, either may come first.
_INDEXED: Final = "NOT EXISTS (SELECT 1 FROM search_queue WHERE rid = old.rid)"
_LEAVE: Final = f"""
    INSERT INTO search_words (search_words, rowid, input, output)
        SELECT 'delete', old.rid, old.input, old.output WHERE {_INDEXED};
    INSERT INTO search_trigrams (search_trigrams, rowid, text)
        SELECT 'delete', old.rid, search_text(old.input, old.output) WHERE {_INDEXED}
"""

TABLES: Final = (
    "CREATE TABLE search_queue (rid INTEGER PRIMARY KEY)",
    f"CREATE VIRTUAL TABLE search_words USING fts5 (input, output, content='events', content_rowid='rid',"
    f" tokenize='{WORDS}')",
    "CREATE VIRTUAL TABLE search_trigrams USING fts5 (text, content='', tokenize='trigram', detail=none, columnsize=0)",
    "CREATE VIRTUAL TABLE search_vocabulary USING fts5vocab (search_trigrams, 'row')",
    "CREATE TRIGGER search_new AFTER INSERT ON events BEGIN INSERT INTO search_queue VALUES (new.rid); END",
    f"""
    CREATE TRIGGER search_changed AFTER UPDATE OF input, output ON events
    WHEN old.input IS NOT new.input OR old.output IS NOT new.output
    BEGIN {_LEAVE}; INSERT OR IGNORE INTO search_queue VALUES (new.rid); END
    """,  # noqa: S608 - own names only
    f"""
    CREATE TRIGGER search_gone AFTER DELETE ON events
    BEGIN {_LEAVE}; DELETE FROM search_queue WHERE rid = old.rid; END
    """,  # noqa: S608
    "INSERT INTO search_queue SELECT rid FROM events",
)


def add_tables(db: sqlite3.Connection) -> None:
    """The tables and triggers; whatever events there are wait to be indexed."""
    for statement in TABLES:
        db.execute(statement)


def add_functions(db: sqlite3.Connection) -> None:
    """What the triggers call; every connection that may change events needs it."""
    db.create_function("search_text", 2, search_text, deterministic=True)


def search_text(said: str | None, answered: str | None) -> str:
    """Both texts as the trigrams hold them: without NUL, which would end them, and with room after the last sign."""
    return f"{said or ''}\n\n{answered or ''}\n\n".replace("\0", " ")


def fill(db: sqlite3.Connection, rows: int = STEP_ROWS) -> bool:
    """Index some of what waits, the newest first, in the caller's transaction; whether there was any."""
    waiting = db.execute(
        "SELECT rid, coalesce(length(input), 0) + coalesce(length(output), 0) AS chars"
        " FROM search_queue JOIN events USING (rid) ORDER BY rid DESC LIMIT ?",
        (rows,),
    ).fetchall()
    chosen: list[int] = []
    chars = 0
    for row in waiting:
        chars += row["chars"]
        if chosen and chars > STEP_CHARS:
            break
        chosen.append(row["rid"])
    for rid in reversed(chosen):  # ascending, as the index writes them best
        db.execute(
            "INSERT INTO search_words (rowid, input, output) SELECT rid, input, output FROM events WHERE rid = ?",
            (rid,),
        )
        db.execute(
            "INSERT INTO search_trigrams (rowid, text) SELECT rid, search_text(input, output) FROM events"
            " WHERE rid = ?",
            (rid,),
        )
        db.execute("DELETE FROM search_queue WHERE rid = ?", (rid,))
    return bool(chosen)


def catch_up(db: sqlite3.Connection) -> bool:
    """Index some where more than `MOST_WAITING` may wait, in the caller's transaction; whether that was so."""
    (apart,) = db.execute("SELECT (SELECT max(rid) FROM search_queue) - (SELECT min(rid) FROM search_queue)").fetchone()
    return apart is not None and apart > MOST_WAITING and fill(db)


def waiting(db: sqlite3.Connection) -> int:
    """How many events are not in the index yet."""
    count: int = db.execute("SELECT count(*) AS n FROM search_queue").fetchone()["n"]
    return count
