"""The store on SQLite: one writer thread, a pool of readers, and each question in a module of its own.

In: batches and questions, from any thread.  Out: futures and values.  Touches: the database file, one thread.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from raindrop_logging.workshop import times
from raindrop_logging.workshop.answers import FACETS, Pruned
from raindrop_logging.workshop.signals.store import SignalStore
from raindrop_logging.workshop.sqlite import cursors as sqlite_cursors
from raindrop_logging.workshop.sqlite import facets as sqlite_facets
from raindrop_logging.workshop.sqlite import failures as sqlite_failures
from raindrop_logging.workshop.sqlite import lists as sqlite_lists
from raindrop_logging.workshop.sqlite import people as sqlite_people
from raindrop_logging.workshop.sqlite import retention as sqlite_retention
from raindrop_logging.workshop.sqlite import saved as sqlite_saved
from raindrop_logging.workshop.sqlite import search as sqlite_search
from raindrop_logging.workshop.sqlite import search_index as sqlite_search_index
from raindrop_logging.workshop.sqlite import stories as sqlite_stories
from raindrop_logging.workshop.sqlite import timeseries as sqlite_timeseries
from raindrop_logging.workshop.sqlite import totals as sqlite_totals
from raindrop_logging.workshop.sqlite.backfill import Backfill
from raindrop_logging.workshop.sqlite.judging import Judging
from raindrop_logging.workshop.sqlite.schema import connect, prepare
from raindrop_logging.workshop.sqlite.signal_writes import keep_defaults
from raindrop_logging.workshop.sqlite.signals import SqliteSignals
from raindrop_logging.workshop.sqlite.writer import Writer, attempt
from raindrop_logging.workshop.sqlite.writes import BatchWriter
from raindrop_logging.workshop.store import ALL, FACET_SECONDS, TIMELINE_SECONDS, Counts, StoreError, Upkeep

if TYPE_CHECKING:
    from collections.abc import Generator
    from concurrent.futures import Future

    from raindrop_logging.workshop.answers import (
        Conversation,
        Facet,
        FailingTool,
        Measure,
        SavedFilter,
        Slice,
        Step,
        Timeline,
        ToolError,
        Trace,
    )
    from raindrop_logging.workshop.event_filter import EventFilter
    from raindrop_logging.workshop.records import Batch, Span
    from raindrop_logging.workshop.search.question import Found, Question
    from raindrop_logging.workshop.store import Page, Person, Story, Summary

_log: Final = logging.getLogger("raindrop_logging")

READERS: Final = 4
SCANNED: Final = 50
"""Stories in memory at a time during a scan."""

_UPKEEP: Final = """
SELECT (SELECT count(*) FROM search_queue) AS unindexed,
    (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size) AS database_bytes
"""
_Connections = queue.LifoQueue["sqlite3.Connection | None"]


class SqliteStore:
    """Fills `store.Store`; raises `StoreError` when the file cannot be used."""

    def __init__(self, location: Path | str) -> None:
        self.location = str(location)
        writing = prepare(location)
        self._readers: _Connections = queue.LifoQueue()
        self._writers: _Connections = self._readers
        # A database in memory lives in one connection: readers and writer take turns with it.
        if isinstance(location, Path):
            self._writers = queue.LifoQueue()
            for _ in range(READERS):
                self._readers.put(connect(location))
        self._writers.put(writing)
        backfill = Backfill()
        self._writer = Writer(
            partial(_borrowed, self._writers),
            chores=(sqlite_search_index.fill, backfill),
            # A new rule goes on through what is stored, one step a group, also while events never cease to come.
            pressing=(sqlite_search_index.catch_up, lambda db: backfill(db) and False),
        )
        self._judging = Judging()
        self._signals = SqliteSignals(self._reading, self._writer.submit)
        try:
            self._writer.submit(keep_defaults).result()
        except StoreError:
            self.close()
            raise

    @property
    def signals(self) -> SignalStore:
        """See `Store.signals`."""
        return self._signals

    def append(self, batch: Batch) -> Future[tuple[str, ...]]:
        """See `Store.append`."""
        return self._writer.submit(lambda db: self._keep(db, batch))

    def event(self, event_id: str) -> Story | None:
        """See `Store.event`."""
        with self._reading() as db:
            return sqlite_stories.event(db, event_id)

    def trace(self, trace_id: str) -> tuple[Span, ...]:
        """See `Store.trace`."""
        with self._reading() as db:
            return sqlite_stories.trace(db, trace_id)

    def scan(self, where: EventFilter = ALL) -> Iterator[Story]:
        """See `Store.scan`."""
        place: sqlite_cursors.Moment | None = sqlite_cursors.OLDEST
        while place:
            with self._reading() as db:
                stories, place = sqlite_stories.after(db, place, where, SCANNED)
            yield from stories

    def events(self, limit: int, cursor: str | None = None, where: EventFilter = ALL) -> Page:
        """See `Store.events`."""
        with self._reading() as db:
            return sqlite_lists.events(db, limit, cursor, where)

    def summaries(self, event_ids: tuple[str, ...], where: EventFilter = ALL) -> tuple[Summary, ...]:
        """See `Store.summaries`."""
        with self._reading() as db:
            return sqlite_lists.summaries(db, event_ids, where)

    def conversations(self, limit: int, cursor: str | None = None, where: EventFilter = ALL) -> Slice[Conversation]:
        """See `Store.conversations`."""
        with self._reading() as db:
            return sqlite_lists.conversations(db, limit, cursor, where)

    def conversation(self, convo_id: str) -> Conversation | None:
        """See `Store.conversation`."""
        with self._reading() as db:
            return sqlite_lists.conversation(db, convo_id)

    def turns(self, convo_id: str, limit: int, cursor: str | None = None) -> Slice[Summary]:
        """See `Store.turns`."""
        with self._reading() as db:
            return sqlite_lists.turns(db, convo_id, limit, cursor)

    def users(self, limit: int, cursor: str | None = None, where: EventFilter = ALL) -> Slice[Person]:
        """See `Store.users`."""
        with self._reading() as db:
            return sqlite_lists.users(db, limit, cursor, where)

    def user(self, user_id: str) -> Person | None:
        """See `Store.user`."""
        with self._reading() as db:
            return sqlite_people.person(db, user_id)

    def traces(self, limit: int, cursor: str | None = None, where: EventFilter = ALL) -> Slice[Trace]:
        """See `Store.traces`."""
        with self._reading() as db:
            return sqlite_failures.traces(db, limit, cursor, where)

    def tool_errors(self, limit: int, cursor: str | None = None, where: EventFilter = ALL) -> Slice[ToolError]:
        """See `Store.tool_errors`."""
        with self._reading() as db:
            return sqlite_failures.tool_errors(db, limit, cursor, where)

    def failing_tools(self, where: EventFilter = ALL, top: int = 50) -> tuple[FailingTool, ...]:
        """See `Store.failing_tools`."""
        with self._reading() as db:
            return sqlite_failures.failing_tools(db, where, top)

    def facets(
        self, where: EventFilter = ALL, names: tuple[str, ...] = FACETS, top: int = 10, seconds: float = FACET_SECONDS
    ) -> tuple[Facet, ...]:
        """See `Store.facets`."""
        with self._reading() as db:
            return sqlite_facets.facets(db, where, names, top, seconds)

    def timeseries(
        self,
        where: EventFilter = ALL,
        *,
        by: Step = "day",
        measure: Measure = "events",
        split: str | None = None,
        signal: str | None = None,
        top: int = 10,
        seconds: float = TIMELINE_SECONDS,
    ) -> Timeline:
        """See `Store.timeseries`."""
        with self._reading() as db:
            return sqlite_timeseries.timeseries(
                db, where, by=by, measure=measure, split=split, signal=signal, top=top, seconds=seconds
            )

    def search(self, question: Question) -> Found:
        """See `Store.search`."""
        with self._reading() as db:
            return sqlite_search.find(db, question)

    def counts(self) -> Counts:
        """See `Store.counts`."""
        with self._reading() as db:
            return Counts(**dict(db.execute(sqlite_totals.COUNTS).fetchone()))

    def upkeep(self) -> Upkeep:
        """See `Store.upkeep`."""
        with self._reading() as db:
            return Upkeep(**dict(db.execute(_UPKEEP).fetchone()))

    def saved_filters(self) -> tuple[SavedFilter, ...]:
        """See `Store.saved_filters`."""
        with self._reading() as db:
            return sqlite_saved.saved_filters(db)

    def save_filter(self, saved: SavedFilter) -> Future[None]:
        """See `Store.save_filter`."""
        return self._writer.submit(lambda db: sqlite_saved.save(db, saved))

    def delete_filter(self, name: str) -> Future[bool]:
        """See `Store.delete_filter`."""
        return self._writer.submit(lambda db: sqlite_saved.delete(db, name))

    def prune(self, keep: timedelta | None = None, max_bytes: int | None = None) -> Pruned:
        """See `Store.prune`."""
        return sqlite_retention.prune(self._writer.submit, times.ago(keep) if keep is not None else "", max_bytes)

    def close(self) -> None:
        """See `Store.close`."""
        if not self._writer.close():
            return
        for _ in range(READERS if self._writers is not self._readers else 0):
            _close(self._readers)
        _close(self._writers)
        self._readers.put(None)

    def _keep(self, db: sqlite3.Connection, batch: Batch) -> tuple[str, ...]:
        writer = BatchWriter(db)
        changed = writer.write(batch)
        # Whatever goes wrong in judging, what was sent is kept.
        judged = attempt(db, lambda db: self._judging.judge(db, writer.written))
        if isinstance(judged, Exception):
            _log.warning("events were stored without being asked for rule signals: %r", judged)
        return changed

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return _borrowed(self._readers)


@contextmanager
def _borrowed(connections: _Connections) -> Generator[sqlite3.Connection]:
    db = connections.get()
    try:
        if db is None:
            raise StoreError("the store is closed")
        yield db
    finally:
        connections.put(db)


def _close(connections: _Connections) -> None:
    db = connections.get()
    if db:
        db.close()
