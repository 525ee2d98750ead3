"""Writing one batch into SQLite, inside the caller's transaction.

In: a connection in a transaction, a `Batch`.  Out: the ids of the events that changed.  Touches: the connection.
Every write is idempotent: the same batch again changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from raindrop_logging.workshop import handoffs, times
from raindrop_logging.workshop.merging import merge
from raindrop_logging.workshop.records import SCALARS, Batch, Event, Json, Signal, Span, User
from raindrop_logging.workshop.sqlite_index import file_properties
from raindrop_logging.workshop.sqlite_rows import as_event

if TYPE_CHECKING:
    import sqlite3

_EVENT_COLUMNS: Final = (*SCALARS, "properties", "attachments", "feature_flags", "is_pending")
_SPAN_COLUMNS: Final = (
    "parent_id", "name", "kind", "status", "error", "input", "output", "start_time", "end_time",
    "attributes", "events", "resource",
)  # fmt: skip


def _upsert(table: str, keys: tuple[str, ...], kept: tuple[str, ...], replaced: tuple[str, ...]) -> str:
    """Insert a row, or replace what may change of the one that is there; the names are this module's own."""
    names = (*keys, *kept, *replaced)
    changes = ", ".join(f"{name} = excluded.{name}" for name in replaced)
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
    )


_EVENT_NAMES: Final = ("event_id", "received_at", *_EVENT_COLUMNS)
_EVENT_INSERT: Final = f"INSERT INTO events ({', '.join(_EVENT_NAMES)}) VALUES ({', '.join('?' * len(_EVENT_NAMES))})"  # noqa: S608
_EVENT_UPDATE: Final = (
    f"UPDATE events SET {', '.join(f'{name} = ?' for name in _EVENT_COLUMNS)} WHERE event_id = ? RETURNING rid"  # noqa: S608
)
_SPAN_UPSERT: Final = _upsert("spans", ("trace_id", "span_id"), (), ("event_id", *_SPAN_COLUMNS)).replace(
    "event_id = excluded.event_id", "event_id = coalesce(excluded.event_id, event_id)"
)


class BatchWriter:
    """Writes one batch and remembers what it changed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._now = times.now()
        self._changed: dict[str, None] = {}

    def write(self, batch: Batch) -> tuple[str, ...]:
        """All of the batch; spans first, so that an event known only by its trace finds its owner."""
        for span in batch.spans:
            self._span(span)
        for event in batch.events:
            self._event(event)
        for event in batch.of_traces:
            self._event_of_trace(event)
        for signal in batch.signals:
            self._signal(signal)
        for user in batch.users:
            self._user(user)
        return tuple(self._changed)

    def _event(self, said: Event) -> None:
        known = self._known(said.event_id)
        self._save(merge(known, said) if known else said, known)
        if said.trace_id:
            self._link(said.trace_id, said.event_id, declared=True)

    def _event_of_trace(self, said: Event) -> None:
        """Said of the event that owns this trace; until one shows, the trace id stands in for its id."""
        trace_id = said.event_id
        owner = self._db.execute(
            "SELECT event_id FROM traces WHERE trace_id = ? ORDER BY declared DESC, rowid LIMIT 1", (trace_id,)
        ).fetchone()
        self._event(msgspec.structs.replace(said, event_id=owner["event_id"] if owner else trace_id))

    def _span(self, span: Span) -> None:
        event_id = span.about.event_id if span.about else None
        keys = (span.trace_id, span.span_id, event_id)
        self._db.execute(_SPAN_UPSERT, keys + tuple(_column(getattr(span, name)) for name in _SPAN_COLUMNS))
        if span.about:
            known = self._known(span.about.event_id)
            # What a span says of its event only fills gaps, whichever comes first.
            filled = merge(span.about, known) if known else span.about
            if filled != known:
                self._save(filled, known)
            self._link(span.trace_id, span.about.event_id, declared=False)
        self._changed.update(dict.fromkeys(handoffs.others(span)))
        for row in self._db.execute("SELECT event_id FROM traces WHERE trace_id = ?", (span.trace_id,)):
            self._changed[row["event_id"]] = None

    def _link(self, trace_id: str, event_id: str, *, declared: bool) -> None:
        self._db.execute(
            "INSERT INTO traces VALUES (?, ?, ?)"
            " ON CONFLICT (trace_id, event_id) DO UPDATE SET declared = max(declared, excluded.declared)",
            (trace_id, event_id, declared),
        )
        if event_id != trace_id:
            self._adopt(trace_id, event_id)

    def _adopt(self, trace_id: str, event_id: str) -> None:
        """Give what was said of the trace to the event that turns out to own it."""
        orphan = self._known(trace_id)
        if orphan is None:
            return
        known = self._known(event_id)
        renamed = msgspec.structs.replace(orphan, event_id=event_id)
        self._save(merge(renamed, known) if known else renamed, known)
        self._db.execute("DELETE FROM events WHERE event_id = ?", (trace_id,))
        self._db.execute("DELETE FROM traces WHERE trace_id = ? AND event_id = ?", (trace_id, trace_id))
        self._db.execute("UPDATE OR IGNORE signals SET event_id = ? WHERE event_id = ?", (event_id, trace_id))
        self._changed.pop(trace_id, None)

    def _signal(self, signal: Signal) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO signals"
            " (event_id, name, signal_type, sentiment, timestamp, properties, attachment_id, received_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                signal.event_id, signal.name, signal.signal_type, signal.sentiment, signal.timestamp,
                _canonical(signal.properties), signal.attachment_id, self._now,
            ),
        )  # fmt: skip
        self._changed[signal.event_id] = None

    def _user(self, user: User) -> None:
        row = self._db.execute("SELECT traits FROM users WHERE user_id = ?", (user.user_id,)).fetchone()
        known: Json = msgspec.json.decode(row["traits"]) if row else {}
        traits = {**known, **user.traits}
        self._db.execute(
            "INSERT INTO users VALUES (?, ?, ?, ?)"
            " ON CONFLICT (user_id) DO UPDATE SET traits = excluded.traits, last_seen = excluded.last_seen",
            (user.user_id, _column(traits), self._now, self._now),
        )

    def _known(self, event_id: str) -> Event | None:
        row = self._db.execute("SELECT * FROM events WHERE event_id = ?", (event_id,)).fetchone()
        return as_event(row) if row else None

    def _save(self, event: Event, known: Event | None) -> None:
        values = tuple(_column(getattr(event, name)) for name in _EVENT_COLUMNS)
        if known:
            [(rid,)] = self._db.execute(_EVENT_UPDATE, (*values, event.event_id)).fetchall()
        else:
            rid = self._db.execute(_EVENT_INSERT, (event.event_id, self._now, *values)).lastrowid or 0
        file_properties(self._db, rid, event.properties, known.properties if known else {})
        self._changed[event.event_id] = None


def _column(value: Any) -> Any:
    """A value as SQLite keeps it: objects and arrays as JSON."""
    return value if value is None or isinstance(value, str | int) else msgspec.json.encode(value).decode("utf-8")


def _canonical(value: Json) -> str:
    """JSON with sorted keys, so that equal objects are equal texts."""
    return msgspec.json.encode(value, order="sorted").decode("utf-8")
