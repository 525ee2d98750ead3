"""The store's narrow face: what the receiver, the API and the pages ask of whatever keeps the data.

One implementation exists (`sqlite.store`); another engine takes its place by filling this Protocol.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from raindrop_logging.errors import MissingExtraError, RaindropLoggingError
from raindrop_logging.workshop.answers import (
    FACETS,
    Conversation,
    Facet,
    FailingTool,
    Measure,
    Pruned,
    SavedFilter,
    Slice,
    Step,
    Timeline,
    ToolError,
    Trace,
)
from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.handoffs import Link, State, Subagent
from raindrop_logging.workshop.records import Batch, Event, Json, Signal, Span
from raindrop_logging.workshop.search.question import Found, Question

if TYPE_CHECKING:
    from concurrent.futures import Future

    from raindrop_logging.workshop.signals.store import SignalStore

MEMORY: Final = ":memory:"

ALL: Final = EventFilter()
"""Lets every event through."""

FACET_SECONDS: Final = 0.4
TIMELINE_SECONDS: Final = 2.0
"""How long such a question may take before it answers with what it has, marked partial."""

NAME: Final = "raindrop-logging workshop"
"""What `/api/health` answers as `name`, so that a second start recognises the first."""


class StoreError(RaindropLoggingError):
    """The database cannot be opened or used; the message names the file and what to do."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """An event in a list: itself, and what hangs on it.

    Signals are those that were sent and those that rules found, without what was marked wrong. `tools` are names, in
    alphabetical order, `SEVERAL` at most; `seconds` are from the first span's start to the last one's end.
    """

    event: Event
    signal_count: int = 0
    positive_count: int = 0
    negative_count: int = 0
    span_count: int = 0
    error_count: int = 0
    tools: tuple[str, ...] = ()
    seconds: float | None = None


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
    """How many of each the store holds.

    `signals_without_event` wait for their event, `unindexed` events for the search index.
    `database_bytes` is what the data takes, with room to grow.
    """

    events: int
    signals: int
    signals_without_event: int
    spans: int
    users: int


class Upkeep(msgspec.Struct, frozen=True, kw_only=True):
    """Where the store's own work stands.

    `unindexed` events wait for the search index; `database_bytes` is what the data takes, with room to grow.
    """

    unindexed: int
    database_bytes: int


class Store(Protocol):
    """Thread-safe. Reads block for milliseconds and belong off the event loop; what answers a future never blocks.

    A cursor leads to what follows in the same list with the same filter, whatever arrives meanwhile. One that this
    list did not make is a `QuestionError`.
    """

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

    def events(self, limit: int, cursor: str | None = None, where: EventFilter = ALL) -> Page:
        """Newest first.

        Raises:
            QuestionError: the cursor was not made by this list.
        """
        ...

    def summaries(self, event_ids: tuple[str, ...], where: EventFilter = ALL) -> tuple[Summary, ...]:
        """The named events that exist and pass, in the order named."""
        ...

    def facets(
        self, where: EventFilter = ALL, names: tuple[str, ...] = FACETS, top: int = 10, seconds: float = FACET_SECONDS
    ) -> tuple[Facet, ...]:
        """How many of the events that pass have which value, for each name, in the order named.

        Args:
            where: the filter.
            names: of `FACETS`, or ``property.KEY`` for one property.
            top: how many values of each, and how many keys of properties.
            seconds: when to stop counting all; what is not whole by then is counted over the newest events only.

        Raises:
            QuestionError: no such name.
        """
        ...

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
        """A measure of the events that pass, over time, at most the newest 1,000 buckets.

        Args:
            where: the filter; without `until` it ends with the present.
            by: the width of a bucket.
            measure: what is counted.
            split: one line for each value of this (`SPLITS` or ``property.KEY``), the `top` greatest.
            signal: for the measure ``signals``: only this one.
            top: how many lines.
            seconds: when to give up, which marks the answer `partial`.

        Raises:
            QuestionError: no such step, measure or split.
        """
        ...

    def conversations(self, limit: int, cursor: str | None = None, where: EventFilter = ALL) -> Slice[Conversation]:
        """Those with a turn that passes, the one with the newest such turn first."""
        ...

    def conversation(self, convo_id: str) -> Conversation | None:
        """One conversation as the list has it."""
        ...

    def turns(self, convo_id: str, limit: int, cursor: str | None = None) -> Slice[Summary]:
        """The events of a conversation in the order they happened, oldest first."""
        ...

    def users(self, limit: int, cursor: str | None = None, where: EventFilter = ALL) -> Slice[Person]:
        """Those with an event that passes, newest such event first; unfiltered also those who were only identified."""
        ...

    def traces(self, limit: int, cursor: str | None = None, where: EventFilter = ALL) -> Slice[Trace]:
        """Traces that no event owns, newest first.

        Raises:
            QuestionError: the filter holds what no such trace has; it knows `since`, `until`, `tool` and `error`.
        """
        ...

    def failing_tools(self, where: EventFilter = ALL, top: int = 50) -> tuple[FailingTool, ...]:
        """Tools of which calls failed, most failures first; the filter as for `tool_errors`."""
        ...

    def tool_errors(self, limit: int, cursor: str | None = None, where: EventFilter = ALL) -> Slice[ToolError]:
        """Tool calls that failed, newest first.

        `tool`, `since` and `until` are asked of the call itself, all else of its event; a call without an event
        passes only when nothing else is asked.
        """
        ...

    def scan(self, where: EventFilter = ALL) -> Iterator[Story]:
        """Every event that passes with all that hangs on it, oldest first, a few in memory at a time."""
        ...

    def search(self, question: Question) -> Found:
        """The events with a text or a pattern in their input or output.

        Raises:
            PatternError: the pattern is none; the message says why.
            QuestionError: the cursor was not made by a search.
        """
        ...

    def saved_filters(self) -> tuple[SavedFilter, ...]:
        """By name."""
        ...

    def save_filter(self, saved: SavedFilter) -> Future[None]:
        """Keep it, in place of one of the same name."""
        ...

    def delete_filter(self, name: str) -> Future[bool]:
        """Forget it; False when there was none."""
        ...

    def prune(self, keep: timedelta | None = None, max_bytes: int | None = None) -> Pruned:
        """Delete the oldest events, each whole, in small steps between which others write; blocks until it is done.

        Args:
            keep: events that happened longer ago go, and what has no event and is as old.
            max_bytes: the oldest go until the data takes no more than this.
        """
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

    def upkeep(self) -> Upkeep:
        """What the store has yet to do, and the room it takes."""
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
        MissingExtraError: the extra ``workshop`` is not installed.
    """
    try:
        from raindrop_logging.workshop.sqlite.store import SqliteStore
    except ModuleNotFoundError as error:
        if error.name == "regex":
            raise MissingExtraError("the Workshop", "regex", "workshop") from error
        raise

    if db is None:  # only the default's folder is made: one that is named and missing is a typing error
        default_path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqliteStore(MEMORY if str(db) == MEMORY else Path(db or default_path()).expanduser())
