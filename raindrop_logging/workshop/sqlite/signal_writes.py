"""Changes of rule signals and marks, inside the writer's transaction.

In: a connection in a transaction, drafts and marks.  Out: rows; a raised revision.  Touches: the connection.
What goes wrong raises a `SignalError`, which undoes this change alone.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

import msgspec

from raindrop_logging.workshop import times
from raindrop_logging.workshop.signals.defaults import default_drafts
from raindrop_logging.workshop.signals.rules import (
    Draft,
    Origin,
    SignalConflictError,
    UnknownSignalError,
    checked,
)
from raindrop_logging.workshop.sqlite.judging import as_rule, raise_revision
from raindrop_logging.workshop.sqlite.signal_lists import has_signal
from raindrop_logging.workshop.sqlite.signal_tables import INSTRUMENTED

if TYPE_CHECKING:
    import sqlite3

    from raindrop_logging.workshop.signals.rules import Rule

MAX_RULES: Final = 200
"""Users' rules in one database: each is asked of every event."""

_NEWEST: Final = "(SELECT max(rid) FROM events)"
_INSERT: Final = f"""
INSERT INTO signal_rules (signal_id, name, sentiment, draft, version, enabled, origin, backfill_next, backfill_from,
    created_at, updated_at)
VALUES (:signal_id, :name, :sentiment, :draft, 1, :enabled, :origin, {_NEWEST}, {_NEWEST}, :now, :now)
"""  # noqa: S608 - this module's own
_UPDATE: Final = """
UPDATE signal_rules SET name = :name, sentiment = :sentiment, draft = :draft, enabled = :enabled, updated_at = :now
WHERE signal_id = :signal_id
"""
_AGAIN: Final = f"""
UPDATE signal_rules SET version = version + ?, paused_reason = NULL, backfill_next = {_NEWEST},
    backfill_from = {_NEWEST} WHERE signal_id = ?
"""  # noqa: S608


def create(db: sqlite3.Connection, draft: Draft) -> str:
    """See `SignalStore.create`."""
    checked(draft)
    _see_that_free(db, draft.name)
    (users,) = db.execute("SELECT count(*) FROM signal_rules WHERE origin = 'user' AND version > 0").fetchone()
    if users >= MAX_RULES:
        raise SignalConflictError(f"there are {MAX_RULES} signals already: delete one that is not needed")
    signal_id = uuid.uuid4().hex
    _insert(db, signal_id, draft, "user")
    raise_revision(db)
    return signal_id


def change(db: sqlite3.Connection, signal_id: str, draft: Draft) -> None:
    """See `SignalStore.change`."""
    rule = _known(db, signal_id)
    checked(draft)
    if rule.origin == "default" and draft != msgspec.structs.replace(rule.draft, enabled=draft.enabled):
        raise SignalConflictError("a default signal can only be switched on and off: make one of your own beside it")
    if draft.name != rule.draft.name:
        _see_that_free(db, draft.name)
    db.execute(_UPDATE, _columns(signal_id, draft))
    _judge_again(db, rule, draft)
    raise_revision(db)


def delete(db: sqlite3.Connection, signal_id: str) -> None:
    """See `SignalStore.delete`; its hits go in small steps afterwards."""
    rule = _known(db, signal_id)
    if rule.origin != "user":
        raise SignalConflictError("a default signal can be switched off, but not deleted")
    _let_go(db, signal_id)
    raise_revision(db)


def mark(db: sqlite3.Connection, signal_id: str, event_id: str, *, wrong: bool) -> None:
    """See `SignalStore.mark`."""
    if not has_signal(db, signal_id, event_id):
        raise UnknownSignalError(f"event {event_id!r} has no signal {signal_id!r}")
    db.execute("INSERT OR REPLACE INTO signal_marks VALUES (?, ?, ?, ?)", (signal_id, event_id, wrong, times.now()))


def unmark(db: sqlite3.Connection, signal_id: str, event_id: str) -> None:
    """See `SignalStore.unmark`."""
    db.execute("DELETE FROM signal_marks WHERE signal_id = ? AND event_id = ?", (signal_id, event_id))


def keep_defaults(db: sqlite3.Connection) -> None:
    """Bring the default signals to what this version's data file says, with each switch as it was left."""
    stored = {
        row["signal_id"]: as_rule(row) for row in db.execute("SELECT * FROM signal_rules WHERE origin = 'default'")
    }
    changed = False
    for signal_id, draft in default_drafts().items():
        rule = stored.pop(signal_id, None)
        if rule is None:
            _free_for_default(db, draft.name)
            _insert(db, signal_id, draft, "default")
        elif msgspec.structs.replace(draft, enabled=rule.draft.enabled) != rule.draft:
            kept = msgspec.structs.replace(draft, enabled=rule.draft.enabled)
            db.execute(_UPDATE, _columns(signal_id, kept))
            _judge_again(db, rule, kept)
        else:
            continue
        changed = True
    for signal_id in stored:
        _let_go(db, signal_id)
        changed = True
    if changed:
        raise_revision(db)


def _judge_again(db: sqlite3.Connection, rule: Rule, draft: Draft) -> None:
    """A new definition is a new version; one that did not run for a while has events to catch up with."""
    is_new = draft.definition != rule.draft.definition
    if is_new or (draft.enabled and not rule.applies):
        db.execute(_AGAIN, (int(is_new), rule.signal_id))


def _let_go(db: sqlite3.Connection, signal_id: str) -> None:
    """Version 0 is what the sweeper deletes; the name is free at once."""
    db.execute("DELETE FROM signal_marks WHERE signal_id = ?", (signal_id,))
    db.execute(
        "UPDATE signal_rules SET version = 0, enabled = 0, sweeping = 1, backfill_next = NULL, name = ?"
        " WHERE signal_id = ?",
        (f"\x00{signal_id}", signal_id),
    )


def _known(db: sqlite3.Connection, signal_id: str) -> Rule:
    row = db.execute("SELECT * FROM signal_rules WHERE signal_id = ? AND version > 0", (signal_id,)).fetchone()
    if row:
        return as_rule(row)
    if signal_id.startswith(INSTRUMENTED):
        raise SignalConflictError("what SDKs send is no rule: it has nothing to change")
    raise UnknownSignalError(f"no signal {signal_id!r}")


def _see_that_free(db: sqlite3.Connection, name: str) -> None:
    if db.execute("SELECT 1 FROM signal_rules WHERE name = ?", (name,)).fetchone():
        raise SignalConflictError(f"there is a signal {name!r} already: give this one another name")


def _free_for_default(db: sqlite3.Connection, name: str) -> None:
    """A user's signal that took a name before a default one had it is renamed, not lost."""
    row = db.execute("SELECT * FROM signal_rules WHERE name = ?", (name,)).fetchone()
    if row:
        draft = msgspec.structs.replace(as_rule(row).draft, name=f"{name} ({row['signal_id'][:8]})")
        db.execute(_UPDATE, _columns(row["signal_id"], draft))


def _insert(db: sqlite3.Connection, signal_id: str, draft: Draft, origin: Origin) -> None:
    db.execute(_INSERT, {**_columns(signal_id, draft), "origin": origin})


def _columns(signal_id: str, draft: Draft) -> dict[str, str | bool | None]:
    return {
        "signal_id": signal_id,
        "name": draft.name,
        "sentiment": draft.sentiment,
        "draft": msgspec.json.encode(draft).decode("utf-8"),
        "enabled": draft.enabled,
        "now": times.now(),
    }
