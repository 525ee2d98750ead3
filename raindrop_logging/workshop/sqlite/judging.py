"""Judging events as they are written, in the transaction that writes them.

In: a connection in a transaction, what was written.  Out: rows of `signal_hits`.  Touches: the connection.
An event and its hits are committed together, so a crash leaves no event unjudged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from raindrop_logging.workshop import times
from raindrop_logging.workshop.records import Event
from raindrop_logging.workshop.signals.judge import Found, Judge
from raindrop_logging.workshop.signals.rules import Draft, Origin, Rule, State
from raindrop_logging.workshop.sqlite.schema import SPANS_OF_EVENT

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from raindrop_logging.workshop.signals.rules import Place

_TOOL_ERRORS: Final = f"""
SELECT s.name, coalesce(s.error, s.output, '') AS error FROM ({SPANS_OF_EVENT}) AS s
WHERE s.kind = 'tool' AND s.status = 'error' ORDER BY s.start_time, s.span_id
"""  # noqa: S608 - the query is this package's own
_UPSERT: Final = """
INSERT INTO signal_hits VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (event_id, signal_id) DO UPDATE
SET version = excluded.version, place = excluded.place, matched = excluded.matched
"""


class Written(msgspec.Struct):
    """What one batch wrote that signals may look at.

    `events` are the texts that are new or changed, by event id; of an event that was known before, earlier hits go.
    `traced` are events of which spans came, or which took over a trace.
    """

    events: dict[str, Event] = {}
    known: set[str] = set()
    traced: set[str] = set()

    def saved(self, event: Event, known: Event | None) -> None:
        """An event was written; one whose texts are as before needs no judgement."""
        if known is not None:
            if (known.input, known.output, known.is_pending) == (event.input, event.output, event.is_pending):
                return
            self.known.add(event.event_id)
        self.events[event.event_id] = event

    def gone(self, event_id: str) -> None:
        """An event that stood for a trace became part of another one."""
        self.events.pop(event_id, None)
        self.known.discard(event_id)
        self.traced.discard(event_id)


class Judging:
    """Keeps the rules of one database compiled, and judges with them. It belongs to the writer's thread."""

    def __init__(self) -> None:
        self._revision: str | None = None
        self._judge = Judge(())

    def judge(self, db: sqlite3.Connection, written: Written) -> None:
        """Bring the hits of these events up to date."""
        self._refresh(db)
        now = times.now()
        places = self._judge.places()
        for event_id in written.known:
            db.execute("DELETE FROM signal_hits WHERE event_id = ? AND place <> 'tool_error'", (event_id,))
        if places & {"input", "output"}:
            for event_id, event in written.events.items():
                texts: dict[Place, str | None] = {"input": event.input, "output": event.output}
                store_hits(db, event_id, self._judge.judge(texts, final=not event.is_pending), now)
        if "tool_error" in places:
            for event_id in written.traced:
                db.execute("DELETE FROM signal_hits WHERE event_id = ? AND place = 'tool_error'", (event_id,))
                store_hits(db, event_id, self._judge.judge({"tool_error": tool_errors(db, event_id)}), now)
        for rule, reason in self._judge.stopped():
            pause(db, rule, reason)

    def _refresh(self, db: sqlite3.Connection) -> None:
        (revision,) = db.execute("SELECT value FROM meta WHERE key = 'signals_revision'").fetchone()
        if revision != self._revision:
            self._judge = Judge(rule for rule in stored_rules(db) if rule.applies)
            self._revision = revision


def stored_rules(db: sqlite3.Connection) -> list[Rule]:
    """All rules but deleted ones."""
    return [as_rule(row) for row in db.execute("SELECT * FROM signal_rules WHERE version > 0")]


def as_rule(row: sqlite3.Row) -> Rule:
    """A row of `signal_rules`."""
    origin: Origin = row["origin"]
    draft = msgspec.structs.replace(msgspec.json.decode(row["draft"], type=Draft), enabled=bool(row["enabled"]))
    state: State = "paused" if row["paused_reason"] else "active" if row["backfill_next"] is None else "backfilling"
    return Rule(
        signal_id=row["signal_id"], version=row["version"], draft=draft, origin=origin, state=state,
        reason=row["paused_reason"],
    )  # fmt: skip


def tool_errors(db: sqlite3.Connection, event_id: str) -> str | None:
    """The failed tool calls of an event as a text, a line or more each: ``name: error``."""
    rows = db.execute(_TOOL_ERRORS, {"event_id": event_id}).fetchall()
    return "\n".join(f"{row['name']}: {row['error']}" for row in rows) or None


def store_hits(db: sqlite3.Connection, event_id: str, found: Iterable[Found], now: str) -> None:
    """Write what was found; a hit that is there becomes one of the newer version."""
    for hit in found:
        db.execute(_UPSERT, (event_id, hit.signal_id, hit.version, hit.place, hit.matched, now))


def pause(db: sqlite3.Connection, rule: Rule, reason: str) -> None:
    """Ask a rule no more until someone saves it again; one that was changed meanwhile goes on."""
    db.execute(
        "UPDATE signal_rules SET paused_reason = ?, backfill_next = NULL WHERE signal_id = ? AND version = ?",
        (reason, rule.signal_id, rule.version),
    )
    raise_revision(db)


def raise_revision(db: sqlite3.Connection) -> None:
    """Let every process on this file know that the rules changed."""
    db.execute("UPDATE meta SET value = value + 1 WHERE key = 'signals_revision'")


def texts_of(row: Mapping[str, str | None]) -> dict[Place, str | None]:
    """The texts of a row of `events`."""
    return {"input": row["input"], "output": row["output"]}
