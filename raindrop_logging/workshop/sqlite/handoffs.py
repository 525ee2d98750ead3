"""Launchers and sub-agents, looked up among the spans that SQLite holds.

In: a connection, an event's id and spans.  Out: its sub-agents, its launcher, its state as a sub-agent.
Touches: the connection, for reading. A link is stored nowhere but in the spans' attributes; two indexes find it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raindrop_logging.workshop.handoffs import (
    CANCELLED,
    NEVER_BEGAN,
    OPERATION,
    TERMINAL,
    Link,
    State,
    Step,
    Subagent,
    claim,
    launches,
    state,
)
from raindrop_logging.workshop.sqlite.rows import as_span
from raindrop_logging.workshop.sqlite.schema import LAUNCHED, LAUNCHER, SPANS_OF_EVENT, attribute

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from raindrop_logging.workshop.records import Span

_DISPATCH: Final = f"""
SELECT * FROM spans WHERE {LAUNCHED} = ? AND event_id IS NOT NULL ORDER BY start_time, span_id LIMIT 1
"""  # noqa: S608 - the expressions are this package's own
_CLAIMANTS: Final = f"""
SELECT DISTINCT event_id FROM spans WHERE {LAUNCHER} = ? AND event_id IS NOT NULL ORDER BY event_id
"""  # noqa: S608
_CLAIMS: Final = f"""
SELECT * FROM spans WHERE {LAUNCHER} = ? AND event_id = ? ORDER BY start_time, span_id
"""  # noqa: S608
_STEPS: Final = f"""
SELECT s.trace_id, s.span_id, s.parent_id, s.status = 'error' AS failed,
    '{NEVER_BEGAN}' IN (s.name, {attribute(OPERATION)}) AS never_began,
    '{CANCELLED}' IN ({", ".join(attribute(name) for name in TERMINAL)}) AS cancelled,
    EXISTS (SELECT 1 FROM spans AS p WHERE p.trace_id = s.trace_id AND p.span_id = s.parent_id) AS parent_is_stored
FROM ({SPANS_OF_EVENT}) AS s
"""  # noqa: S608


def subagents(db: sqlite3.Connection, event_id: str, spans: Iterable[Span]) -> tuple[Subagent, ...]:
    """Each sub-agent once: those that the event's spans dispatched, in that order, then those that only claim to."""
    links: dict[str, Link] = {}
    for link in (*launches(spans), *_claiming(db, event_id)):
        links.setdefault(link.event_id, link)
    return tuple(Subagent(link=link, state=state_of(db, link.event_id, link.span_id)) for link in links.values())


def launched_by(db: sqlite3.Connection, event_id: str, spans: Iterable[Span]) -> Link | None:
    """Who launched the event: as its own spans have it, else as the dispatching span has it."""
    own = claim(spans)
    if own:
        return own
    row = db.execute(_DISPATCH, (event_id,)).fetchone()
    said = next(launches([as_span(row)]), None) if row else None
    return Link(event_id=row["event_id"], span_id=said.span_id, name=said.name) if said else None


def state_of(db: sqlite3.Connection, event_id: str, dispatched_by: str | None) -> State:
    """How the sub-agent with this event id fares."""
    event = db.execute("SELECT is_pending FROM events WHERE event_id = ?", (event_id,)).fetchone()
    steps = [_step(row) for row in db.execute(_STEPS, {"event_id": event_id})]
    return state(steps, pending=bool(event["is_pending"]) if event else None, dispatched_by=dispatched_by)


def _claiming(db: sqlite3.Connection, event_id: str) -> Iterator[Link]:
    for row in db.execute(_CLAIMANTS, (event_id,)).fetchall():
        child = row["event_id"]
        said = claim(as_span(row) for row in db.execute(_CLAIMS, (event_id, child)))
        if said:
            yield Link(event_id=child, span_id=said.span_id, name=said.name)


def _step(row: sqlite3.Row) -> Step:
    facts = ("parent_is_stored", "failed", "never_began", "cancelled")
    return Step(
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        parent_id=row["parent_id"],
        **{name: bool(row[name]) for name in facts},
    )
