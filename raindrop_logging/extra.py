"""Typed builders of ``extra``: autocomplete and type checks for the very dicts that one could write by hand.

    log.info("answered %s", order, extra=extra.ai(user_id="u1", event="chat", input=question, output=answer))

What is None is left out. Fields, units and rules are those of `raindrop_logging.vocabulary`; like every block, one that
breaks a rule is counted and named where it is sent, and never raises here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from raindrop_logging.vocabulary import (
    AiDict,
    BeginDict,
    EventDict,
    FinishDict,
    IdentifyDict,
    RecordType,
    SignalDict,
    SpanDict,
    UpdateDict,
)

Extra = dict[str, dict[str, Any]]


def ai(**fields: Unpack[AiDict]) -> Extra:
    """A complete AI event; needs user_id and event (here or bound) and at least one of input and output."""
    return _block("ai", fields)


def event(**fields: Unpack[EventDict]) -> Extra:
    """A plain product event; needs user_id and event, here or bound."""
    return _block("event", fields)


def begin(**fields: Unpack[BeginDict]) -> Extra:
    """Opens an interaction; needs user_id and event, here or bound, and an event_id to go on with."""
    return _block("begin", fields)


def update(**fields: Unpack[UpdateDict]) -> Extra:
    """Changes the interaction event_id: properties merge, attachments are added, the rest replaces."""
    return _block("update", fields)


def finish(**fields: Unpack[FinishDict]) -> Extra:
    """Closes the interaction event_id."""
    return _block("finish", fields)


def signal(**fields: Unpack[SignalDict]) -> Extra:
    """A judgement on the event event_id; without a sentiment Raindrop reads NEGATIVE, so say POSITIVE if it is."""
    return _block("signal", fields)


def identify(**fields: Unpack[IdentifyDict]) -> Extra:
    """Traits of a user: names to texts, numbers or truth values."""
    return _block("identify", fields)


def span(**fields: Unpack[SpanDict]) -> Extra:
    """One finished piece of work; durations are milliseconds, ids lowercase hex, tools what the model was offered."""
    return _block("span", fields)


def _block(record_type: RecordType, fields: Mapping[str, Any]) -> Extra:
    said = {key: value for key, value in fields.items() if value is not None}
    return {"raindrop": {**said, "type": record_type}}
