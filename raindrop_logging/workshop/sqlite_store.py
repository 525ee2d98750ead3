"""The store on SQLite: one writer thread that commits in groups, a pool of readers.

In: batches and questions, from any thread.  Out: futures and values.  Touches: the database file, one thread.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from raindrop_logging.workshop.cursors import cursor_of, position_of
from raindrop_logging.workshop.records import Batch, Signal, Span
from raindrop_logging.workshop.signal_rules import SignalError
from raindrop_logging.workshop.signal_store import SignalStore
from raindrop_logging.workshop.sqlite_backfill import Backfill
from raindrop_logging.workshop.sqlite_handoffs import launched_by, state_of, subagents
from raindrop_logging.workshop.sqlite_judging import Judging
from raindrop_logging.workshop.sqlite_rows import as_dated_event, as_signal, as_span, as_summary
from raindrop_logging.workshop.sqlite_schema import SPANS_OF_EVENT, connect, prepare
from raindrop_logging.workshop.sqlite_signal_writes import keep_defaults
from raindrop_logging.workshop.sqlite_signals import SqliteSignals
from raindrop_logging.workshop.sqlite_writes import BatchWriter
from raindrop_logging.workshop.store import Counts, Page, Person, StoreError, Story, Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_log: Final = logging.getLogger("raindrop_logging")

GROUP_LIMIT: Final = 200
"""Batches in one commit, at most: what waits for the disk together."""
READERS: Final = 4

_SUMMARY: Final = """
SELECT e.*,
    (SELECT count(*) FROM signals AS s WHERE s.event_id = e.event_id) AS signal_count,
    (SELECT count(*) FROM signals AS s WHERE s.event_id = e.event_id AND s.sentiment = 'NEGATIVE') AS negative_count,
    (SELECT count(*) FROM signals AS s WHERE s.event_id = e.event_id AND s.sentiment = 'POSITIVE') AS positive_count,
    (SELECT count(*) FROM spans AS p WHERE p.event_id = e.event_id) AS span_count,
    (SELECT count(*) FROM spans AS p WHERE p.event_id = e.event_id AND p.status = 'error') AS error_count
FROM events AS e
"""
_COUNTS: Final = """
SELECT (SELECT count(*) FROM events) AS events, (SELECT count(*) FROM signals) AS signals,
    (SELECT count(*) FROM signals WHERE event_id NOT IN (SELECT event_id FROM events)) AS signals_without_event,
    (SELECT count(*) FROM spans) AS spans, (SELECT count(*) FROM users) AS users
"""

_Value = TypeVar("_Value")
_Job = tuple["Callable[[sqlite3.Connection], Any]", "Future[Any]"]


class SqliteStore:
    """Fills `store.Store`; raises `StoreError` when the file cannot be used."""

    def __init__(self, location: Path | str) -> None:
        self.location = str(location)
        writer = prepare(location)
        self._connections: queue.LifoQueue[sqlite3.Connection | None] = queue.LifoQueue()
        # A database in memory lives in one connection: readers and writer take turns with it.
        shared = not isinstance(location, Path)
        for _ in range(1 if shared else READERS):
            self._connections.put(writer if shared else connect(location))
        self._writer = None if shared else writer
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._judging = Judging()
        self._backfill = Backfill()
        self._signals = SqliteSignals(self._borrowed, self._write)
        self._thread = threading.Thread(target=self._write_until_closed, name="workshop-writer", daemon=True)
        self._thread.start()
        try:
            self._write(keep_defaults).result()
        except StoreError:
            self.close()
            raise

    @property
    def signals(self) -> SignalStore:
        """See `Store.signals`."""
        return self._signals

    def append(self, batch: Batch) -> Future[tuple[str, ...]]:
        """See `Store.append`."""
        return self._write(lambda db: self._keep(db, batch))

    def event(self, event_id: str) -> Story | None:
        """See `Store.event`."""
        with self._borrowed() as db:
            row = (
                db.execute("SELECT * FROM events WHERE event_id = ?", (event_id,)).fetchone()
                or db.execute(
                    "SELECT e.* FROM traces AS t JOIN events AS e USING (event_id)"
                    " WHERE t.trace_id = ? ORDER BY t.declared DESC, t.rowid LIMIT 1",
                    (event_id,),
                ).fetchone()
            )
            if row is None:
                return None
            return _story(db, row)

    def events(self, limit: int, cursor: str | None = None) -> Page:
        """See `Store.events`."""
        before = position_of(cursor) if cursor else ("~", 0)
        with self._borrowed() as db:
            rows = db.execute(
                f"{_SUMMARY} WHERE (e.happened_at, e.rid) < (?, ?) ORDER BY e.happened_at DESC, e.rid DESC LIMIT ?",
                (*before, limit + 1),
            ).fetchall()
        shown = rows[:limit]
        more = cursor_of(shown[-1]["happened_at"], shown[-1]["rid"]) if len(rows) > limit else None
        return Page(summaries=tuple(as_summary(row) for row in shown), next_cursor=more)

    def summaries(self, event_ids: tuple[str, ...]) -> tuple[Summary, ...]:
        """See `Store.summaries`."""
        with self._borrowed() as db:
            rows = [db.execute(f"{_SUMMARY} WHERE e.event_id = ?", (name,)).fetchone() for name in event_ids]
        return tuple(as_summary(row) for row in rows if row)

    def user(self, user_id: str) -> Person | None:
        """See `Store.user`."""
        with self._borrowed() as db:
            known = db.execute("SELECT * FROM users WHERE user_id = ?", (user_id,)).fetchone()
            seen = db.execute(
                "SELECT count(*) AS events, min(happened_at) AS first, max(happened_at) AS last"
                " FROM events WHERE user_id = ?",
                (user_id,),
            ).fetchone()
        if known is None and not seen["events"]:
            return None
        moments = [seen["first"], seen["last"], *((known["first_seen"], known["last_seen"]) if known else ())]
        present = [moment for moment in moments if moment]
        return Person(
            user_id=user_id,
            traits=msgspec.json.decode(known["traits"]) if known else {},
            first_seen=min(present),
            last_seen=max(present),
            event_count=seen["events"],
        )

    def trace(self, trace_id: str) -> tuple[Span, ...]:
        """See `Store.trace`."""
        with self._borrowed() as db:
            return _spans(db.execute("SELECT * FROM spans WHERE trace_id = ?", (trace_id.lower(),)).fetchall())

    def counts(self) -> Counts:
        """See `Store.counts`."""
        with self._borrowed() as db:
            return Counts(**dict(db.execute(_COUNTS).fetchone()))

    def close(self) -> None:
        """See `Store.close`."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()
        if self._writer:
            self._writer.close()
        for _ in range(READERS if self._writer else 1):
            db = self._connections.get()
            if db:
                db.close()
        self._connections.put(None)

    @contextmanager
    def _borrowed(self) -> Generator[sqlite3.Connection]:
        db = self._connections.get()
        try:
            if db is None:
                raise StoreError("the store is closed")
            yield db
        finally:
            self._connections.put(db)

    def _write(self, work: Callable[[sqlite3.Connection], _Value]) -> Future[_Value]:
        """Send work to the writer's thread."""
        done: Future[_Value] = Future()
        with self._closing:
            if self._closed:
                done.set_exception(StoreError("the store is closed"))
            else:
                self._jobs.put((work, done))
        return done

    def _keep(self, db: sqlite3.Connection, batch: Batch) -> tuple[str, ...]:
        writer = BatchWriter(db)
        changed = writer.write(batch)
        # Whatever goes wrong in judging, what was sent is kept.
        judged = _attempt(db, lambda db: self._judging.judge(db, writer.written))
        if isinstance(judged, Exception):
            _log.warning("events were stored without being asked for rule signals: %r", judged)
        return changed

    def _write_until_closed(self) -> None:
        while (group := self._next_group()) is not None:
            with self._writing() as db:
                if group:
                    _commit(db, group)
                self._backfill.step(db, wake=bool(group))

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        if self._writer:
            yield self._writer
        else:
            with self._borrowed() as db:
                yield db

    def _next_group(self) -> list[_Job] | None:
        """What waits right now, at most `GROUP_LIMIT` jobs; None once closed and empty.

        While stored events wait to be judged, it does not wait for jobs.
        """
        try:
            first = self._jobs.get(block=not self._backfill.waiting)
        except queue.Empty:
            return []
        if first is None:
            return None
        group = [first]
        while len(group) < GROUP_LIMIT and not self._jobs.empty():
            job = self._jobs.get()
            if job is None:
                self._jobs.put(None)
                break
            group.append(job)
        return [(work, done) for work, done in group if done.set_running_or_notify_cancel()]


def _commit(db: sqlite3.Connection, group: list[_Job]) -> None:
    """All jobs in one transaction; one that fails is undone alone. Answers come after the commit."""
    answers: list[tuple[Future[Any], Any]] = []
    try:
        db.execute("BEGIN IMMEDIATE")
        for work, done in group:
            answers.append((done, _attempt(db, work)))
        db.execute("COMMIT")
    except sqlite3.Error as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        answers = [(done, error) for _, done in group]
    for done, answer in answers:
        if isinstance(answer, SignalError):
            done.set_exception(answer)
        elif isinstance(answer, BaseException):
            done.set_exception(StoreError(f"not stored: {answer}"))
        else:
            done.set_result(answer)


def _attempt(db: sqlite3.Connection, work: Callable[[sqlite3.Connection], Any]) -> Any:
    """What the work answers, or its error."""
    db.execute("SAVEPOINT attempt")
    try:
        answer = work(db)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must cost this job only
        db.execute("ROLLBACK TO attempt")
        db.execute("RELEASE attempt")
        return error
    db.execute("RELEASE attempt")
    return answer


def _story(db: sqlite3.Connection, row: sqlite3.Row) -> Story:
    key = {"event_id": row["event_id"]}
    signals = db.execute("SELECT * FROM signals WHERE event_id = :event_id ORDER BY id", key).fetchall()
    spans = _spans(db.execute(SPANS_OF_EVENT, key).fetchall())
    launcher = launched_by(db, row["event_id"], spans)
    return Story(
        event=as_dated_event(row),
        signals=_signals(signals),
        spans=spans,
        subagents=subagents(db, row["event_id"], spans),
        launched_by=launcher,
        state=state_of(db, row["event_id"], launcher.span_id) if launcher else None,
    )


def _signals(rows: list[sqlite3.Row]) -> tuple[Signal, ...]:
    return tuple(sorted((as_signal(row) for row in rows), key=lambda signal: signal.timestamp or ""))


def _spans(rows: list[sqlite3.Row]) -> tuple[Span, ...]:
    return tuple(sorted((as_span(row) for row in rows), key=lambda span: (span.start_time or "", span.span_id)))
