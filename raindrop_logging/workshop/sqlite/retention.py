"""Deleting what is oldest, each event with all that hangs on it, a few at a time.

In: a way to give jobs to the writer, an age, a size.  Out: what was deleted.  Touches: the connection, in those jobs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

import msgspec

from raindrop_logging.workshop.answers import Pruned
from raindrop_logging.workshop.sqlite.schema import SPANS_OF_EVENT

STEP: Final = 200
"""Events, or what has no event, deleted in one step: some hundredths of a second."""
FREE_PAGES: Final = 2_000
"""Empty pages given back to the file system in one step, where the file allows it."""

EVERYTHING: Final = "~"
"""Later than every time."""

Submit = Callable[[Callable[[sqlite3.Connection], Any]], "Future[Any]"]

_OLDEST: Final = """
SELECT event_id FROM events INDEXED BY events_newest WHERE happened_at < :before ORDER BY happened_at, rid LIMIT :step
"""
_SPANS: Final = f"DELETE FROM spans WHERE (trace_id, span_id) IN (SELECT trace_id, span_id FROM ({SPANS_OF_EVENT}))"  # noqa: S608
_WITHOUT_EVENT: Final = {
    "spans": """DELETE FROM spans WHERE (trace_id, span_id) IN (
        SELECT trace_id, span_id FROM spans AS s INDEXED BY spans_unowned WHERE event_id IS NULL
        AND coalesce(start_time, '') < :before
        AND NOT EXISTS (SELECT 1 FROM traces AS t WHERE t.trace_id = s.trace_id)
        ORDER BY coalesce(start_time, ''), trace_id, span_id LIMIT :step)""",
    "signals": """DELETE FROM signals WHERE id IN (
        SELECT id FROM signals AS s WHERE received_at < :before
        AND NOT EXISTS (SELECT 1 FROM events AS e WHERE e.event_id = s.event_id) ORDER BY id LIMIT :step)""",
    "users": """DELETE FROM users WHERE user_id IN (
        SELECT user_id FROM users AS u WHERE last_seen < :before
        AND NOT EXISTS (SELECT 1 FROM events AS e WHERE e.user_id = u.user_id) ORDER BY last_seen LIMIT :step)""",
}


def prune(submit: Submit, before: str, max_bytes: int | None) -> Pruned:
    """See `Store.prune`; each step is a job of the writer's, so that other jobs come between.

    Args:
        submit: gives the writer a job.
        before: what happened earlier goes; empty: nothing does for its age.
        max_bytes: the oldest goes until no more are taken.
    """
    total: Pruned = submit(lambda db: Pruned(bytes_left=_size(db))).result()
    while before and (step := submit(lambda db: _step(db, before)).result()) != _nothing(step):
        total = _sum(total, step)
    while max_bytes is not None and total.bytes_left > max_bytes:
        step = submit(lambda db: _step(db, EVERYTHING)).result()
        if step == _nothing(step):
            break
        total = _sum(total, step)
    while submit(_give_back).result():
        pass
    return total


def _step(db: sqlite3.Connection, before: str) -> Pruned:
    """The oldest events that happened before this moment go, or else the oldest of what has no event."""
    arguments = {"before": before, "step": STEP}
    events = [row["event_id"] for row in db.execute(_OLDEST, arguments)]
    if events:
        gone = _delete(db, events)
    else:
        gone = Pruned(**{name: db.execute(sql, arguments).rowcount for name, sql in _WITHOUT_EVENT.items()})
    return msgspec.structs.replace(gone, bytes_left=_size(db))


def _size(db: sqlite3.Connection) -> int:
    """Bytes that the data takes; the file may be larger by pages that will be used again."""
    return (_pragma(db, "page_count") - _pragma(db, "freelist_count")) * _pragma(db, "page_size")


def _give_back(db: sqlite3.Connection) -> bool:
    """Make the file smaller by some of its empty pages; False once that is all, or if the file was made without."""
    before = _pragma(db, "freelist_count")
    if before:
        db.execute(f"PRAGMA incremental_vacuum({FREE_PAGES})").fetchall()
    return 0 < _pragma(db, "freelist_count") < before


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def _sum(total: Pruned, step: Pruned) -> Pruned:
    added = {name: getattr(total, name) + getattr(step, name) for name in ("events", "spans", "signals", "users")}
    return Pruned(**added, bytes_left=step.bytes_left)


def _nothing(step: Pruned) -> Pruned:
    return Pruned(bytes_left=step.bytes_left)


def _delete(db: sqlite3.Connection, events: list[str]) -> Pruned:
    spans = signals = 0
    for event_id in events:
        key = {"event_id": event_id}
        spans += db.execute(_SPANS, key).rowcount
        signals += db.execute("DELETE FROM signals WHERE event_id = :event_id", key).rowcount
        db.execute("DELETE FROM traces WHERE event_id = :event_id", key)
        db.execute("DELETE FROM events WHERE event_id = :event_id", key)
    return Pruned(events=len(events), spans=spans, signals=signals)
