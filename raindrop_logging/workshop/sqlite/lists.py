"""Lists of events, conversations and users, newest first, under a filter.

In: a connection, a limit, a cursor, an `EventFilter`.  Out: pages.  Touches: the connection, for reading.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from raindrop_logging.workshop.answers import SEVERAL, Conversation, Slice
from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.sqlite import cursors
from raindrop_logging.workshop.sqlite.filter import select
from raindrop_logging.workshop.sqlite.people import person
from raindrop_logging.workshop.sqlite.rows import as_dated_event, as_summary
from raindrop_logging.workshop.sqlite.signal_tables import number_given
from raindrop_logging.workshop.store import ALL, Page, Person, Summary

if TYPE_CHECKING:
    from raindrop_logging.workshop.sqlite.cursors import Moment

_NEGATIVE: Final = " AND s.sentiment = 'NEGATIVE'"
_POSITIVE: Final = " AND s.sentiment = 'POSITIVE'"
_ERRORS: Final = "(SELECT count(*) FROM spans AS p WHERE p.event_id = e.event_id AND p.status = 'error')"
_COUNTS: Final = f"""
    {number_given("e.event_id")} AS signal_count,
    {number_given("e.event_id", _NEGATIVE)} AS negative_count,
    {number_given("e.event_id", _POSITIVE)} AS positive_count,
    (SELECT count(*) FROM spans AS p WHERE p.event_id = e.event_id) AS span_count,
    {_ERRORS} AS error_count,
    (SELECT json_group_array(name) FROM (SELECT DISTINCT p.name FROM spans AS p
        WHERE p.event_id = e.event_id AND p.kind = 'tool' ORDER BY 1 LIMIT {SEVERAL})) AS tools,
    (SELECT min(p.start_time) FROM spans AS p WHERE p.event_id = e.event_id) AS began_at,
    (SELECT max(p.end_time) FROM spans AS p WHERE p.event_id = e.event_id) AS ended_at
"""  # noqa: S608 - this module's own words
_SUMMARY: Final = f"SELECT e.*, {_COUNTS} FROM events AS e"  # noqa: S608 - this module's own words
_BELOW: Final = "(e.happened_at, e.rid) < (:at, :rid)"
_NEWEST_FIRST: Final = "ORDER BY e.happened_at DESC, e.rid DESC"

_OF_CONVERSATION: Final = f"""
SELECT count(*) AS turn_count, min(e.happened_at) AS first_at, max(e.happened_at) AS last_at,
    sum(e.is_pending) AS pending_count,
    (SELECT o.input FROM events AS o WHERE o.convo_id = :convo_id ORDER BY o.happened_at, o.rid LIMIT 1) AS opening,
    sum({number_given("e.event_id")}) AS signal_count,
    sum({number_given("e.event_id", _NEGATIVE)}) AS negative_count,
    sum({_ERRORS}) AS error_count
FROM events AS e WHERE e.convo_id = :convo_id
"""  # noqa: S608 - this module's own words


def events(db: sqlite3.Connection, limit: int, cursor: str | None, where: EventFilter) -> Page:
    """See `Store.events`."""
    chosen = select(db, where)
    place = _start(cursor, where)
    page = f"SELECT e.rid FROM {chosen.source} WHERE {chosen.tests()} AND {_BELOW} {_NEWEST_FIRST} LIMIT :limit"  # noqa: S608
    rows = db.execute(
        f"{chosen.and_with} page AS MATERIALIZED ({page})"  # noqa: S608
        f" SELECT e.*, {_COUNTS} FROM page CROSS JOIN events AS e ON e.rid = page.rid {_NEWEST_FIRST}",
        {**chosen.arguments, "at": place[0], "rid": place[1], "limit": limit + 1},
    ).fetchall()
    return Page(summaries=tuple(as_summary(row) for row in rows[:limit]), next_cursor=_next(rows, limit))


def summaries(db: sqlite3.Connection, event_ids: tuple[str, ...], where: EventFilter) -> tuple[Summary, ...]:
    """See `Store.summaries`."""
    chosen = select(db, where)
    asked = f"{_SUMMARY} WHERE e.event_id = :named AND {chosen.tests()}"
    rows = [db.execute(asked, {**chosen.arguments, "named": name}).fetchone() for name in event_ids]
    return tuple(as_summary(row) for row in rows if row)


def turns(db: sqlite3.Connection, convo_id: str, limit: int, cursor: str | None) -> Slice[Summary]:
    """See `Store.turns`."""
    rows = db.execute(
        f"{_SUMMARY} WHERE e.convo_id = ? AND (e.happened_at, e.rid) > (?, ?) ORDER BY e.happened_at, e.rid LIMIT ?",
        (convo_id, *cursors.moment(cursor, cursors.OLDEST), limit + 1),
    ).fetchall()
    return Slice(items=tuple(as_summary(row) for row in rows[:limit]), next_cursor=_next(rows, limit))


def conversations(db: sqlite3.Connection, limit: int, cursor: str | None, where: EventFilter) -> Slice[Conversation]:
    """See `Store.conversations`."""
    rows = [*islice(_newest_of(db, "convo_id", _start(cursor, where), where, limit + 1), limit + 1)]
    return Slice(items=tuple(_conversation(db, row) for row in rows[:limit]), next_cursor=_next(rows, limit))


def conversation(db: sqlite3.Connection, convo_id: str) -> Conversation | None:
    """See `Store.conversation`."""
    only = EventFilter(convo_id=(convo_id,))
    row = next(iter(_newest_of(db, "convo_id", cursors.NEWEST, only, 1)), None)
    return _conversation(db, row) if row else None


def users(db: sqlite3.Connection, limit: int, cursor: str | None, where: EventFilter) -> Slice[Person]:
    """See `Store.users`."""
    start = _start(cursor, where)
    active = (
        (row["happened_at"], row["rid"], row["name"]) for row in _newest_of(db, "user_id", start, where, limit + 1)
    )
    silent = _without_events(db, start, limit + 1) if where == ALL else iter(())
    found = [*islice(heapq.merge(active, silent, reverse=True), limit + 1)]
    people = (person(db, user_id) for _, _, user_id in found[:limit])
    more = cursors.written(found[limit - 1][:2]) if len(found) > limit else None
    return Slice(items=tuple(found for found in people if found), next_cursor=more)


def _newest_of(
    db: sqlite3.Connection, column: str, start: Moment, where: EventFilter, limit: int
) -> Iterator[sqlite3.Row]:
    """The newest event that passes of each conversation, or of each user."""
    chosen = select(db, where)
    later = (
        f"SELECT 1 FROM events AS l WHERE l.{column} = e.{column}"  # noqa: S608
        f" AND (l.happened_at, l.rid) > (e.happened_at, e.rid) AND {chosen.tests('l')}"
    )
    yield from db.execute(
        f"{chosen.head} SELECT e.rid, e.happened_at, e.{column} AS name FROM {chosen.source}"  # noqa: S608
        f" WHERE {chosen.tests()} AND e.{column} IS NOT NULL AND {_BELOW} AND NOT EXISTS ({later})"
        f" {_NEWEST_FIRST} LIMIT :limit",
        {**chosen.arguments, "at": start[0], "rid": start[1], "limit": limit},
    )


def _without_events(db: sqlite3.Connection, start: Moment, limit: int) -> Iterator[tuple[str, int, str]]:
    """Users who were only identified; the negative number keeps them apart from events of the same moment."""
    for row in db.execute(
        "SELECT last_seen, -rowid AS number, user_id FROM users AS u WHERE (last_seen, -rowid) < (?, ?)"
        " AND NOT EXISTS (SELECT 1 FROM events AS e WHERE e.user_id = u.user_id)"
        " ORDER BY last_seen DESC, -rowid DESC LIMIT ?",
        (*start, limit),
    ):
        yield row["last_seen"], row["number"], row["user_id"]


def _conversation(db: sqlite3.Connection, newest: sqlite3.Row) -> Conversation:
    key = {"convo_id": newest["name"]}
    latest = db.execute("SELECT * FROM events WHERE rid = ?", (newest["rid"],)).fetchone()
    sums = dict(db.execute(_OF_CONVERSATION, key).fetchone())
    return Conversation(
        convo_id=newest["name"],
        latest=as_dated_event(latest),
        models=_several(db, "model", newest["name"]),
        user_ids=_several(db, "user_id", newest["name"]),
        **sums,
    )


def _several(db: sqlite3.Connection, column: str, convo_id: str) -> tuple[str, ...]:
    rows = db.execute(
        f"SELECT DISTINCT {column} AS name FROM events"  # noqa: S608
        f" WHERE convo_id = ? AND {column} IS NOT NULL ORDER BY 1 LIMIT {SEVERAL}",
        (convo_id,),
    )
    return tuple(row["name"] for row in rows)


def _start(cursor: str | None, where: EventFilter) -> Moment:
    """Where to look on: after the cursor, and not before what the filter ends with."""
    place = cursors.moment(cursor, cursors.NEWEST)
    return min(place, (where.until, 0)) if where.until else place


def _next(rows: list[sqlite3.Row], limit: int) -> str | None:
    return cursors.written((rows[limit - 1]["happened_at"], rows[limit - 1]["rid"])) if len(rows) > limit else None
