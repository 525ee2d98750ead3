"""Schema version 2: what makes questions about many events quick, and where filters are saved.

In: a connection in a transaction.  Out: tables and indexes; an event's properties as rows.  Touches: the connection.

Lists walk `events_newest`, which holds every short field, so that no long text is read for an event that is not shown.
`event_props` holds each short property as a row; the trigger takes them away with their event.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from raindrop_logging.workshop.records import Json

if TYPE_CHECKING:
    import sqlite3

MAX_VALUE_CHARS: Final = 200
"""A property with a longer value has no row: it is found by reading the events themselves."""
MAX_KEYS: Final = 1_000
"""Properties of one event beyond so many have no row, and cannot be filtered by."""

_STATEMENTS: Final = (
    "ALTER TABLE events ADD COLUMN has_attachment INTEGER GENERATED ALWAYS AS (attachments <> '[]') VIRTUAL",
    """CREATE TABLE event_props (
        key TEXT NOT NULL, value TEXT NOT NULL, rid INTEGER NOT NULL, PRIMARY KEY (key, value, rid)
    ) WITHOUT ROWID""",
    "CREATE INDEX event_props_by_event ON event_props (rid)",
    """CREATE TRIGGER events_leave AFTER DELETE ON events
        BEGIN DELETE FROM event_props WHERE rid = old.rid; END""",
    "DROP INDEX events_by_time",
    """CREATE INDEX events_newest ON events (
        happened_at, rid, event_id, event, model, user_id, convo_id, project_id, is_pending, has_attachment
    )""",
    "CREATE INDEX events_by_event ON events (event, happened_at)",
    "CREATE INDEX events_by_model ON events (model, happened_at)",
    "CREATE INDEX events_by_convo ON events (convo_id, happened_at) WHERE convo_id IS NOT NULL",
    "CREATE INDEX events_by_project ON events (project_id, happened_at) WHERE project_id IS NOT NULL",
    "CREATE INDEX events_pending ON events (happened_at) WHERE is_pending = 1",
    "CREATE INDEX events_attached ON events (happened_at) WHERE has_attachment = 1",
    "DROP INDEX spans_by_event",
    "CREATE INDEX spans_by_event ON spans (event_id, status, kind, name)",
    "CREATE INDEX spans_of_tools ON spans (name, event_id, status) WHERE kind = 'tool'",
    "CREATE INDEX spans_failed ON spans (event_id) WHERE status = 'error'",
    """CREATE INDEX tools_failed ON spans (coalesce(start_time, ''), trace_id, span_id, name)
        WHERE kind = 'tool' AND status = 'error'""",
    "CREATE INDEX spans_unowned ON spans (coalesce(start_time, ''), trace_id, span_id) WHERE event_id IS NULL",
    """CREATE INDEX spans_unowned_by_trace ON spans (trace_id, coalesce(start_time, ''), span_id)
        WHERE event_id IS NULL""",
    "CREATE INDEX signals_by_name ON signals (name, event_id)",
    "CREATE TABLE saved_filters (name TEXT PRIMARY KEY, query TEXT NOT NULL, created_at TEXT NOT NULL)",
)
_INSERT: Final = "INSERT INTO event_props VALUES (?, ?, ?)"


def add_tables(db: sqlite3.Connection) -> None:
    """Make version 2 of version 1, and file the properties of every event that is there."""
    for statement in _STATEMENTS:
        db.execute(statement)
    for row in db.execute("SELECT rid, properties FROM events").fetchall():
        db.executemany(_INSERT, property_rows(row["rid"], msgspec.json.decode(row["properties"])))


def file_properties(db: sqlite3.Connection, rid: int, properties: Json, known: Json) -> None:
    """Bring the rows of one event up to date.

    Args:
        db: a connection in a transaction.
        rid: the event.
        properties: all it has now.
        known: all it had before; a key never goes away.
    """
    changed = {key: value for key, value in properties.items() if key not in known or known[key] != value}
    if known and changed:
        db.executemany("DELETE FROM event_props WHERE rid = ? AND key = ?", ((rid, key) for key in changed))
    if changed:
        db.executemany(_INSERT, property_rows(rid, changed))


def property_rows(rid: int, properties: Json) -> list[tuple[str, str, int]]:
    """The rows of `event_props` for one event."""
    texts = ((key, as_text(value)) for key, value in islice(properties.items(), MAX_KEYS))
    return [(key, text, rid) for key, text in texts if len(text) <= MAX_VALUE_CHARS]


def as_text(value: Any) -> str:
    """A property's value as filters name it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode("utf-8")
