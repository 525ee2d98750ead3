"""What the JSON API tells, as types: the answers are made of them, and the OpenAPI document is made from them.

In: what the store answers.  Out: values for JSON.  Touches: nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

from raindrop_logging.workshop import chat
from raindrop_logging.workshop.answers import Facet, FailingTool, Measure, SavedFilter, Step, Trace
from raindrop_logging.workshop.handoffs import State
from raindrop_logging.workshop.records import Event, Json, LiveStep, Signal
from raindrop_logging.workshop.search.question import Part, Side
from raindrop_logging.workshop.signals.details import EditPart, comment, edited
from raindrop_logging.workshop.signals.store import EventSignal
from raindrop_logging.workshop.store import Story, Summary

PREVIEW_CHARS: Final = 300
"""Longest input or output in a preview; the event itself has all of it."""

COUNTS: Final = ("signal_count", "positive_count", "negative_count", "span_count", "error_count")

_Told = TypeVar("_Told", bound=msgspec.Struct)


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
    project_id: str | None


class ToldSignal(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A judgement of an event."""

    name: str
    signal_type: str
    sentiment: str | None
    properties: dict[str, Any]
    attachment_id: str | None
    timestamp: str | None


class ToldSentSignal(ToldSignal, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A signal that was sent for an event; `comment` and `edit` are there only when it has them."""

    comment: str | None = None
    edit: list[EditPart] = []


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

    signals: list[ToldSentSignal]
    spans: list[ToldSpan]
    subagents: list[ToldSubagent]
    launched_by: ToldLink | None
    rule_signals: list[EventSignal]


class ListedEvent(ToldEvent, kw_only=True, forbid_unknown_fields=True):
    """An event of a list, with how much hangs on it."""

    signal_count: int
    positive_count: int
    negative_count: int
    span_count: int
    error_count: int


class PreviewedEvent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An event without its properties and attachments; long texts are cut."""

    event_id: str
    user_id: str | None
    event: str | None
    model: str | None
    input: str | None
    output: str | None
    convo_id: str | None
    timestamp: str | None
    is_pending: bool
    project_id: str | None
    signal_count: int
    positive_count: int
    negative_count: int
    span_count: int
    error_count: int


class SearchHit(PreviewedEvent, kw_only=True, forbid_unknown_fields=True):
    """An event that was found, with excerpts of its texts."""

    excerpts: dict[Side, list[Part]]


class SearchAnswer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A stretch of what was found.

    `partial`: the time was up, or only the newest events with a common word were ranked. `unindexed` events were not in
    the index yet.
    """

    hits: list[SearchHit]
    next_cursor: str | None
    partial: bool
    ranked: bool
    unindexed: int


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


class UserList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the list of users."""

    users: list[ToldPerson]
    next_cursor: str | None


class TraceList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the list of traces without an event."""

    traces: list[Trace]
    next_cursor: str | None


class ToldConversation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A conversation, summed over its turns; `latest` is its newest turn that was asked for."""

    convo_id: str
    latest: ToldEvent
    opening: str | None
    first_at: str
    last_at: str
    turn_count: int
    models: list[str]
    user_ids: list[str]
    signal_count: int
    negative_count: int
    error_count: int
    pending_count: int


class ConversationList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the list of conversations."""

    conversations: list[ToldConversation]
    next_cursor: str | None


class ToldTurns(ToldConversation, kw_only=True, forbid_unknown_fields=True):
    """A conversation and a stretch of its turns, oldest first."""

    turns: list[ListedEvent]
    next_cursor: str | None


class ToldToolError(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A tool call that failed, and the event it belongs to."""

    span: ToldSpan
    event: ToldEvent | None


class ToolErrorList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the list of tool calls that failed."""

    errors: list[ToldToolError]
    next_cursor: str | None


class FailingTools(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Tools of which calls failed, most failures first."""

    tools: list[FailingTool]


class FacetList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Facets, in the order asked for."""

    facets: list[Facet]


class ToldLine(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One line of a chart; `rates` are `counts` over `of`, null where there is nothing to share."""

    name: str | None
    counts: list[int]
    of: list[int]
    rates: list[float | None]


class ToldTimeline(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Lines over the same buckets; `starts` says when each begins, `others` counts the lines that are not told."""

    by: Step
    measure: Measure
    starts: list[str]
    lines: list[ToldLine]
    others: int
    partial: bool


class ToldFilter(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A filter that was saved."""

    name: str
    query: str


class FilterList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The saved filters."""

    filters: list[SavedFilter]


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
    unindexed: int
    database_bytes: int
    started_at: str
    received_bodies: int
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


def told(value: Any, shape: type[_Told]) -> _Told:
    """The fields of a record that the API tells."""
    return msgspec.convert(value, shape, from_attributes=True)


def story(found: Story, rule_signals: Sequence[EventSignal] = ()) -> ToldStory:
    """One event with its signals, spans and hand-offs."""
    return ToldStory(
        **msgspec.structs.asdict(told(found.event, ToldEvent)),
        signals=[_sent(signal, found.event) for signal in found.signals],
        spans=[told(span, ToldSpan) for span in found.spans],
        subagents=[
            ToldSubagent(**msgspec.structs.asdict(told(subagent.link, ToldLink)), state=subagent.state)
            for subagent in found.subagents
        ],
        launched_by=told(found.launched_by, ToldLink) if found.launched_by else None,
        rule_signals=list(rule_signals),
    )


def _sent(signal: Signal, event: Event) -> ToldSentSignal:
    said = msgspec.structs.asdict(told(signal, ToldSignal))
    return ToldSentSignal(**said, comment=comment(signal), edit=list(edited(signal, event.output)))


def listed(summary: Summary) -> ListedEvent:
    """One event of a list, with how much hangs on it."""
    counts = {name: getattr(summary, name) for name in COUNTS}
    return ListedEvent(**msgspec.structs.asdict(told(summary.event, ToldEvent)), **counts)


def previewed(summary: Summary) -> PreviewedEvent:
    """One event for the stream and for search: a list of messages is told by its last text, long texts are cut."""
    whole = listed(summary)
    said: dict[str, Any] = {name: getattr(whole, name) for name in PreviewedEvent.__struct_fields__}
    cut: dict[str, Any] = {
        name: chat.gist(said[name], role)[:PREVIEW_CHARS] for name, role in _ROLES.items() if said[name] is not None
    }
    return PreviewedEvent(**said | cut)


_ROLES: Final = {"input": "user", "output": "assistant"}


def step(said: LiveStep) -> dict[str, Any]:
    """What was said of a running turn, and of which event."""
    keys = ("trace_id", "span_id", "type", "content", "timestamp", "metadata")
    return {
        "event_id": said.about.event_id if said.about else None,
        **{name: getattr(said, name) for name in keys},
    }
