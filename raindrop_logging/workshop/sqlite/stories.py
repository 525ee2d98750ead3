"""Whole stories: an event with its signals, spans and hand-offs; one, or all that pass a filter.

In: a connection, an id or a filter.  Out: `Story`s.  Touches: the connection, for reading.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from raindrop_logging.workshop.sqlite.filter import select
from raindrop_logging.workshop.sqlite.handoffs import launched_by, state_of, subagents
from raindrop_logging.workshop.sqlite.rows import as_dated_event, as_signal, as_span
from raindrop_logging.workshop.sqlite.schema import SPANS_OF_EVENT
from raindrop_logging.workshop.store import Story

if TYPE_CHECKING:
    from raindrop_logging.workshop.event_filter import EventFilter
    from raindrop_logging.workshop.records import Signal, Span
    from raindrop_logging.workshop.sqlite.cursors import Moment

_BY_TRACE: Final = """
SELECT e.* FROM traces AS t JOIN events AS e USING (event_id) WHERE t.trace_id = ?
ORDER BY t.declared DESC, t.rowid LIMIT 1
"""


def event(db: sqlite3.Connection, event_id: str) -> Story | None:
    """See `Store.event`."""
    row = db.execute("SELECT * FROM events WHERE event_id = ?", (event_id,)).fetchone()
    row = row or db.execute(_BY_TRACE, (event_id,)).fetchone()
    return _story(db, row) if row else None


def trace(db: sqlite3.Connection, trace_id: str) -> tuple[Span, ...]:
    """See `Store.trace`."""
    return _spans(db.execute("SELECT * FROM spans WHERE trace_id = ?", (trace_id.lower(),)).fetchall())


def after(db: sqlite3.Connection, place: Moment, where: EventFilter, limit: int) -> tuple[list[Story], Moment | None]:
    """The next few stories that pass, oldest first, and the place to go on from; None at the end."""
    chosen = select(db, where)
    rows = db.execute(
        f"{chosen.and_with} page AS MATERIALIZED (SELECT e.rid FROM {chosen.source} WHERE {chosen.tests()}"  # noqa: S608
        " AND (e.happened_at, e.rid) > (:at, :rid) ORDER BY e.happened_at, e.rid LIMIT :limit)"
        " SELECT e.* FROM page CROSS JOIN events AS e ON e.rid = page.rid ORDER BY e.happened_at, e.rid",
        {**chosen.arguments, "at": place[0], "rid": place[1], "limit": limit},
    ).fetchall()
    more = (rows[-1]["happened_at"], rows[-1]["rid"]) if len(rows) == limit else None
    return [_story(db, row) for row in rows], more


def _story(db: sqlite3.Connection, row: sqlite3.Row) -> Story:
    key = {"event_id": row["event_id"]}
    signals = db.execute("SELECT * FROM signals WHERE event_id = :event_id ORDER BY id", key).fetchall()
    spans = _spans(db.execute(SPANS_OF_EVENT, key).fetchall())
    launcher = launched_by(db, row["event_id"], spans)
    return Story(
        event=as_dated_event(row),
        signals=_signals(signals),
        spans=spans,
        subagents=subagents(db, row["event_id"], spans),
        launched_by=launcher,
        state=state_of(db, row["event_id"], launcher.span_id) if launcher else None,
    )


def _signals(rows: list[sqlite3.Row]) -> tuple[Signal, ...]:
    return tuple(sorted((as_signal(row) for row in rows), key=lambda signal: signal.timestamp or ""))


def _spans(rows: list[sqlite3.Row]) -> tuple[Span, ...]:
    return tuple(sorted((as_span(row) for row in rows), key=lambda span: (span.start_time or "", span.span_id)))
