"""Writing one batch into SQLite, inside the caller's transaction.

In: a connection in a transaction, a `Batch`.  Out: the ids of the events that changed.  Touches: the connection.
Every write is idempotent: the same batch again changes nothing.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from raindrop_logging.workshop import handoffs, times
from raindrop_logging.workshop.merging import merge
from raindrop_logging.workshop.records import SCALARS, UNNAMED, Batch, Event, Json, LiveStep, Signal, Span, User
from raindrop_logging.workshop.sqlite.index import file_properties
from raindrop_logging.workshop.sqlite.judging import Written
from raindrop_logging.workshop.sqlite.rows import as_event
from raindrop_logging.workshop.sqlite.schema import TOLD_LIVE

if TYPE_CHECKING:
    import sqlite3

_EVENT_COLUMNS: Final = (*SCALARS, "properties", "attachments", "feature_flags", "is_pending")
_scalars: Final = attrgetter(*SCALARS)
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
_EVENT_INSERT: Final = (
    f"INSERT INTO events ({', '.join(_EVENT_NAMES)}) VALUES ({', '.join('?' * len(_EVENT_NAMES))})"  # noqa: S608
    " ON CONFLICT (event_id) DO NOTHING"
)
_EVENT_UPDATE: Final = (
    f"UPDATE events SET {', '.join(f'{name} = ?' for name in _EVENT_COLUMNS)} WHERE event_id = ? RETURNING rid"  # noqa: S608
)

# Some clients send a span when it starts, as if it had ended there, and again when it ends: in either order.
_SPAN_UPSERT: Final = (
    _upsert("spans", ("trace_id", "span_id"), (), ("event_id", *_SPAN_COLUMNS)).replace(
        "event_id = excluded.event_id", "event_id = coalesce(excluded.event_id, event_id)"
    )
    + f" WHERE {TOLD_LIVE} IS NOT NULL OR coalesce(excluded.end_time, '') >= coalesce(end_time, '')"
)

# A span that is known from live steps only is filled step by step; the tool's own span replaces it, and is never
# replaced by a step that comes late.
_STEP_UPSERT: Final = (
    _upsert("spans", ("trace_id", "span_id"), (), ("event_id", *_SPAN_COLUMNS)).partition(" DO UPDATE")[0]
    + " DO UPDATE SET event_id = coalesce(excluded.event_id, event_id),"
    f" name = CASE excluded.name WHEN '{UNNAMED}' THEN name ELSE excluded.name END,"
    " status = CASE excluded.status WHEN 'ok' THEN status ELSE excluded.status END,"
    " error = coalesce(excluded.error, error),"
    " input = coalesce(excluded.input, input), output = coalesce(excluded.output, output),"
    " start_time = coalesce(excluded.start_time, start_time), end_time = coalesce(excluded.end_time, end_time)"
    f" WHERE {TOLD_LIVE} IS NOT NULL"
)

# One client tells of a tool live in one trace and sends its span, under the same id and for the same event, in another.
_CLAIM: Final = "UPDATE spans SET event_id = ? WHERE trace_id = ? AND span_id = ? AND event_id IS NULL"
_GIVE_WAY: Final = f"DELETE FROM spans WHERE event_id = ? AND span_id = ? AND trace_id <> ? AND {TOLD_LIVE} IS NOT NULL"  # noqa: S608
_HAS_COME: Final = f"SELECT 1 FROM spans WHERE event_id = ? AND span_id = ? AND {TOLD_LIVE} IS NULL LIMIT 1"  # noqa: S608


class BatchWriter:
    """Writes one batch and remembers what it changed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._now = times.now()
        self._changed: dict[str, None] = {}
        self.written = Written()

    def write(self, batch: Batch) -> tuple[str, ...]:
        """All of the batch: events before their spans, which then say nothing new of them.

        An event known only by its trace comes after the spans that tell its owner.
        """
        for event in batch.events:
            self._event(event)
        for span in batch.spans:
            self._span(span)
        for step in batch.steps:
            self._step(step)
        for event in batch.of_traces:
            self._event_of_trace(event)
        for signal in batch.signals:
            self._signal(signal)
        for user in batch.users:
            self._user(user)
        return tuple(self._changed)

    def _event(self, said: Event) -> None:
        if not self._insert(said) and (known := self._known(said.event_id)):
            self._update(merge(known, said), known)
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
        self._put_span(_SPAN_UPSERT, span)
        if span.about:
            self._db.execute(_GIVE_WAY, (span.event_id, span.span_id, span.trace_id))
            self._hear(span.about, span.trace_id)
        self._changed.update(dict.fromkeys(handoffs.others(span)))
        self._touch(span.trace_id)

    def _step(self, step: LiveStep) -> None:
        tool = step.tool
        if tool and not self._db.execute(_HAS_COME, (tool.event_id, tool.span_id)).fetchone():
            self._put_span(_STEP_UPSERT, tool)
        if step.about:
            self._hear(step.about, step.trace_id)
        if step.tool:
            self._touch(step.trace_id)

    def _put_span(self, statement: str, span: Span) -> None:
        keys = (span.trace_id, span.span_id, span.event_id)
        kept = self._db.execute(statement, keys + tuple(_column(getattr(span, name)) for name in _SPAN_COLUMNS))
        if not kept.rowcount and span.event_id:  # an older telling may still know more of whose it is
            self._db.execute(_CLAIM, (span.event_id, span.trace_id, span.span_id))

    def _hear(self, about: Event, trace_id: str) -> None:
        """What a span says of its event only fills gaps, whichever comes first."""
        known = self._known(about.event_id)
        if known is None:
            self._insert(about)
        elif (filled := merge(about, known)) != known:
            self._update(filled, known)
        self._link(trace_id, about.event_id, declared=False)

    def _touch(self, trace_id: str) -> None:
        for row in self._db.execute("SELECT event_id FROM traces WHERE trace_id = ?", (trace_id,)):
            self._changed[row["event_id"]] = None
            self.written.traced.add(row["event_id"])

    def _link(self, trace_id: str, event_id: str, *, declared: bool) -> None:
        self._db.execute(
            "INSERT INTO traces VALUES (?, ?, ?)"
            " ON CONFLICT (trace_id, event_id) DO UPDATE SET declared = max(declared, excluded.declared)",
            (trace_id, event_id, declared),
        )
        self.written.traced.add(event_id)
        if event_id != trace_id:
            self._adopt(trace_id, event_id)

    def _adopt(self, trace_id: str, event_id: str) -> None:
        """Give what was said of the trace to the event that turns out to own it."""
        orphan = self._known(trace_id)
        if orphan is None:
            return
        renamed = msgspec.structs.replace(orphan, event_id=event_id)
        if not self._insert(renamed) and (known := self._known(event_id)):
            self._update(merge(renamed, known), known)
        self._db.execute("UPDATE OR IGNORE signal_marks SET event_id = ? WHERE event_id = ?", (event_id, trace_id))
        self._db.execute("DELETE FROM events WHERE event_id = ?", (trace_id,))
        self._db.execute("DELETE FROM traces WHERE trace_id = ? AND event_id = ?", (trace_id, trace_id))
        self._db.execute("UPDATE OR IGNORE signals SET event_id = ? WHERE event_id = ?", (event_id, trace_id))
        self._changed.pop(trace_id, None)
        self.written.gone(trace_id)

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
            " ON CONFLICT (user_id) DO UPDATE SET traits = excluded.traits,"
            " first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen)",
            (user.user_id, _column(traits), user.first_seen or self._now, user.last_seen or self._now),
        )

    def _known(self, event_id: str) -> Event | None:
        row = self._db.execute("SELECT * FROM events WHERE event_id = ?", (event_id,)).fetchone()
        return as_event(row) if row else None

    def _insert(self, event: Event) -> bool:
        """Write a new event; False when there is one with its id. Most events are new: it takes one look."""
        new = self._db.execute(_EVENT_INSERT, (event.event_id, self._now, *_columns(event)))
        if not new.rowcount:
            return False
        if event.properties:
            file_properties(self._db, new.lastrowid or 0, event.properties, {})
        self._remember(event, None)
        return True

    def _update(self, event: Event, known: Event) -> None:
        [(rid,)] = self._db.execute(_EVENT_UPDATE, (*_columns(event), event.event_id)).fetchall()
        file_properties(self._db, rid, event.properties, known.properties)
        self._remember(event, known)

    def _remember(self, event: Event, known: Event | None) -> None:
        self._changed[event.event_id] = None
        self.written.saved(event, known)


def _columns(event: Event) -> tuple[Any, ...]:
    """What `_EVENT_COLUMNS` name."""
    return (
        *_scalars(event),
        _json(event.properties) if event.properties else "{}",
        _json(event.attachments) if event.attachments else "[]",
        _json(event.feature_flags) if event.feature_flags else "{}",
        event.is_pending,
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode("utf-8")


def _column(value: Any) -> Any:
    """A value as SQLite keeps it: objects and arrays as JSON."""
    return value if value is None or isinstance(value, str | int) else _json(value)


def _canonical(value: Json) -> str:
    """JSON with sorted keys, so that equal objects are equal texts."""
    return msgspec.json.encode(value, order="sorted").decode("utf-8")
