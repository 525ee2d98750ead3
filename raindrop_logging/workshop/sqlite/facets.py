"""Facets: how many events have which value.

In: a connection, a filter, names.  Out: `Facet`s.  Touches: the connection; a temporary table of its own.

Without a filter an index answers. With one, the events that pass are first put side by side, newest first, at most
`MOST` of them; then those are counted. An answer about fewer than all says so.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Final

from raindrop_logging.workshop.answers import FACETS, Facet, Value
from raindrop_logging.workshop.event_filter import PROPERTY
from raindrop_logging.workshop.refusals import QuestionError
from raindrop_logging.workshop.sqlite import cursors
from raindrop_logging.workshop.sqlite.deadline import OutOfTimeError, within
from raindrop_logging.workshop.sqlite.filter import COLUMNS, NEWEST, Selection, select
from raindrop_logging.workshop.sqlite.signal_tables import BY_NAME
from raindrop_logging.workshop.store import ALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from raindrop_logging.workshop.event_filter import EventFilter

MOST: Final = 25_000
"""Under a filter so many of the newest events that pass are counted, at most."""
SAMPLE: Final = 2_000
"""So many of the newest are counted where the time was too short for more."""
SAMPLE_SECONDS: Final = 1.0
"""More than they ever take."""
STRETCH: Final = 10_000
"""Events looked at before the next look at how many have passed."""
CHOOSING: Final = 0.6
"""The share of the time for finding who passes; the rest is for counting."""

_TABLE: Final = """
CREATE TEMP TABLE IF NOT EXISTS chosen (
    place INTEGER PRIMARY KEY, rid INTEGER, event_id TEXT,
    event TEXT, user_id TEXT, convo_id TEXT, model TEXT, project_id TEXT)
"""
_INSERT: Final = """
INSERT INTO temp.chosen (rid, event_id, event, user_id, convo_id, model, project_id)
SELECT e.rid, e.event_id, e.event, e.user_id, e.convo_id, e.model, e.project_id
"""
_CHOSEN: Final = "(SELECT * FROM temp.chosen WHERE place <= :most) AS c"

# Each selects rows of `value` and `n`: over all events, and over those that were chosen.
_COUNTING: Final = {
    False: {
        **{name: f"SELECT {name} AS value, count(*) AS n FROM events WHERE {name} IS NOT NULL GROUP BY 1"  # noqa: S608
           for name in COLUMNS},
        "tool": """SELECT name AS value, count(DISTINCT event_id) AS n FROM spans INDEXED BY spans_of_tools
            WHERE kind = 'tool' AND event_id IS NOT NULL GROUP BY 1""",
        "signal": BY_NAME,
        "properties": "SELECT key, value, count(*) AS n FROM event_props GROUP BY 1, 2",
        PROPERTY: "SELECT value, count(*) AS n FROM event_props WHERE key = :key GROUP BY 1",
    },
    True: {
        **{name: f"SELECT {name} AS value, count(*) AS n FROM {{chosen}} WHERE {name} IS NOT NULL GROUP BY 1"  # noqa: S608
           for name in COLUMNS},
        "tool": """SELECT s.name AS value, count(DISTINCT s.event_id) AS n FROM {chosen}
            CROSS JOIN spans AS s ON s.event_id = c.event_id WHERE s.kind = 'tool' GROUP BY 1""",
        "signal": """SELECT s.name AS value, count(DISTINCT s.event_id) AS n FROM {chosen}
            CROSS JOIN event_signals AS s ON s.event_id = c.event_id GROUP BY 1""",
        "properties": """SELECT p.key, p.value, count(*) AS n FROM {chosen}
            CROSS JOIN event_props AS p ON p.rid = c.rid GROUP BY 1, 2""",
        PROPERTY: """SELECT p.value, count(*) AS n FROM {chosen}
            CROSS JOIN event_props AS p ON p.rid = c.rid WHERE p.key = :key GROUP BY 1""",
    },
}  # fmt: skip
_TOP: Final = "SELECT value, n, count(*) OVER () AS whole FROM ({}) ORDER BY n DESC, value LIMIT :top"
_TOP_OF_EACH: Final = """
WITH counted AS MATERIALIZED ({}),
    keys AS (SELECT key, sum(n) AS events FROM counted GROUP BY key ORDER BY events DESC, key LIMIT :top),
    ranked AS (SELECT key, value, n, events, count(*) OVER each AS whole,
        row_number() OVER (each ORDER BY n DESC, value) AS place
        FROM keys CROSS JOIN counted USING (key) WINDOW each AS (PARTITION BY key))
SELECT key, value, n, whole FROM ranked WHERE place <= :top ORDER BY events DESC, key, place
"""


def facets(
    db: sqlite3.Connection, where: EventFilter, names: tuple[str, ...], top: int, seconds: float
) -> tuple[Facet, ...]:
    """See `Store.facets`."""
    for name in names:
        if name not in FACETS and not name.startswith(PROPERTY):
            raise QuestionError("facet", f"no facet {name[:64]!r}: there are {', '.join(FACETS)} and {PROPERTY}KEY")
    end = time.monotonic() + seconds
    db.execute(_TABLE)
    cut = where != ALL and not _choose(db, where, seconds * CHOOSING)
    try:
        return tuple(facet for name in names for facet in _counted(db, where, name, top, end, cut=cut))
    finally:
        db.execute("DELETE FROM temp.chosen")


def _choose(db: sqlite3.Connection, where: EventFilter, seconds: float, most: int = MOST) -> bool:
    """Fill the table with who passes, newest first; False when more pass than there is room or time for."""
    try:
        with within(db, seconds):
            chosen = select(db, where)
            for bounds, arguments in _stretches(db, chosen, where):
                db.execute(
                    f"{chosen.head} {_INSERT} FROM {chosen.source} WHERE {chosen.tests()} {bounds}"
                    " ORDER BY e.happened_at DESC, e.rid DESC",
                    {**chosen.arguments, **arguments},
                )
                if _chosen(db) >= most:
                    return False
    except OutOfTimeError:
        return False
    return True


def _chosen(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM temp.chosen").fetchone()[0])


def _stretches(
    db: sqlite3.Connection, chosen: Selection, where: EventFilter
) -> Iterator[tuple[str, dict[str, str | int]]]:
    """Bounds that cut all events into stretches, the newest first; one without bounds for a few events."""
    if chosen.head:
        yield "", {}
        return
    high = (where.until, 0) if where.until else cursors.NEWEST
    while True:
        low = db.execute(
            f"SELECT e.happened_at, e.rid FROM {NEWEST} WHERE (e.happened_at, e.rid) < (?, ?)"  # noqa: S608
            " ORDER BY e.happened_at DESC, e.rid DESC LIMIT 1 OFFSET ?",
            (*high, STRETCH - 1),
        ).fetchone()
        bounds: dict[str, str | int] = {"high_at": high[0], "high": high[1]}
        if low is None:
            yield "AND (e.happened_at, e.rid) < (:high_at, :high)", bounds
            return
        yield (
            "AND (e.happened_at, e.rid) < (:high_at, :high) AND (e.happened_at, e.rid) >= (:low_at, :low)",
            {**bounds, "low_at": low["happened_at"], "low": low["rid"]},
        )
        high = (low["happened_at"], low["rid"])
        if where.since and high[0] < where.since:
            return


def _counted(
    db: sqlite3.Connection, where: EventFilter, name: str, top: int, end: float, *, cut: bool
) -> Iterable[Facet]:
    """All that were chosen, or all there are; when the time is up, the newest few, which is never long."""
    filtered = where != ALL
    try:
        with within(db, end - time.monotonic()):
            rows = _rows(db, name, top, MOST, filtered=filtered)
            return _told(name, rows, min(MOST, _chosen(db)) if cut else None)
    except OutOfTimeError:
        if not filtered and not _chosen(db):
            _choose(db, where, SAMPLE_SECONDS, SAMPLE)
        return _told(name, _rows(db, name, top, SAMPLE, filtered=True), min(SAMPLE, _chosen(db)))


def _rows(db: sqlite3.Connection, name: str, top: int, most: int, *, filtered: bool) -> list[sqlite3.Row]:
    counting = _COUNTING[filtered][name if name in FACETS else PROPERTY]
    sql = (_TOP_OF_EACH if name == "properties" else _TOP).format(counting.format(chosen=_CHOSEN))
    return db.execute(sql, {"top": top, "most": most, "key": name.removeprefix(PROPERTY)}).fetchall()


def _told(name: str, rows: list[sqlite3.Row], counted: int | None) -> list[Facet]:
    if name != "properties":
        return [_facet(name, rows, counted)]
    by_key: dict[str, list[sqlite3.Row]] = {}
    for row in rows:
        by_key.setdefault(row["key"], []).append(row)
    return [_facet(f"{PROPERTY}{key}", of_key, counted) for key, of_key in by_key.items()]


def _facet(name: str, rows: list[sqlite3.Row], counted: int | None) -> Facet:
    values = tuple(Value(value=row["value"], events=row["n"]) for row in rows)
    distinct = rows[0]["whole"] if rows else 0
    return Facet(name=name, values=values, distinct=distinct, partial=counted is not None, counted=counted)
