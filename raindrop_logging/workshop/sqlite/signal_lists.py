"""Signals, their hits and their marks, read from SQLite.

In: a connection, a signal's id.  Out: values of `signals.store`.  Touches: the connection, for reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from raindrop_logging.workshop.signals.store import EventSignal, Hit, HitPage, SignalInfo
from raindrop_logging.workshop.sqlite import cursors as sqlite_cursors
from raindrop_logging.workshop.sqlite.judging import as_rule
from raindrop_logging.workshop.sqlite.rows import as_dated_event
from raindrop_logging.workshop.sqlite.signal_tables import INSTRUMENTED

if TYPE_CHECKING:
    import sqlite3

_RULES: Final = """
SELECT * FROM signal_rules WHERE version > 0 AND :signal_id IN ('', signal_id) ORDER BY origin, name
"""
_RULE_FIGURES: Final = """
SELECT count(*) AS found, coalesce(sum(m.wrong = 0), 0) AS right, coalesce(sum(m.wrong = 1), 0) AS wrong
FROM signal_hits AS h LEFT JOIN signal_marks AS m ON m.signal_id = h.signal_id AND m.event_id = h.event_id
WHERE h.signal_id = ? AND h.version = ?
"""
_SENT: Final = """
SELECT s.name, count(DISTINCT s.event_id) AS found, min(s.sentiment) AS sentiment,
    min(s.sentiment) IS max(s.sentiment) AND count(*) = count(s.sentiment) AS agreed,
    count(DISTINCT CASE WHEN m.wrong = 0 THEN s.event_id END) AS right,
    count(DISTINCT CASE WHEN m.wrong = 1 THEN s.event_id END) AS wrong
FROM signals AS s LEFT JOIN signal_marks AS m ON m.signal_id = :prefix || s.name AND m.event_id = s.event_id
WHERE :name IN ('', s.name) GROUP BY s.name ORDER BY s.name
"""
_OF_EVENT: Final = """
SELECT r.signal_id, r.name, r.origin, r.sentiment, h.place, h.matched, m.wrong
FROM signal_hits AS h JOIN signal_rules AS r ON r.signal_id = h.signal_id AND r.version = h.version
LEFT JOIN signal_marks AS m ON m.signal_id = h.signal_id AND m.event_id = h.event_id
WHERE h.event_id = ? AND r.enabled ORDER BY r.name
"""
_SENT_HITS: Final = """
SELECT event_id, min(coalesce(timestamp, received_at)) AS found_at, NULL AS place, NULL AS matched
FROM signals WHERE name = :name GROUP BY event_id
"""
_RULE_HITS: Final = """
SELECT h.event_id, h.found_at, h.place, h.matched FROM signal_hits AS h
JOIN signal_rules AS r ON r.signal_id = h.signal_id AND r.version = h.version WHERE h.signal_id = :signal_id
"""
_RIGHT: Final = """
NOT EXISTS (SELECT 1 FROM signal_marks AS m
    WHERE m.signal_id = :signal_id AND m.wrong AND m.event_id = s.event_id)
"""
# Ids alone: an index has them, and the rows themselves are not read.
_SENT_IDS: Final = f"SELECT DISTINCT s.event_id FROM signals AS s WHERE s.name = :name AND {_RIGHT}"  # noqa: S608
_RULE_IDS: Final = f"""
SELECT s.event_id FROM signal_rules AS r
CROSS JOIN signal_hits AS s ON s.signal_id = r.signal_id AND s.version = r.version
WHERE r.signal_id = :signal_id AND {_RIGHT}
"""  # noqa: S608 - this module's own


def information(db: sqlite3.Connection, signal_id: str = "") -> tuple[SignalInfo, ...]:
    """All signals in the order of `SignalStore.all`, or the one with this id."""
    rules = tuple(_rule_info(db, row) for row in db.execute(_RULES, {"signal_id": signal_id}).fetchall())
    if signal_id and not signal_id.startswith(INSTRUMENTED):
        return rules
    known = {"prefix": INSTRUMENTED, "name": signal_id.removeprefix(INSTRUMENTED)}
    return (*rules, *(_sent_info(row) for row in db.execute(_SENT, known)))


def of_event(db: sqlite3.Connection, event_id: str) -> tuple[EventSignal, ...]:
    """See `SignalStore.of_event`."""
    return tuple(
        EventSignal(**{name: row[name] for name in EventSignal.__struct_fields__ if name != "wrong"}, wrong=_mark(row))
        for row in db.execute(_OF_EVENT, (event_id,))
    )


def query_of(signal_id: str) -> tuple[str, dict[str, Any]]:
    """A query for the events that have a signal, each once, without those marked wrong; and what it needs to know."""
    known = {"signal_id": signal_id, "name": signal_id.removeprefix(INSTRUMENTED)}
    return _SENT_IDS if signal_id.startswith(INSTRUMENTED) else _RULE_IDS, known


def has_signal(db: sqlite3.Connection, signal_id: str, event_id: str) -> bool:
    """Whether the event has it, marked or not."""
    known = {"signal_id": signal_id, "name": signal_id.removeprefix(INSTRUMENTED), "event_id": event_id}
    hits = _SENT_HITS if signal_id.startswith(INSTRUMENTED) else _RULE_HITS
    return db.execute(f"SELECT 1 FROM ({hits}) WHERE event_id = :event_id", known).fetchone() is not None  # noqa: S608


def hit_page(db: sqlite3.Connection, signal_id: str, limit: int, cursor: str | None) -> HitPage:
    """See `SignalStore.hits`."""
    happened_at, rid = sqlite_cursors.moment(cursor, sqlite_cursors.NEWEST)
    hits = _SENT_HITS if signal_id.startswith(INSTRUMENTED) else _RULE_HITS
    newest_first = "ORDER BY e.happened_at DESC, e.rid DESC"
    rows = db.execute(
        # The page's events are chosen first, so that no text of any other is carried along.
        "WITH page AS MATERIALIZED (SELECT e.rid, h.found_at, h.place, h.matched"  # noqa: S608 - this module's own
        f" FROM ({hits}) AS h CROSS JOIN events AS e ON e.event_id = h.event_id"
        f" WHERE (e.happened_at, e.rid) < (:happened_at, :rid) {newest_first} LIMIT :limit)"
        " SELECT e.*, page.found_at, page.place, page.matched, m.wrong"
        " FROM page CROSS JOIN events AS e ON e.rid = page.rid"
        f" LEFT JOIN signal_marks AS m ON m.signal_id = :signal_id AND m.event_id = e.event_id {newest_first}",
        {
            "signal_id": signal_id,
            "name": signal_id.removeprefix(INSTRUMENTED),
            "happened_at": happened_at,
            "rid": rid,
            "limit": limit + 1,
        },
    ).fetchall()
    shown = rows[:limit]
    more = sqlite_cursors.written((shown[-1]["happened_at"], shown[-1]["rid"])) if len(rows) > limit else None
    return HitPage(hits=tuple(_hit(row) for row in shown), next_cursor=more)


def _rule_info(db: sqlite3.Connection, row: sqlite3.Row) -> SignalInfo:
    rule = as_rule(row)
    figures = db.execute(_RULE_FIGURES, (rule.signal_id, rule.version)).fetchone()
    begin, left = row["backfill_from"], row["backfill_next"]
    return SignalInfo(
        signal_id=rule.signal_id,
        name=rule.draft.name,
        kind=rule.draft.definition.kind,
        origin=rule.origin,
        description=rule.draft.description,
        sentiment=rule.draft.sentiment,
        enabled=rule.draft.enabled,
        state=rule.state,
        reason=rule.reason,
        version=rule.version,
        definition=rule.draft.definition,
        progress=1.0 if left is None else 1 - left / begin,
        hits=figures["found"] - figures["wrong"],
        right=figures["right"],
        wrong=figures["wrong"],
    )


def _sent_info(row: sqlite3.Row) -> SignalInfo:
    return SignalInfo(
        signal_id=INSTRUMENTED + row["name"],
        name=row["name"],
        kind="instrumented",
        origin="sdk",
        sentiment=row["sentiment"] if row["agreed"] else None,
        hits=row["found"] - row["wrong"],
        right=row["right"],
        wrong=row["wrong"],
    )


def _hit(row: sqlite3.Row) -> Hit:
    return Hit(
        event=as_dated_event(row),
        found_at=row["found_at"],
        place=row["place"],
        matched=row["matched"],
        wrong=_mark(row),
    )


def _mark(row: sqlite3.Row) -> bool | None:
    return None if row["wrong"] is None else bool(row["wrong"])
