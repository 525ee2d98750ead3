"""Judging what is already stored by a new or changed rule, in small steps between which others write.

In: a connection in a transaction.  Out: rows of `signal_hits`, progress.  Touches: the connection.
How far a rule has come is committed with the hits of each step, so that a restart goes on where it stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raindrop_logging.workshop import times
from raindrop_logging.workshop.signals.judge import Judge
from raindrop_logging.workshop.sqlite.judging import as_rule, pause, store_hits, texts_of, tool_errors

if TYPE_CHECKING:
    import sqlite3

    from raindrop_logging.workshop.signals.rules import Place, Rule

STEP_EVENTS: Final = 200
"""Events judged, or old hits deleted, in one transaction."""

_EVENTS: Final = """
SELECT rid, event_id, input, output, is_pending FROM events WHERE rid <= ? AND rid > ? ORDER BY rid DESC LIMIT ?
"""
_FURTHEST: Final = "SELECT max(backfill_next) FROM signal_rules WHERE enabled AND version > 0"


class Backfill:
    """Belongs to the writer's thread, which calls it in a transaction; True while more waits."""

    def __init__(self) -> None:
        self._judge: Judge | None = None
        self._judged: tuple[str, ...] = ()

    def __call__(self, db: sqlite3.Connection) -> bool:
        """The next piece: judging first, then what earlier versions left."""
        return self._judge_some(db) or _sweep_some(db)

    def _judge_some(self, db: sqlite3.Connection) -> bool:
        """Judge the next events of the rules that are furthest behind together; False when no rule waits."""
        (begin,) = db.execute(_FURTHEST).fetchone()
        if begin is None:
            return False
        # Where the next rule waits, they join: then each event is read once for both.
        (join,) = db.execute(f"{_FURTHEST} AND backfill_next < ?", (begin,)).fetchone()
        waiting = db.execute("SELECT * FROM signal_rules WHERE enabled AND version > 0 AND backfill_next = ?", (begin,))
        rules = [as_rule(row) for row in waiting.fetchall()]
        rows = db.execute(_EVENTS, (begin, join or 0, STEP_EVENTS)).fetchall()
        judge = self._judge_of(rules)
        now = times.now()
        places = judge.places()
        for row in rows:
            texts: dict[Place, str | None] = texts_of(row)
            if "tool_error" in places:
                texts["tool_error"] = tool_errors(db, row["event_id"])
            store_hits(db, row["event_id"], judge.judge(texts, final=not row["is_pending"]), now)
        left = rows[-1]["rid"] - 1 if len(rows) == STEP_EVENTS else join
        db.executemany(
            "UPDATE signal_rules SET backfill_next = ?, sweeping = sweeping OR ? WHERE signal_id = ?",
            [(left, left is None, rule.signal_id) for rule in rules],
        )
        for rule, reason in judge.stopped():
            pause(db, rule, reason)
        return True

    def _judge_of(self, rules: list[Rule]) -> Judge:
        """The same judge for the same rules, so that what a rule spends adds up."""
        asked = tuple(f"{rule.signal_id} {rule.version}" for rule in rules)
        if self._judge is None or asked != self._judged:
            self._judge, self._judged = Judge(rules), asked
        return self._judge


def _sweep_some(db: sqlite3.Connection) -> bool:
    """Delete some hits of earlier versions; a rule that was deleted goes with the last of its hits."""
    rule = db.execute("SELECT signal_id, version FROM signal_rules WHERE sweeping LIMIT 1").fetchone()
    if rule is None:
        return False
    key = (rule["signal_id"], rule["version"])
    swept = db.execute(
        "DELETE FROM signal_hits WHERE (event_id, signal_id) IN"
        " (SELECT event_id, signal_id FROM signal_hits WHERE signal_id = ? AND version <> ? LIMIT ?)",
        (*key, STEP_EVENTS),
    ).rowcount
    if swept < STEP_EVENTS:
        db.execute("UPDATE signal_rules SET sweeping = 0 WHERE signal_id = ?", key[:1])
        db.execute("DELETE FROM signal_rules WHERE signal_id = ? AND version = 0", key[:1])
    return True
