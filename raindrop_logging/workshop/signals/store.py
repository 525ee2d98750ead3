"""What the API and the pages ask about signals: the part of the store's face that is about them.

`Store.signals` has it. A signal is known by its id: a rule's own, or ``instrumented:NAME`` for one that SDKs send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from raindrop_logging.workshop.records import Event
from raindrop_logging.workshop.signals.defaults import HEURISTIC, TOOL_ERROR
from raindrop_logging.workshop.signals.rules import Definition, Draft, Kind, Origin, Sentiment, State

if TYPE_CHECKING:
    from concurrent.futures import Future

PREVIEW_SECONDS: Final = 1.0
RATE_SECONDS: Final = 2.0
SAMPLES: Final = 10


class SignalInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A signal with its state and how well it does.

    `definition` is None for what SDKs send. `progress` is the share of stored events that were judged by this version,
    0 to 1. `hits` are events that have it, without those marked wrong. `right` and `wrong` are marks of present hits.
    """

    signal_id: str
    name: str
    kind: Kind
    origin: Origin
    description: str = ""
    sentiment: Sentiment | None = None
    enabled: bool = True
    state: State = "active"
    reason: str | None = None
    version: int = 1
    definition: Definition | None = None
    progress: float = 1.0
    hits: int = 0
    right: int = 0
    wrong: int = 0

    @property
    def label(self) -> str | None:
        """What to write beside it: that only word lists and patterns carry it."""
        return HEURISTIC if self.origin == "default" and self.signal_id != TOOL_ERROR else None

    @property
    def precision(self) -> float | None:
        """right / (right + wrong); None without marks."""
        marks = self.right + self.wrong
        return self.right / marks if marks else None


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One event that has a signal; `wrong` is None where nobody marked it. Times are ISO 8601 UTC.

    `place` is ``input``, ``output`` or ``tool_error``; it and `matched` (the text found there) are None for what SDKs
    send.
    """

    event: Event
    found_at: str
    place: str | None = None
    matched: str | None = None
    wrong: bool | None = None


class HitPage(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of hits, newest event first; `next_cursor` is None at the end."""

    hits: tuple[Hit, ...]
    next_cursor: str | None = None


class EventSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's hit on one event, for that event's page."""

    signal_id: str
    name: str
    origin: Origin
    sentiment: Sentiment | None
    place: str
    matched: str
    wrong: bool | None = None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a definition would find: `count` hits among the newest `scanned` of `events`.

    `complete` is False when the time was up first. `problem` says that the definition is too slow to be used.
    """

    count: int
    scanned: int
    events: int
    complete: bool
    samples: tuple[Hit, ...] = ()
    problem: str | None = None


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """`hits` of `events` whose day (``2026-11-27``), model, event or property is `value`; None: it has none."""

    value: str | None
    hits: int
    events: int

    @property
    def rate(self) -> float:
        """hits / events."""
        return self.hits / self.events if self.events else 0.0


class SignalStore(Protocol):
    """Thread-safe, like the store. What answers a future never blocks; its errors come with the result."""

    def all(self) -> tuple[SignalInfo, ...]:
        """Every signal: default ones, then users', then those that SDKs sent, each group by name."""
        ...

    def get(self, signal_id: str) -> SignalInfo | None:
        """One signal."""
        ...

    def of_event(self, event_id: str) -> tuple[EventSignal, ...]:
        """The rule signals that an event has, also those marked wrong, by name."""
        ...

    def create(self, draft: Draft) -> Future[str]:
        """Add a rule signal; stored events are judged in the background, newest first.

        Returns:
            its id; the future raises `InvalidRuleError`, or `SignalConflictError` when the name is taken.
        """
        ...

    def change(self, signal_id: str, draft: Draft) -> Future[None]:
        """Replace a rule signal. A new definition is a new version, and stored events are judged again.

        A signal that was paused or switched off starts again. Of a default signal only `enabled` can change.

        Returns:
            a future that raises `UnknownSignalError`, `InvalidRuleError` or `SignalConflictError`.
        """
        ...

    def delete(self, signal_id: str) -> Future[None]:
        """Take away a user's rule signal with its hits and marks.

        Returns:
            a future that raises `UnknownSignalError`, or `SignalConflictError` for any other signal.
        """
        ...

    def preview(self, definition: Definition, seconds: float = PREVIEW_SECONDS, samples: int = SAMPLES) -> Preview:
        """What it finds in stored events, newest first, as far as the time reaches.

        Raises:
            InvalidRuleError: it cannot be judged with.
        """
        ...

    def mark(self, signal_id: str, event_id: str, *, wrong: bool) -> Future[None]:
        """Say whether a hit is right; a wrong one no longer counts.

        Returns:
            a future that raises `UnknownSignalError` when the event has no such signal.
        """
        ...

    def unmark(self, signal_id: str, event_id: str) -> Future[None]:
        """Take a mark back; without one nothing happens."""
        ...

    def hits(self, signal_id: str, limit: int, cursor: str | None = None) -> HitPage:
        """Events that have it, newest first, also those marked wrong.

        Raises:
            QuestionError: the cursor was not made by this list.
        """
        ...

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
        """How many events have it, for each value: days in order, all else with most events first.

        Args:
            signal_id: whose hits.
            by: ``day``, ``model``, ``event`` or ``property.KEY``.
            since: ISO 8601 UTC, included.
            until: ISO 8601 UTC, not included.
            top: how many values; of days the newest.
            seconds: when to give up.

        Raises:
            QuestionError: no such way to group.
            TimeoutError: the time was up.
        """
        ...
