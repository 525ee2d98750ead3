"""The store's narrow face: what the receiver, the API and the pages ask of whatever keeps the data.

One implementation exists (`sqlite_store`); another engine takes its place by filling this Protocol.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from raindrop_logging.errors import RaindropLoggingError
from raindrop_logging.workshop.handoffs import Link, State, Subagent
from raindrop_logging.workshop.records import Batch, Event, Json, Signal, Span

if TYPE_CHECKING:
    from concurrent.futures import Future

    from raindrop_logging.workshop.signal_store import SignalStore

MEMORY: Final = ":memory:"

NAME: Final = "raindrop-logging workshop"
"""What `/api/health` answers as `name`, so that a second start recognises the first."""


class StoreError(RaindropLoggingError):
    """The database cannot be opened or used; the message names the file and what to do."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """An event in a list: itself, and how much hangs on it."""

    event: Event
    signal_count: int = 0
    positive_count: int = 0
    negative_count: int = 0
    span_count: int = 0
    error_count: int = 0


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the list, newest first; `next_cursor` is None at its end."""

    summaries: tuple[Summary, ...]
    next_cursor: str | None = None


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one event: signals in order of time, spans in order of start.

    `subagents` are the events it launched. `launched_by` and `state` are set when it is itself a sub-agent.
    """

    event: Event
    signals: tuple[Signal, ...] = ()
    spans: tuple[Span, ...] = ()
    subagents: tuple[Subagent, ...] = ()
    launched_by: Link | None = None
    state: State | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A user: traits, and the sum of their events. Times are ISO 8601 UTC."""

    user_id: str
    traits: Json
    first_seen: str | None
    last_seen: str | None
    event_count: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many of each the store holds; `signals_without_event` wait for their event."""

    events: int
    signals: int
    signals_without_event: int
    spans: int
    users: int


class Store(Protocol):
    """Thread-safe. Reads block for milliseconds and belong off the event loop; `append` never blocks."""

    @property
    def location(self) -> str:
        """Where the data is, for people: a path, or ``:memory:``."""
        ...

    def append(self, batch: Batch) -> Future[tuple[str, ...]]:
        """Keep a whole batch or none of it.

        Returns:
            a future that is done once the batch is durable; its result names the events that changed.
        """
        ...

    @property
    def signals(self) -> SignalStore:
        """All that is asked about signals, and what is found by rules."""
        ...

    def event(self, event_id: str) -> Story | None:
        """An event by its id, or by the id of a trace that is its own."""
        ...

    def events(self, limit: int, cursor: str | None = None) -> Page:
        """Newest first.

        Raises:
            ValueError: the cursor was not made by this store.
        """
        ...

    def summaries(self, event_ids: tuple[str, ...]) -> tuple[Summary, ...]:
        """The named events that exist, in the order named."""
        ...

    def user(self, user_id: str) -> Person | None:
        """A user who was identified, or who has events."""
        ...

    def trace(self, trace_id: str) -> tuple[Span, ...]:
        """All spans of a trace in order of start, whether or not an event owns them."""
        ...

    def counts(self) -> Counts:
        """How much there is."""
        ...

    def close(self) -> None:
        """Finish what was appended, then let go. Calling it again does nothing."""
        ...


def default_path() -> Path:
    """`raindrop-logging/workshop.db` in the user's data directory (XDG base directory specification)."""
    data = os.environ.get("XDG_DATA_HOME", "")
    home = Path(data) if Path(data).is_absolute() else Path.home() / ".local" / "share"
    return home / "raindrop-logging" / "workshop.db"


def open_store(db: str | os.PathLike[str] | None = None) -> Store:
    """Open the store, making it when it is new.

    Args:
        db: a path, ``":memory:"`` (gone when closed), or None for `default_path`.

    Raises:
        StoreError: no such file can be made or opened, it is no database, or a newer version wrote it.
    """
    from raindrop_logging.workshop.sqlite_store import SqliteStore

    if db is None:  # only the default's folder is made: one that is named and missing is a typing error
        default_path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqliteStore(MEMORY if str(db) == MEMORY else Path(db or default_path()).expanduser())
