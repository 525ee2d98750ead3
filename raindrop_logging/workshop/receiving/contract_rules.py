"""The wire contract as tables of rules, for `--strict`: what a client may send, and the sentence that says so.

In: nothing.  Out: `RULES`, and a table of keys for each kind of object.  Touches: nothing.
`RULES` is the documentation; sections are those of the wire contract. `contract` holds bodies against these tables.

Allowed on purpose, as official clients do it: null for an optional field, one object in place of an array, a partial
that names nothing but its event, an event without an id, root spans, ids as hex or base64, unknown keys in OTLP.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from raindrop_logging.wire import MAX_EVENT_BYTES
from raindrop_logging.workshop.json_values import is_array, is_object

MAX_TEXT_CHARS: Final = 1_000_000


class Rule(msgspec.Struct, frozen=True):
    """One sentence of the contract: where it stands there, and what it asks."""

    section: str
    says: str


RULES: Final[Mapping[str, Rule]] = {
    "object": Rule("1-6", "A body is an object; only complete events, signals and users may come as an array of them."),
    "known_key": Rule("0", "Only keys of the contract are sent: the server's schema is closed."),
    "spelling": Rule("0", "Keys are spelled in snake_case, as the contract names them."),
    "required": Rule("1-6", "This field is required."),
    "text": Rule("1-6", "This field is text."),
    "filled_text": Rule("1-6", "This field is text that is not blank."),
    "long_text": Rule("7", f"A text of the AI part has at most {MAX_TEXT_CHARS:,} characters, its marker included."),
    "event_size": Rule("7", f"One event takes at most {MAX_EVENT_BYTES:,} bytes as UTF-8 JSON."),
    "time": Rule("0", "A time is ISO 8601 text with a zone, or a number of milliseconds since 1970."),
    "milliseconds": Rule("6", "The time of a live step is a whole number of milliseconds since 1970."),
    "json_object": Rule("1-4", "This field is an object."),
    "boolean": Rule("2", "This field is true or false."),
    "flags": Rule("0", "Feature flags are an object of texts."),
    "attachments": Rule("1", "Attachments are an array of objects, or null."),
    "attachment_type": Rule("1", "An attachment is code, text, image or iframe."),
    "attachment_role": Rule("1", "An attachment's role is input, output or context."),
    "uuid": Rule("1", "An attachment's id is a UUID."),
    "ai_text": Rule("1", "A complete AI event has an input or an output that is not empty."),
    "sentiment": Rule("3", "A sentiment is POSITIVE or NEGATIVE, in capitals; absent means NEGATIVE."),
    "signal_type": Rule("3", "A signal is default, standard, feedback, edit, agent or agent_internal."),
    "comment": Rule("3", "A signal of type feedback has properties.comment that is not blank."),
    "after": Rule("3", "A signal of type edit has properties.after."),
    "trace_property": Rule("5", "A trace named in properties is 32 lowercase hex characters."),
    "workspace": Rule("0", "properties.workspace has the texts id, name and root, all three."),
    "span_id": Rule(
        "5", "An id is hex or standard base64 of 16 bytes for a trace and 8 for a span, and not all zeros."
    ),
    "span_time": Rule("5", "A span has a start and an end in nanoseconds, and does not end before it starts."),
    "status": Rule("5", "A status code is a number: a code in words is read as unset."),
    "operation": Rule("5", "A span says what it is of AI; the server leaves out one that has no such attribute."),
    "live_span": Rule("6", "A tool's start and its result name their span."),
    "project": Rule("0", "A project is named by up to 63 lowercase letters, digits and inner hyphens."),
    "content_type": Rule("0", "A body is application/json; traces may also be application/x-protobuf."),
}
"""Every rule by its name."""


class Key(msgspec.Struct, frozen=True):
    """A key that an object may have: its rule, what keeps the rule, and whether the key must be there."""

    rule: str
    holds: Callable[[Any], bool]
    required: bool = False


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_filled(value: Any) -> bool:
    """Whether it is text that is not blank."""
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, which true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    if not isinstance(value, str):
        return _is_number(value)
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_flags(value: Any) -> bool:
    return is_object(value) and all(isinstance(flag, str) for flag in value.values())


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _is_objects(value: Any) -> bool:
    return is_array(value) and all(is_object(item) for item in value)


def _is_uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: value in words and isinstance(value, str)


TEXT: Final = Key("text", _is_text)
NAME: Final = Key("filled_text", is_filled)
NEEDED: Final = Key("filled_text", is_filled, required=True)
TIME: Final = Key("time", _is_time)
OBJECT: Final = Key("json_object", is_object)

AI_DATA: Final[Mapping[str, Key]] = {"model": TEXT, "input": TEXT, "output": TEXT, "convo_id": TEXT}

ATTACHMENT: Final[Mapping[str, Key]] = {
    "type": Key("attachment_type", _one_of("code", "text", "image", "iframe"), required=True),
    "value": Key("filled_text", lambda value: isinstance(value, str) and bool(value), required=True),
    "name": TEXT,
    "role": Key("attachment_role", _one_of("input", "output", "context")),
    "language": TEXT,
    "attachment_id": Key("uuid", _is_uuid),
}

PARTIAL: Final[Mapping[str, Key]] = {
    "event_id": NEEDED,
    "user_id": NAME,
    "event": NAME,
    "timestamp": TIME,
    "properties": OBJECT,
    "attachments": Key("attachments", _is_objects),
    "ai_data": OBJECT,
    "is_pending": Key("boolean", _is_boolean),
    "feature_flags": Key("flags", _is_flags),
    # What some official clients write beside `ai_data` instead of into it.
    "input": TEXT,
    "output": TEXT,
    "model": TEXT,
    "convo_id": TEXT,
}

EVENT: Final[Mapping[str, Key]] = {
    **{name: key for name, key in PARTIAL.items() if name not in AI_DATA},
    "event_id": NAME,
    "user_id": NEEDED,
    "event": NEEDED,
}

SIGNAL: Final[Mapping[str, Key]] = {
    "event_id": NEEDED,
    "signal_name": NEEDED,
    "signal_type": Key("signal_type", _one_of("default", "standard", "feedback", "edit", "agent", "agent_internal")),
    "sentiment": Key("sentiment", _one_of("POSITIVE", "NEGATIVE")),
    "timestamp": TIME,
    "properties": OBJECT,
    "attachment_id": TEXT,
}

USER: Final[Mapping[str, Key]] = {"user_id": NEEDED, "traits": OBJECT}

LIVE: Final[Mapping[str, Key]] = {
    "traceId": NEEDED,
    "type": NEEDED,
    "spanId": TEXT,
    "content": TEXT,
    "timestamp": Key("milliseconds", is_whole),
    "metadata": OBJECT,
}

ALIASES: Final[Mapping[str, str]] = {
    "eventId": "event_id", "userId": "user_id", "convoId": "convo_id", "event_name": "event", "eventName": "event",
    "aiData": "ai_data", "isPending": "is_pending", "featureFlags": "feature_flags", "signalName": "signal_name",
    "signalType": "signal_type", "attachmentId": "attachment_id", "trace_id": "traceId", "span_id": "spanId",
}  # fmt: skip
"""Other spellings of keys, and the contract's own."""

OPERATION: Final = re.compile(
    r"ai\.operationId$|traceloop\.span\.kind$|traceloop\.workflow\.name$|gen_ai\.|raindrop\.(span\.kind|event\.id)$"
    r"|traceloop\.association\.properties\.(event_id|user_id|convo_id)$"
)
"""Attributes of which a span has at least one."""
