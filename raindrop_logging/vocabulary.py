"""Every word that ``extra={"raindrop": {...}}`` may use: the eight record types, their fields and their rules.

Source of the types and fields: the design's section on record types, which follows the official SDKs; the wire names
they become are the encoder's business. One msgspec Struct a type is the single truth: validation, the JSON Schema
(``raindrop-logging schema``) and the error texts are all read from it. The TypedDicts beside them are the same shapes
for type checkers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Required, TypedDict, get_args

import msgspec
from msgspec import Meta, Struct

from raindrop_logging.errors import InvalidBlockError, did_you_mean

RecordType = Literal["ai", "event", "begin", "update", "finish", "signal", "identify", "span"]
RECORD_TYPES: Final[tuple[RecordType, ...]] = get_args(RecordType)

AttachmentType = Literal["code", "text", "image", "iframe"]
AttachmentRole = Literal["input", "output", "context"]
SignalType = Literal["default", "standard", "feedback", "edit", "agent", "agent_internal"]
Sentiment = Literal["POSITIVE", "NEGATIVE"]
SpanKind = Literal["workflow", "task", "tool", "llm", "trace"]

EventId = Annotated[str, Meta(min_length=1, description="Names one event; made when absent.")]
UserId = Annotated[str, Meta(min_length=1, description="Who the interaction belongs to.")]
EventName = Annotated[str, Meta(min_length=1, description="Name of the event, such as `chat`.")]
Text = Annotated[str, Meta(description="Free text; shortened past `max_text_chars`, redacted if asked.")]
Name = Annotated[str, Meta(min_length=1)]
Properties = Annotated[dict[Any, Any], Meta(description="Any keys and values; what JSON cannot say becomes text.")]
Timestamp = Annotated[
    Any, Meta(description="ISO 8601 text, datetime, or seconds since 1970; without a zone it is UTC.")
]
TraceId = Annotated[
    str, Meta(pattern="^(?!0{32})[0-9a-f]{32}$", description="32 lowercase hex digits, not all of them zero.")
]
SpanId = Annotated[
    str, Meta(pattern="^(?!0{16})[0-9a-f]{16}$", description="16 lowercase hex digits, not all of them zero.")
]
Tokens = Annotated[int, Meta(ge=0, le=2**63 - 1)]


SUMMARY_FIELDS = (
    "type",
    "kind",
    "name",
    "event",
    "event_id",
    "user_id",
    "convo_id",
    "model",
    "signal_type",
    "sentiment",
)
"""Fields of a block that a summary shows: names and ids, nothing that a person has written."""


class Attachment(Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Context from the user, or what the model put out: a document, an image, code, a whole page."""

    type: AttachmentType = "text"
    value: Annotated[str, Meta(min_length=1, description="The content or its URL.")]
    name: str | None = None
    role: AttachmentRole | None = None
    language: str | None = None
    attachment_id: str | None = None


class Message(Struct, kw_only=True, gc=False):
    """One message of a model's prompt; content is text, or the provider's own parts."""

    role: Name
    content: Any = None
    name: Any = None
    tool_calls: Any = None
    tool_call_id: Any = None


class Block(Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What every record type may say; made of plain values, so no block can be part of a cycle."""

    record_type: ClassVar[RecordType]
    """What it is, whether or not its ``type`` says so."""

    type: RecordType | None = None


class _Told(Block, gc=False):
    """What every record about an event may say."""

    event_id: EventId | None = None
    user_id: UserId | None = None
    event: EventName | None = None
    properties: Properties | None = None
    attachments: list[Attachment] | None = None
    timestamp: Timestamp = None
    feature_flags: Annotated[dict[str, str], Meta(description="Flag name to variant.")] | None = None


class Event(_Told, gc=False):
    """A plain product event."""

    record_type: ClassVar[RecordType] = "event"


class Begin(_Told, gc=False):
    """Opens an interaction."""

    record_type: ClassVar[RecordType] = "begin"

    input: Text | None = None
    model: str | None = None
    convo_id: str | None = None


class Update(Begin, gc=False):
    """Changes an open interaction: properties merge, attachments are added."""

    record_type: ClassVar[RecordType] = "update"


class Finish(Begin, gc=False):
    """Closes an interaction."""

    record_type: ClassVar[RecordType] = "finish"

    output: Text | None = None


class Ai(Finish, gc=False):
    """A complete AI event: one question, one answer."""

    record_type: ClassVar[RecordType] = "ai"


class Signal(Block, gc=False):
    """A judgement on an event: feedback, an edit, a thumb."""

    record_type: ClassVar[RecordType] = "signal"

    event_id: EventId | None = None
    name: Name | None = None
    signal_type: SignalType = "default"
    sentiment: Annotated[Sentiment, Meta(description="Absent, Raindrop reads NEGATIVE.")] | None = None
    comment: Annotated[str, Meta(description="Needed by `feedback`; becomes `properties.comment`.")] | None = None
    after: Annotated[str, Meta(description="Needed by `edit`; becomes `properties.after`.")] | None = None
    attachment_id: str | None = None
    properties: Properties | None = None
    timestamp: Timestamp = None


class Identify(Block, gc=False):
    """Traits of a user."""

    record_type: ClassVar[RecordType] = "identify"

    user_id: UserId | None = None
    traits: Annotated[dict[Any, Any], Meta(description="Trait name to text, number or truth value.")] | None = None


class Span(Block, gc=False):
    """One finished piece of work inside an interaction."""

    record_type: ClassVar[RecordType] = "span"

    kind: SpanKind | None = None
    name: Name | None = None
    input: Any = None
    output: Any = None
    error: Annotated[Any, Meta(description="Message of the failure, or {type, message, stack}.")] = None
    start_time: Timestamp = None
    end_time: Timestamp = None
    duration_ms: Annotated[float, Meta(ge=0, le=1e12)] | None = None
    version: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    properties: Properties | None = None
    attributes: Annotated[dict[str, Any], Meta(description="OpenTelemetry attributes, sent as they are.")] | None = None
    event_id: EventId | None = None
    user_id: UserId | None = None
    event: EventName | None = None
    convo_id: str | None = None
    trace_id: TraceId | None = None
    span_id: SpanId | None = None
    parent_id: SpanId | None = None
    provider: str | None = None
    model: str | None = None
    messages: list[Message] | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    tools: list[Any] | None = None


STRUCTS: Final[dict[RecordType, type[Block]]] = {
    "ai": Ai,
    "event": Event,
    "begin": Begin,
    "update": Update,
    "finish": Finish,
    "signal": Signal,
    "identify": Identify,
    "span": Span,
}

REQUIRED: Final[dict[RecordType, tuple[str, ...]]] = {
    "ai": ("user_id", "event"),
    "event": ("user_id", "event"),
    "begin": ("user_id", "event"),
    "update": ("event_id",),
    "finish": ("event_id",),
    "signal": ("event_id", "name"),
    "identify": ("user_id", "traits"),
    "span": ("kind", "name"),
}
"""Keys that must be there once the bound context and the handler's defaults are merged in."""

LLM_ONLY: Final = ("provider", "messages", "input_tokens", "output_tokens", "tools")
SIGNAL_TEXT: Final[dict[str, str]] = {"feedback": "comment", "edit": "after"}
"""Signal types that need a text, and the key that holds it (wire contract: signals)."""

DECIDING_KEYS: Final[dict[str, RecordType]] = {
    "kind": "span",
    "traits": "identify",
    "input": "ai",
    "output": "ai",
    "model": "ai",
}
_SPAN_KEYS_TOO: Final = frozenset({"input", "output", "model"})

_SHOWN: Final = frozenset({"type", "kind", "sentiment", "signal_type", "role", "timestamp", "start_time", "end_time"})
_LATEST: Final = 9_214_646_400.0
"""2262-01-01 in seconds since 1970: nanoseconds in 64 bits, as OpenTelemetry counts, end later in that year. A number
of milliseconds is beyond it since April 1970."""


# ---- the type of a block -------------------------------------------------------------------------------------------


def type_by_keys(keys: Sequence[str] | Mapping[str, Any]) -> RecordType:
    """The record type that a block's own keys say, where neither ``type`` nor the message names one.

    Raises:
        InvalidBlockError: no key decides, or two disagree.
    """
    said: dict[RecordType, str] = {DECIDING_KEYS[key]: key for key in DECIDING_KEYS if key in keys}
    if "kind" in keys:
        said = {kind: key for kind, key in said.items() if key not in _SPAN_KEYS_TOO}
    if len(said) == 1:
        return next(iter(said))
    choice = " | ".join(RECORD_TYPES)
    if not said:
        raise InvalidBlockError(f"nothing says what kind of record this is: add 'type' ({choice})")
    found = " and ".join(f"'{key}' ({kind})" for kind, key in said.items())
    raise InvalidBlockError(f"keys disagree on the kind of record, {found}: add 'type' ({choice})")


# ---- rules over several keys ---------------------------------------------------------------------------------------


def check(record_type: RecordType, block: Any) -> None:
    """The rules that one field's type cannot say, on a decoded and merged Struct.

    Raises:
        InvalidBlockError: with the key, what was given and what is allowed.
    """
    for key in REQUIRED[record_type]:
        value = getattr(block, key)
        if value is None:
            raise InvalidBlockError(f"'{key}' is missing: {record_type} needs it, in the block or bound")
        if value.__class__ is str and (not value or value.isspace()):
            raise InvalidBlockError(f"'{key}' is blank: {record_type} needs a text with more than spaces")
    rule = _RULES.get(record_type)
    if rule is not None:
        rule(block)


def _check_ai(block: Ai) -> None:
    if not block.input and not block.output:
        raise InvalidBlockError("'input' and 'output' are both missing: ai needs at least one of them")


def _check_signal(block: Signal) -> None:
    key = SIGNAL_TEXT.get(block.signal_type)
    if key is None:
        return
    text = getattr(block, key) or (block.properties or {}).get(key)
    if not isinstance(text, str) or not text.strip():
        raise InvalidBlockError(f"'{key}' is missing: signal_type '{block.signal_type}' needs it as text")


def _check_identify(block: Identify) -> None:
    for key in block.traits or ():
        if not isinstance(key, str):
            raise InvalidBlockError(f"'traits' has a key of type {type(key).__name__}: trait names are text")


def _check_span(block: Span) -> None:
    if block.kind != "llm":
        for key in LLM_ONLY:
            if getattr(block, key) is not None:
                raise InvalidBlockError(f"'{key}' belongs to kind 'llm', this span is '{block.kind}'")
    for key in ("start_time", "end_time"):
        if getattr(block, key) is not None:
            instant(key, getattr(block, key))


_RULES: Final[dict[RecordType, Any]] = {
    "ai": _check_ai,
    "signal": _check_signal,
    "identify": _check_identify,
    "span": _check_span,
}


# ---- times ---------------------------------------------------------------------------------------------------------


def instant(key: str, value: Any) -> float:
    """Seconds since 1970 of a given time: ISO 8601 text, datetime, or a number of seconds; no zone means UTC.

    Raises:
        InvalidBlockError: anything else, and numbers that are milliseconds by their size.
    """
    if value.__class__ is float and 0 <= value < _LATEST:  # as every record's own time is
        return value
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise InvalidBlockError(f"'{key}' is {shown(value)}: allowed is ISO 8601, such as {_EXAMPLE}") from None
    if isinstance(value, datetime):
        seconds = (value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH
        if 0 <= seconds.total_seconds() < _LATEST:
            return seconds.total_seconds()
        raise InvalidBlockError(f"'{key}' is of the year {value.year}: allowed are 1970 to 2261")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if 0 <= value < _LATEST:
            return float(value)
        raise InvalidBlockError(f"'{key}' is {shown(value)}: a number means seconds since 1970, as time.time() gives")
    raise InvalidBlockError(f"'{key}' is a {type(value).__name__}: allowed is ISO 8601, a datetime, or seconds")


_EXAMPLE: Final = "2026-11-20T18:10:47.123Z"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


# ---- error texts ---------------------------------------------------------------------------------------------------

_UNKNOWN = re.compile(r"unknown field `(?P<key>.*?)`(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(?P<key>.*?)`(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_KEY = re.compile(r"got `(?P<got>\w+)` - at `key` in `\$(?P<path>.*)`$", re.DOTALL)
_AT = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")


def explain(record_type: RecordType, block: Any, error: msgspec.ValidationError) -> str:
    """One line on why a block was refused: the key, what was given, what is allowed."""
    text = str(error)
    if not isinstance(block, Mapping):
        return f"the block is a {type(block).__name__}: it must be a dict"
    if match := _UNKNOWN.search(text):
        return _explain_unknown(record_type, match["key"], match["path"] or "")
    if match := _MISSING.search(text):
        return f"'{_dotted((match['path'] or '') + '.' + match['key'])}' is missing"
    if match := _KEY.search(text):
        return f"a key of '{_dotted(match['path'])}' is a {match['got']}: keys are text"
    match = _AT.fullmatch(text)
    what, path = (match["what"], match["path"] or "") if match else (text, "")
    got = _GOT.search(what)
    given = f"a {got[1]}" if "[...]" in path and got else _given(block, path)
    return f"'{_dotted(path)}' is {given}: {_allowed(record_type, path, what, given)}"


def _explain_unknown(record_type: RecordType, key: str, path: str) -> str:
    key = key if _WORDLIKE.fullmatch(key) else f"(a key of {len(key)} characters)"
    owner = Attachment if path.startswith(".attachments") else STRUCTS[record_type]
    fields = [name for name in owner.__struct_fields__ if name != "type" or owner is Attachment]
    home = "" if owner is Attachment else _home_of(key, record_type)
    holder = "an attachment" if owner is Attachment else record_type
    known = f"{did_you_mean(key, fields)}{home} ({holder} knows {', '.join(fields)})"
    return f"unknown key '{_dotted(path + '.' + key)}'{known}"


def _home_of(key: str, record_type: RecordType) -> str:
    homes = [name for name, struct in STRUCTS.items() if name != record_type and key in struct.__struct_fields__]
    return f"; it belongs to {', '.join(homes)}" if homes else ""


def _dotted(path: str) -> str:
    return path.lstrip(".")[:_PATH_CHARS] or "block"


_PATH_CHARS: Final = 100


def _given(block: Any, path: str) -> str:
    value: Any = block
    key = ""
    for step in _STEP.finditer(path):
        try:
            value = value[step["key"]] if step["key"] else value[int(step["index"] or 0)]
        except (KeyError, IndexError, TypeError):
            return "not allowed"
        key = step["key"] or key
    kind = type(value).__name__
    if isinstance(value, bool | int | float) or (key in _SHOWN and isinstance(value, str) and value):
        said = shown(value)
        return said if said.startswith("a ") else f"{kind} {said}"
    if isinstance(value, str):
        return f"a text of {len(value)} characters" if value else "an empty text"
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _allowed(record_type: RecordType, path: str, what: str, given: str) -> str:
    last = path.rsplit(".", 1)[-1].split("[", maxsplit=1)[0]
    choices = {**_CHOICES, "type": _CHOICES["attachment"]} if path.startswith(".attachments") else _CHOICES
    if last in choices:
        import difflib  # as in errors

        quoted = _QUOTED.search(given)
        near = difflib.get_close_matches(quoted[1], _cases(choices[last]), n=1) if quoted else []
        hint = f"; did you mean '{_cases(choices[last])[near[0]]}'?" if near else ""
        return "allowed is " + " | ".join(choices[last]) + hint
    what = _GOT.sub("", what)
    for word, ours in _PYTHON_WORDS:
        what = what.replace(word, ours)
    return what[:1].lower() + what[1:] if what else f"{record_type} does not allow it"


def _cases(choices: Sequence[str]) -> dict[str, str]:
    """Each choice by its own spelling and by the other case, since that is what is mistaken most."""
    return {spelled: choice for choice in choices for spelled in (choice.swapcase(), choice)}


_QUOTED = re.compile(r"'(.*)'")
_GOT = re.compile(r", got `(\w+)`$")
_PYTHON_WORDS: Final = (
    ("`", ""),
    ("Expected ", "allowed is "),
    (" | null", " or None"),
    ("array", "list"),
    ("object", "dict"),
)

_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "type": RECORD_TYPES,
    "attachment": get_args(AttachmentType),
    "role": get_args(AttachmentRole),
    "signal_type": get_args(SignalType),
    "sentiment": get_args(Sentiment),
    "kind": get_args(SpanKind),
}


def shown(value: Any) -> str:
    """A wrong value as it was given, where it is a number or like a word: what users say does not go into logs."""
    if isinstance(value, str) and not _WORDLIKE.fullmatch(value):
        return f"a text of {len(value)} characters"
    if not isinstance(value, str | int | float):
        return f"{'an' if type(value).__name__[0] in 'aeiou' else 'a'} {type(value).__name__}"
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"a {type(value).__name__} of {len(text)} digits"


_WORDLIKE: Final = re.compile(r"[\w.+:-]{1,32}")
_SHOWN_CHARS: Final = 40


# ---- JSON Schema ---------------------------------------------------------------------------------------------------


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the block: one definition a record type, ``oneOf`` over them."""
    refs, components = msgspec.json.schema_components(
        list(STRUCTS.values()), ref_template="#/$defs/{name}", schema_hook=lambda _: {}
    )
    definitions = dict(components)
    for record_type, struct in STRUCTS.items():
        definition = definitions[struct.__name__]
        definition["properties"]["type"] = {"const": record_type, "description": "Or the message says it."}
        definition["x-required-here-or-bound"] = list(REQUIRED[record_type])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "raindrop",
        "description": 'What extra={"raindrop": {...}} holds.',
        "anyOf": list(refs),
        "$defs": definitions,
    }


# ---- the same shapes for type checkers -----------------------------------------------------------------------------


class AttachmentDict(TypedDict, total=False):
    """An attachment as a dict; see `Attachment`."""

    type: AttachmentType
    value: Required[str]
    name: str | None
    role: AttachmentRole | None
    language: str | None
    attachment_id: str | None


class MessageDict(TypedDict, total=False):
    """A prompt's message as a dict; see `Message`."""

    role: Required[str]
    content: Any
    name: str
    tool_calls: Any
    tool_call_id: str


class EventDict(TypedDict, total=False):
    """Block of type ``event``; see `Event`."""

    type: RecordType
    event_id: str | None
    user_id: str | None
    event: str | None
    properties: Mapping[str, Any] | None
    attachments: Sequence[AttachmentDict] | None
    timestamp: str | datetime | float | None
    feature_flags: Mapping[str, str] | None


class BeginDict(EventDict, total=False):
    """Block of type ``begin`` or ``update``; see `Begin`."""

    input: str | None
    model: str | None
    convo_id: str | None


class FinishDict(BeginDict, total=False):
    """Block of type ``finish`` or ``ai``; see `Finish` and `Ai`."""

    output: str | None


AiDict = FinishDict
UpdateDict = BeginDict


class SignalDict(TypedDict, total=False):
    """Block of type ``signal``; see `Signal`."""

    type: RecordType
    event_id: str | None
    name: Required[str]
    signal_type: SignalType | None
    sentiment: Sentiment | None
    comment: str | None
    after: str | None
    attachment_id: str | None
    properties: Mapping[str, Any] | None
    timestamp: str | datetime | float | None


class IdentifyDict(TypedDict, total=False):
    """Block of type ``identify``; see `Identify`."""

    type: RecordType
    user_id: str | None
    traits: Required[Mapping[str, Any]]


class SpanDict(TypedDict, total=False):
    """Block of type ``span``; see `Span`."""

    type: RecordType
    kind: Required[SpanKind]
    name: Required[str]
    input: Any
    output: Any
    error: Any
    start_time: str | datetime | float | None
    end_time: str | datetime | float | None
    duration_ms: float | None
    version: int | None
    properties: Mapping[str, Any] | None
    attributes: Mapping[str, Any] | None
    event_id: str | None
    user_id: str | None
    event: str | None
    convo_id: str | None
    trace_id: str | None
    span_id: str | None
    parent_id: str | None
    provider: str | None
    model: str | None
    messages: Sequence[MessageDict] | None
    input_tokens: int | None
    output_tokens: int | None
    tools: Sequence[Any] | None
