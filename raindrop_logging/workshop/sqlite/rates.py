"""How often a signal is given, for each day, model, event or value of a property.

In: a connection, a signal's hits as a query.  Out: `Rate`s.  Touches: the connection, for reading.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from raindrop_logging.workshop.refusals import QuestionError
from raindrop_logging.workshop.signals.store import Rate

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

PROPERTY: Final = "property."
GROUPINGS: Final = {"day": "substr(e.happened_at, 1, 10)", "model": "e.model", "event": "e.event"}
_IN_ORDER: Final = {"model": "INDEXED BY events_by_model", "event": "INDEXED BY events_by_event"}
"""Where an index has the events in the order of the groups, with their times: nothing is sorted."""

_STRETCH: Final = "FROM events INDEXED BY events_newest WHERE happened_at >= :since AND happened_at < :until"

# The value as filters name it; an event without the property, or with a very long value, has none.
_PROPERTY_VALUE: Final = "(SELECT p.value FROM event_props AS p WHERE p.rid = e.rid AND p.key = :key)"


def grouping(by: str) -> tuple[str, dict[str, str]]:
    """The expression to group events by, and what it needs to know.

    Raises:
        QuestionError: there is no such way.
    """
    if by in GROUPINGS:
        return GROUPINGS[by], {}
    if by.startswith(PROPERTY) and by != PROPERTY:
        return _PROPERTY_VALUE, {"key": by.removeprefix(PROPERTY)}
    raise QuestionError("by", f"rates are by {', '.join(GROUPINGS)} or {PROPERTY}KEY, not {by[:64]!r}")


def rates(
    db: sqlite3.Connection, hits: str, known: dict[str, Any], by: str, *, since: str | None, until: str | None, top: int
) -> tuple[Rate, ...]:
    """Days in order, the newest `top`; all else with most events first.

    Args:
        db: a connection.
        hits: a query for the ids of the events that have the signal, each once.
        known: what that query needs to know.
        by: see `grouping`.
        since: included.
        until: not included.
        top: how many values.
    """
    value, extra = grouping(by)
    known = {**known, **extra, "since": since or "", "until": until or "~"}
    span = "e.happened_at >= :since AND e.happened_at < :until"
    hit = (
        f"SELECT {value} AS value, count(*) AS hits FROM ({hits}) AS h"  # noqa: S608 - this package's own
        f" CROSS JOIN events AS e ON e.event_id = h.event_id WHERE {span} GROUP BY 1"
    )
    counted = {row["value"]: row["hits"] for row in db.execute(hit, known)}
    if by == "day":
        days = [*islice(_days(db, known["since"], known["until"]), top)]
        return tuple(Rate(value=day, hits=counted.get(day, 0), events=events) for day, events in reversed(days))
    source = f"events AS e {_IN_ORDER.get(by, '')}"
    every = f"SELECT {value} AS value, count(*) AS events FROM {source} WHERE {span} GROUP BY 1"  # noqa: S608
    found = [
        Rate(value=row["value"], hits=counted.get(row["value"], 0), events=row["events"])
        for row in db.execute(every, known)
    ]
    return tuple(sorted(found, key=lambda rate: (-rate.events, rate.value or ""))[:top])


def _days(db: sqlite3.Connection, since: str, until: str) -> Iterator[tuple[str, int]]:
    """The days that have events, newest first, with how many: a stretch of the index each, and nothing is sorted."""
    asked = {"since": since, "until": until}
    while newest := db.execute(f"SELECT max(happened_at) AS at {_STRETCH}", asked).fetchone()["at"]:
        day = newest[:10]
        counted = db.execute(f"SELECT count(*) AS n {_STRETCH}", {**asked, "since": max(since, day)})
        yield day, counted.fetchone()["n"]
        asked["until"] = day
