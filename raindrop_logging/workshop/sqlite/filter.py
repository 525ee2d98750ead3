"""A filter as SQL: which events pass, and from where to look for them.

In: a connection, an `EventFilter`.  Out: a `Selection` to put into a statement.  Touches: the connection, for reading.

Newest events are looked at first, each short field in the index itself. That is slow only where few events pass, and
then one condition has few events: they are counted up to `FEW`, and the rarest condition's events are looked at alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from raindrop_logging.workshop.sqlite.index import MAX_VALUE_CHARS
from raindrop_logging.workshop.sqlite.signal_tables import given

if TYPE_CHECKING:
    import sqlite3

    from raindrop_logging.workshop.event_filter import EventFilter

FEW: Final = 2_000
"""So many events are cheaper to sort than all events are to walk."""
FEW_OF_SEVERAL: Final = 10_000
"""The same where several conditions are combined: each may have many events, and all together none."""

NEWEST: Final = "events AS e INDEXED BY events_newest"
_RAREST: Final = "few CROSS JOIN events AS e ON e.rid = few.rid"
COLUMNS: Final = ("event", "user_id", "convo_id", "model", "project_id")
"""The names of `EventFilter` that are columns of `events`."""

FAILED: Final = """EXISTS (
    SELECT 1 FROM spans AS s INDEXED BY spans_failed WHERE s.event_id = {e}.event_id AND s.status = 'error')"""
"""Some span of the event failed; the index is small, as it holds no others."""

_OF_EVENTS: Final = " CROSS JOIN events AS e ON e.event_id = s.event_id"
_OF_SPANS: Final = f"SELECT e.rid FROM spans AS s{_OF_EVENTS} WHERE"  # noqa: S608
_OF_FAILED: Final = f"SELECT e.rid FROM spans AS s INDEXED BY spans_failed{_OF_EVENTS} WHERE s.status = 'error'"  # noqa: S608
_OF_SIGNALS: Final = f"SELECT e.rid FROM event_signals AS s{_OF_EVENTS} WHERE"  # noqa: S608


class Condition(NamedTuple):
    """One condition of a filter: `test` with `{e}` for the event's alias; `rids` selects who meets it by an index."""

    test: str
    rids: str | None = None


class Selection(NamedTuple):
    """Who passes: ``{head} SELECT … FROM {source} WHERE {tests()}`` with the arguments by name.

    `head` is empty or ``WITH few AS (…)``; what comes after it begins a further table with `and_with`.
    """

    head: str
    source: str
    conditions: tuple[str, ...]
    arguments: dict[str, Any]

    @property
    def and_with(self) -> str:
        """How a statement that has a table of its own begins: ``{and_with} page AS (…) SELECT …``."""
        return f"{self.head}," if self.head else "WITH"

    def tests(self, alias: str = "e") -> str:
        """What must hold of the event with this alias."""
        return " AND ".join(["TRUE", *(condition.format(e=alias) for condition in self.conditions)])


def select(db: sqlite3.Connection, where: EventFilter) -> Selection:
    """How to find the events that pass."""
    arguments: dict[str, Any] = {}
    conditions = [*_conditions(where, arguments)]
    rarest = _rarest(db, conditions, arguments)
    tests = tuple(condition.test for condition in conditions)
    if rarest is None:
        return Selection("", NEWEST, tests, arguments)
    head = f"WITH few AS MATERIALIZED (SELECT DISTINCT rid FROM ({rarest}))"  # noqa: S608 - own names only
    return Selection(head, _RAREST, tests, arguments)


def _rarest(db: sqlite3.Connection, conditions: Iterable[Condition], arguments: dict[str, Any]) -> str | None:
    """The condition that the fewest events meet, if those are few; spans and signals count as events."""
    narrowing = [condition for condition in conditions if condition.rids is not None]
    least, found = FEW_OF_SEVERAL if len(narrowing) > 1 else FEW, None
    for condition in narrowing:
        rows = (condition.rids or "").replace(_OF_EVENTS, "").replace("SELECT e.rid", "SELECT 1")
        counting = f"SELECT count(*) AS n FROM ({rows} LIMIT {least + 1})"  # noqa: S608 - own names only
        count = db.execute(counting, arguments).fetchone()["n"]
        if count <= least:
            least, found = count, condition.rids
    return found


def _conditions(where: EventFilter, arguments: dict[str, Any]) -> Iterator[Condition]:
    yield from _range(where, arguments)
    for column in COLUMNS:
        if values := getattr(where, column):
            among = _bound(arguments, column, values)
            yield Condition(f"{{e}}.{column} IN ({among})", f"SELECT rid FROM events WHERE {column} IN ({among})")  # noqa: S608
    if where.tool:
        yield _of_spans(f"s.kind = 'tool' AND s.name IN ({_bound(arguments, 'tool', where.tool)})")
    if where.signal:
        test = f"s.name IN ({_bound(arguments, 'signal', where.signal)})"
        yield Condition(given("{e}.event_id", f" AND {test}"), f"{_OF_SIGNALS} {test}")
    yield from _properties(where, arguments)
    yield from _switches(where)


def _range(where: EventFilter, arguments: dict[str, Any]) -> Iterator[Condition]:
    if where.since:
        arguments["since"] = where.since
        yield Condition("{e}.happened_at >= :since")
    if where.until:
        arguments["until"] = where.until
        yield Condition("+{e}.happened_at < :until")  # the sign leaves the index to the list's own upper bound


def _switches(where: EventFilter) -> Iterator[Condition]:
    if where.error is not None:
        failed = Condition(FAILED, _OF_FAILED)
        yield failed if where.error else Condition(f"NOT {FAILED}")
    for column, value in (("is_pending", where.pending), ("has_attachment", where.attachment)):
        if value is not None:
            rids = f"SELECT rid FROM events WHERE {column} = 1" if value else None  # noqa: S608
            yield Condition(f"{{e}}.{column} = {value:d}", rids)


def _of_spans(test: str) -> Condition:
    exists = f"EXISTS (SELECT 1 FROM spans AS s WHERE s.event_id = {{e}}.event_id AND {test})"  # noqa: S608
    return Condition(exists, f"{_OF_SPANS} {test}")


def _properties(where: EventFilter, arguments: dict[str, Any]) -> Iterator[Condition]:
    """Of several values of one key any may hold, as an event has one at a time."""
    wanted: dict[str, list[str]] = {}
    for key, value in where.properties:
        wanted.setdefault(key, []).append(value)
    for number, (key, values) in enumerate(wanted.items()):
        arguments[f"key{number}"] = key
        among = _bound(arguments, f"value{number}_", values)
        held = f"p.key = :key{number} AND p.value IN ({among})"
        if max(map(len, values)) > MAX_VALUE_CHARS:
            rows = f"SELECT 1 FROM json_each({{e}}.properties) AS p WHERE {held}"  # noqa: S608
            yield Condition(f"EXISTS ({rows})")
        else:
            rows = f"SELECT 1 FROM event_props AS p WHERE {held} AND p.rid = {{e}}.rid"  # noqa: S608
            yield Condition(f"EXISTS ({rows})", f"SELECT rid FROM event_props AS p WHERE {held}")  # noqa: S608


def _bound(arguments: dict[str, Any], name: str, values: Iterable[str]) -> str:
    """Placeholders for these values, which are put among the arguments."""
    named = {f"{name}{number}": value for number, value in enumerate(values)}
    arguments.update(named)
    return ", ".join(f":{key}" for key in named)
