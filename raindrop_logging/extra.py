"""Typed builders of ``extra``: autocomplete and type checks for the very dicts that one could write by hand.

    log.info("answered %s", order, extra=extra.ai(user_id="u1", event="chat", input=question, output=answer))

What is None is left out. Fields, units and rules are those of `raindrop_logging.vocabulary`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from raindrop_logging.vocabulary import (
    AttachmentDict,
    MessageDict,
    RecordType,
    Sentiment,
    SignalType,
    SpanKind,
)

Extra = dict[str, dict[str, Any]]
Time = str | datetime | float
"""ISO 8601 text, datetime, or seconds since 1970; without a zone it is UTC."""


def ai(
    *,
    event: str | None = None,
    user_id: str | None = None,
    input: str | None = None,  # noqa: A002 -- the vocabulary's own word
    output: str | None = None,
    model: str | None = None,
    convo_id: str | None = None,
    event_id: str | None = None,
    properties: Mapping[str, Any] | None = None,
    attachments: Sequence[AttachmentDict] | None = None,
    timestamp: Time | None = None,
    feature_flags: Mapping[str, str] | None = None,
) -> Extra:
    """A complete AI event; needs user_id and event (here or bound) and at least one of input and output."""
    return _block("ai", locals())


def event(
    *,
    event: str | None = None,
    user_id: str | None = None,
    event_id: str | None = None,
    properties: Mapping[str, Any] | None = None,
    attachments: Sequence[AttachmentDict] | None = None,
    timestamp: Time | None = None,
    feature_flags: Mapping[str, str] | None = None,
) -> Extra:
    """A plain product event; needs user_id and event, here or bound."""
    return _block("event", locals())


def begin(
    *,
    event: str | None = None,
    user_id: str | None = None,
    event_id: str | None = None,
    input: str | None = None,  # noqa: A002 -- the vocabulary's own word
    model: str | None = None,
    convo_id: str | None = None,
    properties: Mapping[str, Any] | None = None,
    attachments: Sequence[AttachmentDict] | None = None,
    timestamp: Time | None = None,
    feature_flags: Mapping[str, str] | None = None,
) -> Extra:
    """Opens an interaction; needs user_id and event, here or bound, and an event_id to go on with."""
    return _block("begin", locals())


def update(
    *,
    event_id: str | None = None,
    event: str | None = None,
    user_id: str | None = None,
    input: str | None = None,  # noqa: A002 -- the vocabulary's own word
    model: str | None = None,
    convo_id: str | None = None,
    properties: Mapping[str, Any] | None = None,
    attachments: Sequence[AttachmentDict] | None = None,
    timestamp: Time | None = None,
    feature_flags: Mapping[str, str] | None = None,
) -> Extra:
    """Changes the interaction event_id: properties merge, attachments are added, the rest replaces."""
    return _block("update", locals())


def finish(
    *,
    event_id: str | None = None,
    output: str | None = None,
    event: str | None = None,
    user_id: str | None = None,
    input: str | None = None,  # noqa: A002 -- the vocabulary's own word
    model: str | None = None,
    convo_id: str | None = None,
    properties: Mapping[str, Any] | None = None,
    attachments: Sequence[AttachmentDict] | None = None,
    timestamp: Time | None = None,
    feature_flags: Mapping[str, str] | None = None,
) -> Extra:
    """Closes the interaction event_id."""
    return _block("finish", locals())


def signal(
    *,
    name: str,
    event_id: str | None = None,
    signal_type: SignalType | None = None,
    sentiment: Sentiment | None = None,
    comment: str | None = None,
    after: str | None = None,
    attachment_id: str | None = None,
    properties: Mapping[str, Any] | None = None,
    timestamp: Time | None = None,
) -> Extra:
    """A judgement on the event event_id; without a sentiment Raindrop reads NEGATIVE, so say POSITIVE if it is."""
    return _block("signal", locals())


def identify(*, traits: Mapping[str, Any], user_id: str | None = None) -> Extra:
    """Traits of a user: names to texts, numbers or truth values."""
    return _block("identify", locals())


def span(
    *,
    kind: SpanKind,
    name: str,
    input: Any = None,  # noqa: A002 -- the vocabulary's own word
    output: Any = None,
    error: Any = None,
    start_time: Time | None = None,
    end_time: Time | None = None,
    duration_ms: float | None = None,
    version: int | None = None,
    properties: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
    event_id: str | None = None,
    user_id: str | None = None,
    event: str | None = None,
    convo_id: str | None = None,
    trace_id: str | None = None,
    span_id: str | None = None,
    parent_id: str | None = None,
    provider: str | None = None,
    model: str | None = None,
    messages: Sequence[MessageDict] | None = None,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    tools: Sequence[Any] | None = None,
) -> Extra:
    """One finished piece of work; durations are milliseconds, ids lowercase hex, tools what the model was offered."""
    return _block("span", locals())


def _block(record_type: RecordType, given: Mapping[str, Any]) -> Extra:
    return {"raindrop": {"type": record_type, **{key: value for key, value in given.items() if value is not None}}}
