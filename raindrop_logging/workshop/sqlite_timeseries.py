"""Lines over time: volume, users, failures and signals in buckets, split by a value where asked.

In: a connection, a filter, what to measure.  Out: a `Timeline`.  Touches: the connection, for reading.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from raindrop_logging.workshop import times
from raindrop_logging.workshop.answers import SPLITS, Line, Measure, Step, Timeline
from raindrop_logging.workshop.buckets import between
from raindrop_logging.workshop.event_filter import PROPERTY
from raindrop_logging.workshop.sqlite_deadline import OutOfTimeError, within
from raindrop_logging.workshop.sqlite_filter import COLUMNS, FAILED, Selection, select
from raindrop_logging.workshop.sqlite_signal_tables import given

if TYPE_CHECKING:
    from raindrop_logging.workshop.event_filter import EventFilter

# A bucket's beginning, as far as it differs from the others'; `_ENDINGS` makes times of them.
_BUCKETS: Final[dict[Step, str]] = {
    "minute": "substr(e.happened_at, 1, 16)",
    "hour": "substr(e.happened_at, 1, 13)",
    "day": "substr(e.happened_at, 1, 10)",
    "week": "date(substr(e.happened_at, 1, 10), '-6 days', 'weekday 1')",
    "month": "substr(e.happened_at, 1, 7)",
    "all": "''",
}
_ENDING: Final = "0001-01-01T00:00:00.000000Z"

_EVENT: Final = "e.rid"
_GIVEN: Final = given("e.event_id", "{0}")

_MEASURES: Final[dict[Measure, str]] = {
    "events": _EVENT,
    "users": "e.user_id",
    "conversations": "e.convo_id",
    "pending": "CASE WHEN e.is_pending = 1 THEN e.rid END",
    "failures": f"CASE WHEN {FAILED.format(e='e')} THEN e.rid END",
    "signals": f"CASE WHEN {_GIVEN} THEN e.rid END",
}
_DISTINCT: Final = frozenset({"users", "conversations"})

_OTHERS: Final = {
    "signal": "CROSS JOIN event_signals AS x ON x.event_id = e.event_id",
    "tool": "CROSS JOIN spans AS x ON x.event_id = e.event_id AND x.kind = 'tool'",
}


class _Asked(NamedTuple):
    by: Step
    measure: Measure
    split: str | None
    signal: str | None


class _Count(NamedTuple):
    at: str
    name: str | None
    whole: int
    n: int


def timeseries(
    db: sqlite3.Connection,
    where: EventFilter,
    *,
    by: Step,
    measure: Measure,
    split: str | None,
    signal: str | None,
    top: int,
    seconds: float,
) -> Timeline:
    """See `Store.timeseries`."""
    asked = _Asked(by, measure, split, signal)
    _check(asked)
    try:
        with within(db, seconds):
            chosen = select(db, where)
            starts = _starts(db, chosen, where, by)
            if not starts:
                return Timeline(by=by, measure=measure, starts=(), lines=())
            arguments = {**chosen.arguments, "low": starts[0], "high": _end(where)}
            counts = _counts(db, chosen, asked, arguments)
            wholes = _wholes(db, chosen, asked, arguments) if split in _OTHERS else None
    except OutOfTimeError:
        return Timeline(by=by, measure=measure, starts=(), lines=(), partial=True)
    lines = sorted(_lines(starts, by, counts, wholes), key=lambda line: (-sum(line.counts), line.name or ""))
    return Timeline(
        by=by, measure=measure, starts=tuple(starts), lines=tuple(lines[:top]), others=max(len(lines) - top, 0)
    )


def _check(asked: _Asked) -> None:
    for name, value, known in (("by", asked.by, get_args(Step)), ("measure", asked.measure, get_args(Measure))):
        if value not in known:
            raise ValueError(f"{name} is one of {', '.join(known)}, not {value[:64]!r}")
    if asked.split and asked.split not in SPLITS and not asked.split.startswith(PROPERTY):
        raise ValueError(f"split is one of {', '.join(SPLITS)} or {PROPERTY}KEY, not {asked.split[:64]!r}")


def _starts(db: sqlite3.Connection, chosen: Selection, where: EventFilter, by: Step) -> list[str]:
    """The buckets from `since` or the first event that passes, to `until` or the present or the last event."""
    oldest = where.since or _edge(db, chosen, where, "ASC")
    if oldest is None:
        return []
    newest = times.just_before(_end(where)) if where.since else _edge(db, chosen, where, "DESC")
    return between(oldest, max(oldest, newest or oldest), by)


def _edge(db: sqlite3.Connection, chosen: Selection, where: EventFilter, order: str) -> str | None:
    """When the first or the last event that passes happened."""
    row = db.execute(
        f"{chosen.head} SELECT e.happened_at FROM {chosen.source} WHERE {chosen.tests()} AND e.happened_at < :high"  # noqa: S608
        f" ORDER BY e.happened_at {order}, e.rid {order} LIMIT 1",
        {**chosen.arguments, "high": _end(where)},
    ).fetchone()
    return row["happened_at"] if row else None


def _end(where: EventFilter) -> str:
    """Without an end of its own a chart ends with the present, whatever clocks some sender has."""
    return where.until or times.now()


def _counts(db: sqlite3.Connection, chosen: Selection, asked: _Asked, arguments: dict[str, Any]) -> list[_Count]:
    """One scan for both: how many there are, and how many of them are what is measured."""
    each = asked.split in _OTHERS
    distinct = "DISTINCT " if each or asked.measure in _DISTINCT else ""
    measured = _MEASURES[asked.measure].format(" AND s.name = :signal_name" if asked.signal else "")
    if asked.split == "signal" and asked.measure == "signals" and asked.signal:
        measured = "CASE WHEN x.name = :signal_name THEN e.rid END"
    joined = _OTHERS.get(asked.split or "", "")
    sql = (
        f"{chosen.head} SELECT {_BUCKETS[asked.by]} AS at, {_name(asked.split)} AS name,"  # noqa: S608
        f" count(*) AS whole, count({distinct}{measured}) AS n FROM {chosen.source} {joined}"
        f" WHERE {chosen.tests()} AND e.happened_at >= :low AND e.happened_at < :high GROUP BY 1, 2"
    )
    key = (asked.split or "").removeprefix(PROPERTY)
    return [_Count(*row) for row in db.execute(sql, {**arguments, "key": key, "signal_name": asked.signal})]


def _wholes(db: sqlite3.Connection, chosen: Selection, asked: _Asked, arguments: dict[str, Any]) -> dict[str, int]:
    """All events in each bucket: an event may be in several lines, so the lines do not add up to them."""
    plain = _Asked(asked.by, "events", None, None)
    return {count.at: count.whole for count in _counts(db, chosen, plain, arguments)}


def _name(split: str | None) -> str:
    """The expression for a line's name."""
    if split in _OTHERS:
        return "x.name"
    if split in COLUMNS:
        return f"e.{split}"
    return "(SELECT p.value FROM event_props AS p WHERE p.rid = e.rid AND p.key = :key)" if split else "NULL"


def _lines(starts: list[str], by: Step, counts: list[_Count], wholes: dict[str, int] | None) -> list[Line]:
    counted: defaultdict[str | None, dict[str, _Count]] = defaultdict(dict)
    for count in counts:
        counted[count.name][_start(count.at, by, starts)] = count
    plain = {_start(at, by, starts): whole for at, whole in (wholes or {}).items()}
    return [
        Line(
            name=name,
            counts=tuple(found[at].n if at in found else 0 for at in starts),
            of=tuple((found[at].whole if at in found else 0) if wholes is None else plain.get(at, 0) for at in starts),
        )
        for name, found in counted.items()
        if any(count.n for count in found.values()) or wholes is None
    ]


def _start(at: str, by: Step, starts: list[str]) -> str:
    return starts[0] if by == "all" else at + _ENDING[len(at) :]
