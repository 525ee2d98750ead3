"""One event as the JSON API tells it: whole with all that hangs on it, in a list, in a preview, while it runs.

In: what the store and the live feed answer.  Out: values for JSON.  Touches: nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from raindrop_logging.workshop import chat
from raindrop_logging.workshop.api.schemas.conversion import told
from raindrop_logging.workshop.handoffs import State
from raindrop_logging.workshop.records import LiveStep
from raindrop_logging.workshop.signals.details import EditPart, comment, edited
from raindrop_logging.workshop.signals.store import EventSignal
from raindrop_logging.workshop.store import Story, Summary

PREVIEW_CHARS: Final = 300
"""Longest input or output in a preview; the event itself has all of it."""

_HANGS_ON: Final = ("signal_count", "positive_count", "negative_count", "span_count", "error_count", "tools", "seconds")
_ROLES: Final = {"input": "user", "output": "assistant"}
_STEP: Final = ("trace_id", "span_id", "type", "content", "timestamp", "metadata")


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


class ToldTrace(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All spans of a trace, in order of their start."""

    trace_id: str
    spans: list[ToldSpan]


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
    tools: list[str]
    seconds: float | None


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
    tools: list[str]
    seconds: float | None


def story(found: Story, rule_signals: Sequence[EventSignal] = ()) -> ToldStory:
    """One event with its signals, spans and hand-offs."""
    output = found.event.output
    return told(
        found.event,
        ToldStory,
        signals=[
            told(signal, ToldSentSignal, comment=comment(signal), edit=edited(signal, output))
            for signal in found.signals
        ],
        spans=found.spans,
        subagents=[told(subagent.link, ToldSubagent, state=subagent.state) for subagent in found.subagents],
        launched_by=found.launched_by,
        rule_signals=rule_signals,
    )


def listed(summary: Summary) -> ListedEvent:
    """One event of a list, with how much hangs on it."""
    return told(summary.event, ListedEvent, **_beside(summary))


def previewed(summary: Summary) -> PreviewedEvent:
    """One event for the stream and for search: a list of messages is told by its last text, long texts are cut."""
    texts = {name: _preview(getattr(summary.event, name), role) for name, role in _ROLES.items()}
    return told(summary.event, PreviewedEvent, **texts, **_beside(summary))


def _preview(text: str | None, role: str) -> str | None:
    return text if text is None else chat.gist(text, role)[:PREVIEW_CHARS]


def _beside(summary: Summary) -> dict[str, Any]:
    return {name: getattr(summary, name) for name in _HANGS_ON}


def step(said: LiveStep) -> dict[str, Any]:
    """What was said of a running turn, and of which event."""
    about = {"event_id": said.about.event_id if said.about else None}
    return about | {name: getattr(said, name) for name in _STEP}
