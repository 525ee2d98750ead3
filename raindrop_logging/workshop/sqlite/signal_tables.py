"""Rule signals in SQLite: their definitions, hits and marks, and one view of every signal an event has.

In: a connection in a transaction.  Out: tables, a view, a trigger.  Touches: the connection.

`event_signals` unites the signals that SDKs sent with the hits of rules: event_id, name, sentiment, signal_id, origin,
at. A hit counts while its rule is on and of the hit's version; one that was marked wrong is not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

INSTRUMENTED: Final = "instrumented:"
"""Begins the id of a signal that SDKs send; its name follows."""

_STATEMENTS: Final = (
    # backfill_next: the newest stored event that is still to be judged by this version; NULL when none is.
    # backfill_from: where the back-fill began. sweeping: hits of earlier versions, or of a deleted rule, remain.
    """CREATE TABLE signal_rules (
        signal_id     TEXT PRIMARY KEY,
        name          TEXT NOT NULL UNIQUE,
        sentiment     TEXT,
        draft         TEXT NOT NULL,
        version       INTEGER NOT NULL,
        enabled       INTEGER NOT NULL,
        origin        TEXT NOT NULL,
        paused_reason TEXT,
        backfill_next INTEGER,
        backfill_from INTEGER,
        sweeping      INTEGER NOT NULL DEFAULT 0,
        created_at    TEXT NOT NULL,
        updated_at    TEXT NOT NULL
    )""",
    """CREATE TABLE signal_hits (
        event_id  TEXT NOT NULL,
        signal_id TEXT NOT NULL,
        version   INTEGER NOT NULL,
        place     TEXT NOT NULL,
        matched   TEXT NOT NULL,
        found_at  TEXT NOT NULL,
        PRIMARY KEY (event_id, signal_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX signal_hits_by_signal ON signal_hits (signal_id, version, event_id)",
    """CREATE TABLE signal_marks (
        signal_id TEXT NOT NULL,
        event_id  TEXT NOT NULL,
        wrong     INTEGER NOT NULL,
        marked_at TEXT NOT NULL,
        PRIMARY KEY (signal_id, event_id)
    ) WITHOUT ROWID""",
    "CREATE INDEX signal_marks_by_event ON signal_marks (event_id)",
    "CREATE INDEX IF NOT EXISTS signals_by_name ON signals (name, event_id)",
    """CREATE TRIGGER events_leave_signals AFTER DELETE ON events
        BEGIN
            DELETE FROM signal_hits WHERE event_id = old.event_id;
            DELETE FROM signal_marks WHERE event_id = old.event_id;
        END""",
    f"""CREATE VIEW event_signals AS
        SELECT s.event_id, s.name, s.sentiment, '{INSTRUMENTED}' || s.name AS signal_id, 'sdk' AS origin,
            coalesce(s.timestamp, s.received_at) AS at
        FROM signals AS s
        WHERE NOT EXISTS (SELECT 1 FROM signal_marks AS m
            WHERE m.signal_id = '{INSTRUMENTED}' || s.name AND m.event_id = s.event_id AND m.wrong)
        UNION ALL
        SELECT h.event_id, r.name, r.sentiment, r.signal_id, r.origin, h.found_at AS at
        FROM signal_rules AS r JOIN signal_hits AS h ON h.signal_id = r.signal_id AND h.version = r.version
        WHERE r.enabled AND NOT EXISTS (SELECT 1 FROM signal_marks AS m
            WHERE m.signal_id = h.signal_id AND m.event_id = h.event_id AND m.wrong)""",  # noqa: S608
    # Each change of a rule raises it, so that another process on the same file asks the new rules at once.
    "INSERT OR REPLACE INTO meta VALUES ('signals_revision', '0')",
)


_RIGHT: Final = "NOT EXISTS (SELECT 1 FROM signal_marks AS m WHERE m.signal_id = {} AND m.event_id = {} AND m.wrong)"
_SENT_RIGHT: Final = _RIGHT.format(f"'{INSTRUMENTED}' || s.name", "s.event_id")
_FOUND_RIGHT: Final = _RIGHT.format("h.signal_id", "h.event_id")
_STORED: Final = "EXISTS (SELECT 1 FROM events AS e WHERE e.event_id = {}.event_id)"

# Mostly no signal waits for its event, and then none has to be looked up.
_SENT_STORED: Final = f"((SELECT signals_without_event FROM totals) = 0 OR {_STORED.format('s')})"  # noqa: S608 - own names only

BY_NAME: Final = f"""
SELECT name AS value, sum(n) AS n FROM (
    SELECT s.name, count(DISTINCT s.event_id) AS n FROM signals AS s INDEXED BY signals_by_name
    WHERE {_SENT_RIGHT} AND {_SENT_STORED} GROUP BY s.name
    UNION ALL
    SELECT r.name, count(*) AS n FROM signal_rules AS r
    CROSS JOIN signal_hits AS h ON h.signal_id = r.signal_id AND h.version = r.version
    WHERE r.enabled AND {_FOUND_RIGHT} AND {_STORED.format("h")} AND NOT EXISTS (
        SELECT 1 FROM signals AS s WHERE s.name = r.name AND s.event_id = h.event_id AND {_SENT_RIGHT})
    GROUP BY r.signal_id)
GROUP BY 1
"""  # noqa: S608 - own names only
"""How many stored events have each signal: what `event_signals` says, in the order of the indexes, unsorted."""


def given(event: str, test: str) -> str:
    """Whether an event has a signal: what `event_signals` says, in the form that is quick for one event at a time.

    Args:
        event: the expression for the event's id.
        test: a condition on ``s.name`` and ``s.sentiment``, beginning with AND; or nothing.
    """
    sent, found = _both(event, test)
    return f"(EXISTS (SELECT 1 {sent}) OR EXISTS (SELECT 1 {found}))"


def number_given(event: str, test: str = "") -> str:
    """How many signals an event has; as `given`."""
    sent, found = _both(event, test)
    return f"((SELECT count(*) {sent}) + (SELECT count(*) {found}))"


def _both(event: str, test: str) -> tuple[str, str]:
    """Where to look for signals that were sent, and for what rules found."""
    return (
        f"FROM signals AS s WHERE s.event_id = {event} AND {_SENT_RIGHT}{test}",
        "FROM signal_hits AS h CROSS JOIN signal_rules AS s"
        " ON s.signal_id = h.signal_id AND s.version = h.version AND s.enabled"
        f" WHERE h.event_id = {event} AND {_FOUND_RIGHT}{test}",
    )


def add_tables(db: sqlite3.Connection) -> None:
    """Make this version of the one before it; stored events are judged afterwards, in the background."""
    for statement in _STATEMENTS:
        db.execute(statement)
