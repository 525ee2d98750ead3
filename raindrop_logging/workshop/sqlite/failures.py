"""What needs a look: traces that no event owns, and tool calls that failed.

In: a connection, a limit, a cursor, a filter.  Out: slices, newest first.  Touches: the connection, for reading.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Final

import msgspec

from raindrop_logging.workshop.answers import FailingTool, Slice, ToolError, Trace
from raindrop_logging.workshop.event_filter import FilterError
from raindrop_logging.workshop.sqlite import cursors
from raindrop_logging.workshop.sqlite.filter import select
from raindrop_logging.workshop.sqlite.rows import as_dated_event, as_span
from raindrop_logging.workshop.store import ALL

if TYPE_CHECKING:
    from raindrop_logging.workshop.event_filter import EventFilter

_BELOW: Final = "(coalesce(s.start_time, ''), s.trace_id, s.span_id) < (:at, :trace_id, :span_id)"
_NEWEST_FIRST: Final = "ORDER BY coalesce(s.start_time, '') DESC, s.trace_id DESC, s.span_id DESC LIMIT :limit"
_OF_TRACES: Final = frozenset({"since", "until", "tool", "error"})

# The newest span stands for its trace; whatever the trace holds, one look finds a newer one.
_UNOWNED: Final = """
SELECT s.trace_id, s.span_id, coalesce(s.start_time, '') AS at FROM spans AS s INDEXED BY spans_unowned
WHERE s.event_id IS NULL AND NOT EXISTS (SELECT 1 FROM traces AS t WHERE t.trace_id = s.trace_id)
    AND NOT EXISTS (SELECT 1 FROM spans AS l INDEXED BY spans_unowned_by_trace WHERE l.event_id IS NULL
        AND l.trace_id = s.trace_id
        AND (coalesce(l.start_time, ''), l.span_id) > (coalesce(s.start_time, ''), s.span_id))
"""
_OF_TRACE: Final = """
SELECT count(*) AS span_count, sum(status = 'error') AS error_count, min(start_time) AS first_at,
    max(coalesce(end_time, start_time)) AS last_at,
    (SELECT r.name FROM spans AS r WHERE r.trace_id = :trace_id
        ORDER BY r.parent_id IS NOT NULL, r.start_time, r.span_id LIMIT 1) AS name
FROM spans WHERE trace_id = :trace_id
"""
_OWNER: Final = """coalesce(s.event_id,
    (SELECT t.event_id FROM traces AS t WHERE t.trace_id = s.trace_id ORDER BY t.declared DESC, t.rowid LIMIT 1))"""


def traces(db: sqlite3.Connection, limit: int, cursor: str | None, where: EventFilter) -> Slice[Trace]:
    """See `Store.traces`."""
    for name in where.__struct_fields__:
        if name not in _OF_TRACES and getattr(where, name) != getattr(ALL, name):
            known = ", ".join(sorted(_OF_TRACES))
            raise FilterError(name, f"a trace without an event has no {name}: filter by {known}")
    tests, arguments = _of_call(where)
    in_trace = "EXISTS (SELECT 1 FROM spans AS i WHERE i.trace_id = s.trace_id AND {})".format
    if where.tool:
        tests[-1] = in_trace("i.kind = 'tool' AND i." + tests[-1].removeprefix("s."))
    if where.error is not None:
        tests.append(("" if where.error else "NOT ") + in_trace("i.status = 'error'"))
    rows = db.execute(
        f"{_UNOWNED} AND {' AND '.join([_BELOW, *tests])} {_NEWEST_FIRST}",
        {**arguments, **_place(cursor), "limit": limit + 1},
    ).fetchall()
    return Slice(items=tuple(_trace(db, row["trace_id"]) for row in rows[:limit]), next_cursor=_next(rows, limit))


def tool_errors(db: sqlite3.Connection, limit: int, cursor: str | None, where: EventFilter) -> Slice[ToolError]:
    """See `Store.tool_errors`."""
    tests, arguments = _of_call_and_event(db, where)
    rows = db.execute(
        f"SELECT s.*, coalesce(s.start_time, '') AS at, {_OWNER} AS owner FROM spans AS s INDEXED BY tools_failed"  # noqa: S608
        f" WHERE s.kind = 'tool' AND s.status = 'error' AND {' AND '.join([_BELOW, *tests])} {_NEWEST_FIRST}",
        {**arguments, **_place(cursor), "limit": limit + 1},
    ).fetchall()
    return Slice(items=tuple(_tool_error(db, row) for row in rows[:limit]), next_cursor=_next(rows, limit))


def failing_tools(db: sqlite3.Connection, where: EventFilter, top: int) -> tuple[FailingTool, ...]:
    """See `Store.failing_tools`."""
    tests, arguments = _of_call_and_event(db, where)
    also = " AND ".join(["TRUE", *tests])
    # Beside max(), SQLite tells the other columns of the row that has it.
    rows = db.execute(
        "SELECT s.name, count(*) AS errors, max(coalesce(s.start_time, '')) AS last_at, s.error"  # noqa: S608
        f" FROM spans AS s INDEXED BY tools_failed WHERE s.kind = 'tool' AND s.status = 'error' AND {also}"
        " GROUP BY s.name ORDER BY errors DESC, s.name LIMIT :top",
        {**arguments, "top": top},
    ).fetchall()
    calls = _calls(db, where, [row["name"] for row in rows])
    return tuple(
        FailingTool(
            tool=row["name"],
            errors=row["errors"],
            calls=calls.get(row["name"], 0),
            last_at=row["last_at"] or None,
            last_error=row["error"],
        )
        for row in rows
    )


def _calls(db: sqlite3.Connection, where: EventFilter, tools: list[str]) -> dict[str, int]:
    """How often each was called: by events that pass, and by nobody known where nothing is asked of the event."""
    tests, arguments = _of_call(msgspec.structs.replace(where, tool=tuple(tools)))
    of_tool = " AND ".join(["s.kind = 'tool'", *tests])
    rest = _of_event(where)
    if rest == ALL:
        sql = f"SELECT s.name, count(*) AS n FROM spans AS s WHERE {of_tool} GROUP BY 1"  # noqa: S608
        return {row["name"]: row["n"] for row in db.execute(sql, arguments)}
    chosen = select(db, rest)
    sql = (
        f"{chosen.head} SELECT s.name, count(*) AS n FROM {chosen.source}"  # noqa: S608
        f" CROSS JOIN spans AS s ON s.event_id = e.event_id WHERE {chosen.tests()} AND {of_tool} GROUP BY 1"
    )
    counts = {row["name"]: row["n"] for row in db.execute(sql, {**chosen.arguments, **arguments})}
    by_trace, arguments = _of_call_and_event(db, msgspec.structs.replace(where, tool=tuple(tools)))
    bare = " AND ".join(["s.kind = 'tool' AND s.event_id IS NULL", *by_trace])
    sql = f"SELECT s.name, count(*) AS n FROM spans AS s WHERE {bare} GROUP BY 1"  # noqa: S608
    for row in db.execute(sql, arguments):
        counts[row["name"]] = counts.get(row["name"], 0) + row["n"]
    return counts


def _of_call_and_event(db: sqlite3.Connection, where: EventFilter) -> tuple[list[str], dict[str, Any]]:
    tests, arguments = _of_call(where)
    rest = _of_event(where)
    if rest != ALL:
        chosen = select(db, rest)
        passes = f"SELECT 1 FROM events AS e WHERE e.event_id = {_OWNER} AND {chosen.tests()}"  # noqa: S608
        tests.append(f"EXISTS ({passes})")
        arguments |= chosen.arguments
    return tests, arguments


def _of_event(where: EventFilter) -> EventFilter:
    """What is asked of the event and not of the call."""
    return msgspec.structs.replace(where, tool=(), since=None, until=None)


def _of_call(where: EventFilter) -> tuple[list[str], dict[str, Any]]:
    """What is asked of the span itself; the tool's name comes last."""
    tests: list[str] = []
    arguments: dict[str, Any] = {}
    for name, sign in (("since", ">="), ("until", "<")):
        if moment := getattr(where, name):
            tests.append(f"coalesce(s.start_time, '') {sign} :{name}_call")
            arguments[f"{name}_call"] = moment
    if where.tool:
        named = {f"call{number}": tool for number, tool in enumerate(where.tool)}
        tests.append(f"s.name IN ({', '.join(f':{key}' for key in named)})")
        arguments |= named
    return tests, arguments


def _trace(db: sqlite3.Connection, trace_id: str) -> Trace:
    return Trace(trace_id=trace_id, **dict(db.execute(_OF_TRACE, {"trace_id": trace_id}).fetchone()))


def _tool_error(db: sqlite3.Connection, row: sqlite3.Row) -> ToolError:
    event = db.execute("SELECT * FROM events WHERE event_id = ?", (row["owner"],)).fetchone()
    return ToolError(span=as_span(row), event=as_dated_event(event) if event else None)


def _place(cursor: str | None) -> dict[str, str]:
    at, trace_id, span_id = cursors.span_place(cursor)
    return {"at": at, "trace_id": trace_id, "span_id": span_id}


def _next(rows: list[sqlite3.Row], limit: int) -> str | None:
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return cursors.written((last["at"], last["trace_id"], last["span_id"]))
