"""The store's questions and changes about signals, on SQLite.

In: a way to read and a way to write.  Out: what `signals.store.SignalStore` promises.  Touches: both.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from raindrop_logging.workshop.signals.rules import Definition, Draft, Rule, checked_definition
from raindrop_logging.workshop.signals.store import (
    PREVIEW_SECONDS,
    RATE_SECONDS,
    SAMPLES,
    EventSignal,
    HitPage,
    Preview,
    Rate,
    SignalInfo,
)
from raindrop_logging.workshop.sqlite.deadline import OutOfTimeError, within
from raindrop_logging.workshop.sqlite.preview import Scan
from raindrop_logging.workshop.sqlite.rates import grouping, rates
from raindrop_logging.workshop.sqlite.signal_lists import hit_page, information, of_event, query_of
from raindrop_logging.workshop.sqlite.signal_writes import change, create, delete, mark, unmark

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

_Value = TypeVar("_Value")


class Write(Protocol):
    """Runs work on the writer's connection, in a transaction of its own or of others."""

    def __call__(self, work: Callable[[sqlite3.Connection], _Value], /) -> Future[_Value]:
        """The future is done once the work is durable."""
        ...


class SqliteSignals:
    """Fills `signals.store.SignalStore`.

    Args:
        read: lends a connection.
        write: sends work to the writer.
    """

    def __init__(self, read: Callable[[], AbstractContextManager[sqlite3.Connection]], write: Write) -> None:
        self._read = read
        self._write = write

    def all(self) -> tuple[SignalInfo, ...]:
        """See `SignalStore.all`."""
        with self._read() as db:
            return information(db)

    def get(self, signal_id: str) -> SignalInfo | None:
        """See `SignalStore.get`."""
        with self._read() as db:
            return next(iter(information(db, signal_id)), None)

    def of_event(self, event_id: str) -> tuple[EventSignal, ...]:
        """See `SignalStore.of_event`."""
        with self._read() as db:
            return of_event(db, event_id)

    def create(self, draft: Draft) -> Future[str]:
        """See `SignalStore.create`."""
        return self._write(lambda db: create(db, draft))

    def change(self, signal_id: str, draft: Draft) -> Future[None]:
        """See `SignalStore.change`."""
        return self._write(lambda db: change(db, signal_id, draft))

    def delete(self, signal_id: str) -> Future[None]:
        """See `SignalStore.delete`."""
        return self._write(lambda db: delete(db, signal_id))

    def mark(self, signal_id: str, event_id: str, *, wrong: bool) -> Future[None]:
        """See `SignalStore.mark`."""
        return self._write(lambda db: mark(db, signal_id, event_id, wrong=wrong))

    def unmark(self, signal_id: str, event_id: str) -> Future[None]:
        """See `SignalStore.unmark`."""
        return self._write(lambda db: unmark(db, signal_id, event_id))

    def preview(self, definition: Definition, seconds: float = PREVIEW_SECONDS, samples: int = SAMPLES) -> Preview:
        """See `SignalStore.preview`."""
        checked_definition(definition)
        rule = Rule(signal_id="preview", version=1, draft=Draft(name="preview", definition=definition))
        return Scan(self._read, rule, samples).run(time.monotonic() + seconds)

    def hits(self, signal_id: str, limit: int, cursor: str | None = None) -> HitPage:
        """See `SignalStore.hits`."""
        with self._read() as db:
            return hit_page(db, signal_id, limit, cursor)

    def rates(
        self,
        signal_id: str,
        by: str = "day",
        *,
        since: str | None = None,
        until: str | None = None,
        top: int = 50,
        seconds: float = RATE_SECONDS,
    ) -> tuple[Rate, ...]:
        """See `SignalStore.rates`."""
        grouping(by)
        hits, known = query_of(signal_id)
        try:
            with self._read() as db, within(db, seconds):
                return rates(db, hits, known, by, since=since, until=until, top=top)
        except OutOfTimeError:
            raise TimeoutError(f"there was no answer within {seconds:g} s: ask for less time") from None
