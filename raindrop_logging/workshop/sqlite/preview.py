"""What a rule would find in stored events, before it is saved.

In: a way to read, a rule.  Out: a `Preview`.  Touches: connections, for reading; a clock.
The connection goes back after each chunk, so that a preview keeps nobody else waiting.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from raindrop_logging.workshop import times
from raindrop_logging.workshop.signals.judge import Found, Judge
from raindrop_logging.workshop.signals.store import Hit, Preview
from raindrop_logging.workshop.sqlite.judging import texts_of, tool_errors
from raindrop_logging.workshop.sqlite.rows import as_dated_event

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from raindrop_logging.workshop.signals.rules import Place, Rule

CHUNK: Final = 200
"""Events between two looks at the clock."""

_CHUNK_QUERY: Final = """
SELECT rid, event_id, input, output, is_pending FROM events WHERE rid < ? ORDER BY rid DESC LIMIT ?
"""
_NO_RID_YET: Final = 2**63 - 1


class Scan:
    """One preview: newest events first."""

    def __init__(
        self, read: Callable[[], AbstractContextManager[sqlite3.Connection]], rule: Rule, samples: int
    ) -> None:
        self._read = read
        self._judge = Judge([rule])
        self._on_errors = "tool_error" in rule.draft.definition.places
        self._samples = samples
        self._found: list[Hit] = []
        self._count = 0
        self._scanned = 0
        self._problem: str | None = None

    def run(self, end: float) -> Preview:
        """Look until `end`, by the monotonic clock; at least at one chunk."""
        with self._read() as db:
            (events,) = db.execute("SELECT count(*) FROM events").fetchone()
        before: int | None = _NO_RID_YET
        while before is not None:
            with self._read() as db:
                before = self._chunk(db, before)
            if self._problem or time.monotonic() > end:
                break
        return Preview(
            count=self._count,
            scanned=self._scanned,
            events=events,
            complete=before is None and not self._problem,
            samples=tuple(self._found),
            problem=self._problem,
        )

    def _chunk(self, db: sqlite3.Connection, before: int) -> int | None:
        """Judge the next events; the place to go on from, None at the end."""
        rows = db.execute(_CHUNK_QUERY, (before, CHUNK)).fetchall()
        for row in rows:
            texts: dict[Place, str | None] = texts_of(row)
            if self._on_errors:
                texts["tool_error"] = tool_errors(db, row["event_id"])
            found = self._judge.judge(texts, final=not row["is_pending"])
            for _, reason in self._judge.stopped():
                self._problem = reason.removeprefix("paused: ")
                return None
            self._scanned += 1
            if found:
                self._count += 1
                self._keep(db, row["rid"], found[0])
        return rows[-1]["rid"] if len(rows) == CHUNK else None

    def _keep(self, db: sqlite3.Connection, rid: int, found: Found) -> None:
        if len(self._found) < self._samples:
            row = db.execute("SELECT * FROM events WHERE rid = ?", (rid,)).fetchone()
            event = as_dated_event(row)
            self._found.append(
                Hit(event=event, found_at=times.now(), place=found.place, matched=found.matched, wrong=None)
            )
