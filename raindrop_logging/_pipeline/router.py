"""Turn a snapshot into a valid entry: its type, its context, its ids, its time; or say why it cannot be one.

In: Snapshot
Out: Entry | Refusal
Touches: nothing (pure)
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from raindrop_logging import identifiers
from raindrop_logging._pipeline.entries import (
    ABOUT,
    UNPACKABLE,
    Entry,
    ErrorText,
    Refusal,
    Snapshot,
    block_of,
    event_around,
    packed_block,
)
from raindrop_logging.errors import InvalidBlockError
from raindrop_logging.vocabulary import (
    RECORD_TYPES,
    STRUCTS,
    Block,
    RecordType,
    check,
    explain,
    instant,
    shown,
    type_by_keys,
)

_DECODE: dict[RecordType, Callable[[bytes], Block]] = {
    record_type: msgspec.msgpack.Decoder(struct).decode for record_type, struct in STRUCTS.items()
}
_FIELDS = {record_type: frozenset(struct.__struct_fields__) for record_type, struct in STRUCTS.items()}

CONTEXT_KEYS = (
    "event_id",
    "user_id",
    "event",
    "convo_id",
    "trace_id",
    "span_id",
    "parent_id",
    "model",
    "feature_flags",
)
"""What a scope or the defaults may fill in, where a record type knows the key and the block leaves it out."""

_ABOUT_AN_EVENT = frozenset({"signal", "update", "finish", "span"})
"""Types that belong to the interaction around them; every other record only happens in it, to the same person."""

_PERSON = ("user_id", "convo_id")

_OWN_ID_ONLY: dict[str, frozenset[str]] = {"span": frozenset({"span_id"}), "begin": frozenset({"event_id"})}
"""Keys that a scope holds for others: a span is not the span around it, a new interaction is not the old one."""


Rules = Callable[[RecordType, Any], None]


def _no_rules(_record_type: RecordType, _block: Any) -> None:
    """Takes whatever the types of the fields allow."""


class Router:
    """Reads snapshots by the vocabulary; ``defaults`` are the handler's."""

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self._defaults = defaults

    def route(self, snapshot: Snapshot) -> Entry | Refusal:
        """The entry that a snapshot says, or the refusal that names the key at fault."""
        return self._read(snapshot, check)

    def merge(self, snapshot: Snapshot) -> Entry | Refusal:
        """As `route`, without the rules over several keys: what is missing may be another handler's default."""
        return self._read(snapshot, _no_rules)

    def _read(self, snapshot: Snapshot, rules: Rules) -> Entry | Refusal:
        record_type: Any = snapshot.word
        if record_type not in _DECODE:
            try:
                record_type = _type_of(snapshot)
            except InvalidBlockError as error:
                return Refusal("invalid", str(error), snapshot.source)
        try:
            return self._entry(record_type, _valid(record_type, snapshot), snapshot, rules)
        except msgspec.ValidationError as error:
            why = explain(record_type, block_of(snapshot), error)
        except InvalidBlockError as error:
            why = str(error)
        return Refusal("invalid", why, snapshot.source, ends=_ended(snapshot) if record_type == "finish" else None)

    def _entry(self, record_type: RecordType, block: Any, snapshot: Snapshot, rules: Rules) -> Entry:
        scope = nearer = snapshot.scope or _NOTHING
        if scope or self._defaults:
            nearer, farther = _about(record_type, block, scope)
            for context in (nearer, scope, farther, self._defaults):
                if context:
                    _fill(record_type, block, context)
        if snapshot.error is not None:
            _add_error(record_type, block, snapshot.error)
        if _may_hold_bytes(snapshot.packed):
            _say_bytes(block)
        rules(record_type, block)
        given = getattr(block, "timestamp", None)
        timestamp = instant("the record's time", snapshot.created) if given is None else instant("timestamp", given)
        event_id = getattr(block, "event_id", None) or identifiers.uuid_text(snapshot.bits)
        trace_id = _trace_id(record_type, block, scope, nearer)
        return Entry(record_type, block, event_id, trace_id, timestamp, snapshot.source, snapshot.bits)


def _valid(record_type: RecordType, snapshot: Snapshot) -> Any:
    """The block by the vocabulary; a Struct is so already, and only has to be text that UTF-8 can say.

    Raises:
        msgspec.ValidationError: a field is of the wrong type.
    """
    block = snapshot.block
    if isinstance(block, bytes):
        return (
            msgspec.convert(block_of(snapshot), STRUCTS[record_type]) if snapshot.texts else _DECODE[record_type](block)
        )
    try:
        _pack_into(block, _PACKED)
    except UNPACKABLE:
        return _DECODE[record_type](packed_block(snapshot))
    return replace(block, properties=_decode(block.properties))  # type: ignore[attr-defined]


_decode = msgspec.msgpack.Decoder().decode
_pack_into = msgspec.msgpack.Encoder().encode_into
_PACKED = bytearray()
"""Overwritten by each look whether a block can be packed; whoever looks, no other thread comes in between."""


def _type_of(snapshot: Snapshot) -> RecordType:
    word = snapshot.word
    if word is None:
        block = block_of(snapshot)
        if not isinstance(block, dict):
            raise InvalidBlockError(f"the block is a {type(block).__name__}: it must be a dict")
        word = block.get("type") or type_by_keys(block)
    if not isinstance(word, str) or word not in _DECODE:
        raise InvalidBlockError(f"'type' is {shown(word)}: allowed is {' | '.join(RECORD_TYPES)}")
    return word


_NOTHING: Mapping[str, Any] = {}


def _ended(snapshot: Snapshot) -> str | None:
    """The event that a finish with a fault names, itself or by its context."""
    block, scope = block_of(snapshot), snapshot.scope or _NOTHING
    own = block.get("event_id") if isinstance(block, dict) else None
    named = own or event_around(scope)
    return named if isinstance(named, str) else None


def _about(
    record_type: RecordType, block: Any, scope: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What the open interaction says to this record, as nearer and as farther than what is bound.

    All of it to a record about that interaction; only who it is with to a record that happens in it.
    """
    about = scope.get(ABOUT)
    if about is None:
        return _NOTHING, _NOTHING
    if record_type not in _ABOUT_AN_EVENT:
        return _NOTHING, {key: about[key] for key in _PERSON if key in about}
    return (about, _NOTHING) if block.event_id in (None, about["event_id"]) else (_NOTHING, _NOTHING)


def _fill(record_type: RecordType, block: Any, context: Mapping[str, Any]) -> None:
    """Fill what the block leaves out; properties merge, and the block's own win."""
    fields = _FIELDS[record_type]
    others = _OWN_ID_ONLY.get(record_type, frozenset())
    for key in CONTEXT_KEYS:
        if key in context and key in fields and key not in others and getattr(block, key) is None:
            setattr(block, key, context[key])
    if record_type == "span" and block.parent_id is None and context.get("span_id"):
        block.parent_id = context["span_id"]
    shared = context.get("properties")
    if shared and "properties" in fields:
        if not isinstance(shared, Mapping):
            raise InvalidBlockError(f"'properties' that were bound are {shown(shared)}: they must be a dict")
        block.properties = {**shared, **(block.properties or {})}


_ERROR_IN_PROPERTIES = frozenset({"ai", "event", "finish"})


def _add_error(record_type: RecordType, block: Any, error: ErrorText) -> None:
    """What ``exc_info`` says: a span's error, or ``properties.error``; the block's own words win."""
    said = {"type": error.type, "message": error.message, "stack": error.stack}
    if record_type == "span":
        block.error = said if block.error is None else block.error
    elif record_type in _ERROR_IN_PROPERTIES:
        block.properties = {"error": said, **(block.properties or {})}


_BIN8, _BIN16, _BIN32 = 0xC4, 0xC5, 0xC6
"""MessagePack's marks of binary data, as numbers: looking for a number takes a sixth of looking for bytes."""


def _may_hold_bytes(packed: bytes) -> bool:
    """Whether a MessagePack text has a byte that could mark binary data; a wrong yes only costs a walk."""
    return _BIN8 in packed or _BIN16 in packed or _BIN32 in packed


def _say_bytes(block: Any) -> None:
    for key in block.__struct_fields__:
        value = getattr(block, key)
        if value.__class__ in (dict, list, bytes):
            setattr(block, key, spoken(value))


def spoken(value: Any) -> Any:
    """A plain value with its bytes as the texts that stand for them."""
    if value.__class__ is dict:
        return {spoken(key): spoken(entry) for key, entry in value.items()}
    if value.__class__ is list:
        return [spoken(entry) for entry in value]
    return _bytes_text(value) if value.__class__ is bytes else value


def _bytes_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"<{len(value)} bytes, base64: {b64encode(value[:MAX_BINARY]).decode()}>"


MAX_BINARY = 768
"""Bytes of a binary value that are shown; enough to recognise it, too few to fill an event."""


def _trace_id(record_type: RecordType, block: Any, scope: Mapping[str, Any], nearer: Mapping[str, Any]) -> str | None:
    own = block.trace_id if record_type == "span" else None
    bound = own or scope.get("trace_id") or nearer.get("trace_id")
    return str(bound) if bound else None
