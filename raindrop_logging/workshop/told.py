"""What the JSON API tells, as types: the OpenAPI document is made from them, and a test holds every answer to them.

In: nothing.  Out: types.  Touches: nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec

from raindrop_logging.workshop.handoffs import State
from raindrop_logging.workshop.records import Json


class ToldEvent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An event. `timestamp` is ISO 8601 in UTC with microseconds; an unknown field is null."""

    event_id: str
    user_id: str | None
    event: str | None
    model: str | None
    input: str | None
    output: str | None
    convo_id: str | None
    properties: dict[str, Any]
    attachments: list[dict[str, Any]]
    feature_flags: dict[str, str]
    timestamp: str | None
    is_pending: bool


class ToldSignal(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A judgement of an event."""

    name: str
    signal_type: str
    sentiment: str | None
    properties: dict[str, Any]
    attachment_id: str | None
    timestamp: str | None


class ToldSpan(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A span; ids are hex."""

    name: str
    kind: str
    status: str
    error: str | None
    input: str | None
    output: str | None
    start_time: str | None
    end_time: str | None
    trace_id: str
    span_id: str
    parent_id: str | None
    attributes: dict[str, Any]


class ToldLink(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The other end of a hand-off."""

    event_id: str
    name: str | None
    span_id: str | None


class ToldSubagent(ToldLink, kw_only=True, forbid_unknown_fields=True):
    """An event that was launched, and how far it is."""

    state: State


class ToldStory(ToldEvent, kw_only=True, forbid_unknown_fields=True):
    """One event with all that hangs on it."""

    signals: list[ToldSignal]
    spans: list[ToldSpan]
    subagents: list[ToldSubagent]
    launched_by: ToldLink | None


class ListedEvent(ToldEvent, kw_only=True, forbid_unknown_fields=True):
    """An event of a list, with how much hangs on it."""

    signal_count: int
    positive_count: int
    negative_count: int
    span_count: int
    error_count: int


class EventList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the list, newest first; `next_cursor` asks for what follows, null at the end."""

    events: list[ListedEvent]
    next_cursor: str | None


class ToldPerson(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A user."""

    user_id: str
    traits: dict[str, Any]
    first_seen: str | None
    last_seen: str | None
    event_count: int


class ToldTrace(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All spans of a trace, in order of their start."""

    trace_id: str
    spans: list[ToldSpan]


class Health(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What runs here, and how much it holds."""

    name: str
    version: str
    database: str
    strict: bool
    events: int
    signals: int
    signals_without_event: int
    spans: int
    users: int
    ignored_keys: dict[str, int]


class Refused(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Why a request was refused; `field` is null when it is not about a field.

    `rule` and `got` are there when a strict Workshop found the contract broken: the rule, and what stood there.
    """

    error: str
    message: str
    field: str | None
    rule: Json | None = None
    got: str | None = None
