"""Lines over time: volume, users, failures and signals in buckets, split by a value where asked.

In: a connection, a filter, what to measure.  Out: a `Timeline`.  Touches: the connection, for reading.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

from raindrop_logging.workshop import times
from raindrop_logging.workshop.answers import SPLITS, Line, Measure, Step, Timeline
from raindrop_logging.workshop.buckets import between
from raindrop_logging.workshop.event_filter import PROPERTY
from raindrop_logging.workshop.refusals import QuestionError
from raindrop_logging.workshop.sqlite.deadline import OutOfTimeError, within
from raindrop_logging.workshop.sqlite.filter import COLUMNS, FAILED, Selection, select
from raindrop_logging.workshop.sqlite.signal_tables import given

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

MARKED: Final = 30_000
"""So many events are sooner looked up one by one than found among all."""
_MARKED: Final[dict[tuple[Measure, bool], str]] = {
    ("failures", False): "SELECT DISTINCT event_id FROM spans INDEXED BY spans_failed WHERE status = 'error'",
    ("signals", True): "SELECT DISTINCT event_id FROM signals WHERE name = :signal_name",
}

_OF_SIGNALS: Final = "CROSS JOIN event_signals AS x ON x.event_id = e.event_id"
_OTHERS: Final = {
    "signal": _OF_SIGNALS,
    "signal_id": _OF_SIGNALS,
    "tool": "CROSS JOIN spans AS x ON x.event_id = e.event_id AND x.kind = 'tool'",
}
_SIGNALS_FIRST: Final = "event_signals AS x CROSS JOIN events AS e ON e.event_id = x.event_id"


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
            scale = [*starts, _end(where)]
            counts = _counts(db, chosen, asked, scale)
            wholes = _wholes(db, chosen, asked, scale) if split in _OTHERS else None
    except OutOfTimeError:
        return Timeline(by=by, measure=measure, starts=(), lines=(), partial=True)
    lines = sorted(_lines(starts, counts, wholes), key=lambda line: (-sum(line.counts), line.name or ""))
    return Timeline(
        by=by, measure=measure, starts=tuple(starts), lines=tuple(lines[:top]), others=max(len(lines) - top, 0)
    )


def _check(asked: _Asked) -> None:
    for name, value, known in (("by", asked.by, get_args(Step)), ("measure", asked.measure, get_args(Measure))):
        if value not in known:
            raise QuestionError(name, f"{name} is one of {', '.join(known)}, not {value[:64]!r}")
    if asked.split and asked.split not in SPLITS and not asked.split.startswith(PROPERTY):
        raise QuestionError("split", f"split is one of {', '.join(SPLITS)} or {PROPERTY}KEY, not {asked.split[:64]!r}")


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


def _counts(db: sqlite3.Connection, chosen: Selection, asked: _Asked, scale: list[str]) -> list[_Count]:
    """How many there are, and how many of them are what is measured.

    Args:
        db: a connection.
        chosen: who passes.
        asked: what is measured.
        scale: the buckets' beginnings, and the end of the last.
    """
    marked = _marked(db, chosen, asked)
    if marked is None:
        return _scanned(db, chosen, asked, scale)
    where = f"WHERE {chosen.tests()} AND e.happened_at >= :low AND e.happened_at < :high"
    rows = db.execute(
        f"SELECT {_BUCKETS[asked.by]}, {_name(asked.split)}, count(*) FROM ({marked}) AS m"  # noqa: S608
        f" CROSS JOIN events AS e ON e.event_id = m.event_id {where} GROUP BY 1, 2",
        {**chosen.arguments, **_named(asked), "low": scale[0], "high": scale[-1]},
    )
    found = {(_start(at, asked.by, scale), name): n for at, name, n in rows}
    wholes = _scanned(db, chosen, asked._replace(measure="events"), scale)
    return [count._replace(n=found.get((count.at, count.name), 0)) for count in wholes]


def _marked(db: sqlite3.Connection, chosen: Selection, asked: _Asked) -> str | None:
    """The events that are what is measured, where an index has them and they are few enough to look up each."""
    selecting = _MARKED.get((asked.measure, bool(asked.signal)))
    if selecting is None or chosen.head or asked.split in _OTHERS:
        return None
    counting = f"SELECT count(*) FROM ({selecting} LIMIT {MARKED + 1})"  # noqa: S608
    return selecting if db.execute(counting, _named(asked)).fetchone()[0] <= MARKED else None


def _scanned(db: sqlite3.Connection, chosen: Selection, asked: _Asked, scale: list[str]) -> list[_Count]:
    """One look at each event that passes: bucket by bucket, which spares sorting, or all at once where they are few."""
    whole = [(_BUCKETS[asked.by], scale[0], scale[-1])]
    # The view of signals would be put together again for each bucket: so its rows are looked through once.
    of_signals = _OTHERS.get(asked.split or "") == _OF_SIGNALS
    by_signal = of_signals and not chosen.head
    at_once = bool(chosen.head) or by_signal
    stretches = whole if at_once else [(":low", low, high) for low, high in pairwise(scale)]
    source = _SIGNALS_FIRST if by_signal else f"{chosen.source} {_OTHERS.get(asked.split or '', '')}"
    each = asked.split in _OTHERS
    distinct = "DISTINCT " if each or asked.measure in _DISTINCT else ""
    measured = _MEASURES[asked.measure].format(" AND s.name = :signal_name" if asked.signal else "")
    if of_signals and asked.measure == "signals" and asked.signal:
        measured = "CASE WHEN x.name = :signal_name THEN e.rid END"
    # A bucket is one group: to say so would make SQLite sort it.
    grouping = "GROUP BY 1, 2" if at_once else "GROUP BY 2" if asked.split else ""
    counts: list[_Count] = []
    for bucket, low, high in stretches:
        sql = (
            f"{chosen.head} SELECT {bucket} AS at, {_name(asked.split)} AS name,"  # noqa: S608
            f" count(*) AS whole, count({distinct}{measured}) AS n"
            f" FROM {source}"
            f" WHERE {chosen.tests()} AND e.happened_at >= :low AND e.happened_at < :high"
            f" {grouping}"
        )
        rows = db.execute(sql, {**chosen.arguments, **_named(asked), "low": low, "high": high})
        counts += [_Count(_start(at, asked.by, scale), name, whole, n) for at, name, whole, n in rows if whole]
    return counts


def _named(asked: _Asked) -> dict[str, str | None]:
    return {"key": (asked.split or "").removeprefix(PROPERTY), "signal_name": asked.signal}


def _wholes(db: sqlite3.Connection, chosen: Selection, asked: _Asked, scale: list[str]) -> dict[str, int]:
    """All events in each bucket: an event may be in several lines, so the lines do not add up to them."""
    plain = _Asked(asked.by, "events", None, None)
    return {count.at: count.whole for count in _scanned(db, chosen, plain, scale)}


def _name(split: str | None) -> str:
    """The expression for a line's name."""
    if split == "signal_id":
        return "x.signal_id"
    if split in _OTHERS:
        return "x.name"
    if split in COLUMNS:
        return f"e.{split}"
    return "(SELECT p.value FROM event_props AS p WHERE p.rid = e.rid AND p.key = :key)" if split else "NULL"


def _lines(starts: list[str], counts: list[_Count], wholes: dict[str, int] | None) -> list[Line]:
    counted: defaultdict[str | None, dict[str, _Count]] = defaultdict(dict)
    for count in counts:
        counted[count.name][count.at] = count
    return [
        Line(
            name=name,
            counts=tuple(found[at].n if at in found else 0 for at in starts),
            of=tuple((found[at].whole if at in found else 0) if wholes is None else wholes.get(at, 0) for at in starts),
        )
        for name, found in counted.items()
        if any(count.n for count in found.values()) or wholes is None
    ]


def _start(at: str, by: Step, starts: list[str]) -> str:
    """The bucket that begins so."""
    return starts[0] if by == "all" else at + _ENDING[len(at) :]
