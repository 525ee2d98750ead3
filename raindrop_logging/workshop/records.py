"""What the Workshop keeps: events, signals, users and spans, as frozen values.

One `Event` says what a single body knows, or all that is known after merging: an unknown field is None either way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

SCALARS: Final = ("user_id", "event", "model", "input", "output", "convo_id", "timestamp", "project_id")
"""The fields of an event that one value fills; a later value replaces an earlier one."""

LIVE: Final = "raindrop.live"
"""The attribute of a span that is known only from live steps."""

UNNAMED: Final = "tool"
"""The name of a tool whose start has not been told."""

Json = Mapping[str, Any]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event, or what one body says of it.

    `timestamp` is ISO 8601 in UTC with microseconds. `attachments` hold only the keys that were sent.
    """

    event_id: str
    user_id: str | None = None
    event: str | None = None
    model: str | None = None
    input: str | None = None
    output: str | None = None
    convo_id: str | None = None
    properties: Json = {}
    attachments: tuple[Json, ...] = ()
    feature_flags: Mapping[str, str] = {}
    timestamp: str | None = None
    is_pending: bool = False
    project_id: str | None = None

    @property
    def trace_id(self) -> str | None:
        """The trace this event claims as its own: `properties.trace_id`, 32 hex characters."""
        for key in ("trace_id", "$trace_id"):
            value = self.properties.get(key)
            if isinstance(value, str) and value:
                return value.lower()
        return None


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement of an event, which may arrive before the event itself."""

    event_id: str
    name: str
    signal_type: str = "default"
    sentiment: str | None = None
    timestamp: str | None = None
    properties: Json = {}
    attachment_id: str | None = None


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user's traits; each `identify` merges over the ones before.

    `first_seen` and `last_seen` are ISO 8601 in UTC with microseconds; None is now.
    """

    user_id: str
    traits: Json = {}
    first_seen: str | None = None
    last_seen: str | None = None


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A span as it is shown, with all its attributes beside what was read from them.

    `start_time` and `end_time` are ISO 8601 in UTC with microseconds; `about` is what the span's attributes say of
    the event it belongs to.
    """

    trace_id: str
    span_id: str
    name: str
    parent_id: str | None = None
    kind: str = "span"
    status: str = "ok"
    error: str | None = None
    input: str | None = None
    output: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    attributes: Json = {}
    events: tuple[Json, ...] = ()
    resource: Json = {}
    about: Event | None = None

    @property
    def event_id(self) -> str | None:
        """The event that the span belongs to."""
        return None if self.about is None else self.about.event_id


class LiveStep(msgspec.Struct, frozen=True, kw_only=True):
    """Something said while a turn runs; `tool` is the span that a tool's start or result stands for until its own."""

    trace_id: str
    span_id: str | None
    type: str
    content: str | None
    timestamp: str
    metadata: Json = {}
    about: Event | None = None
    tool: Span | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one request brought; it is stored whole or not at all.

    `of_traces` are events known only by their trace (their `event_id` holds the trace id). `ignored` counts the
    top-level keys that the contract does not know, by name.
    """

    events: tuple[Event, ...] = ()
    of_traces: tuple[Event, ...] = ()
    signals: tuple[Signal, ...] = ()
    users: tuple[User, ...] = ()
    spans: tuple[Span, ...] = ()
    steps: tuple[LiveStep, ...] = ()
    ignored: Mapping[str, int] = {}
