"""Keep of a LogRecord what delivery needs, on the caller's thread, so that nothing the caller does later changes it.

In: the fields of a LogRecord, its block, the bound scope, the bits that its ids are made of
Out: Snapshot
Touches: the caller's values, to read them once; the clock, where a hand-made record has no time
"""

from __future__ import annotations

from collections.abc import Mapping
from sys import getsizeof
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from raindrop_logging._pipeline.entries import SNAPSHOT_OVERHEAD, ErrorText, Snapshot, exact
from raindrop_logging._pipeline.wrapped import WrappedBlock
from raindrop_logging.plain import MAX_TEXT, error_text, packed
from raindrop_logging.vocabulary import RECORD_TYPES, STRUCTS, RecordType

_WORDS = frozenset(RECORD_TYPES)


def capture(fields: Mapping[str, Any], block: Any, scope: Mapping[str, Any] | None, bits: int) -> Snapshot:
    """Snapshot of a record with these fields, which are its ``__dict__``; never raises for the caller's values."""
    try:
        word = fields["msg"]
        event = _EVENTS.get(word) if type(word) is str else None
        if event is None and type(block) is dict and type(word := block.get("type")) is str:
            event = _EVENTS.get(word)
        if event is None or type(block) is not dict or fields["exc_info"] is not None:
            return _captured_as_bytes(fields, block, scope, bits)
        if (properties := block.get("properties")) is not None and type(properties) is not dict:
            return _captured_as_bytes(fields, block, scope, bits)
        kept = _keep(block, event)
        kept.properties = said = _encode(properties)
        held = _EVENT_BYTES + len(said)
        if (text := kept.input) is not None:
            held += _nbytes(text)
        if (text := kept.output) is not None:
            held += _nbytes(text)
    except Exception:  # noqa: BLE001 -- no usual event
        return _captured_as_bytes(fields, block, scope, bits)
    return Snapshot(
        fields["created"], bits, kept, word, scope, None, fields["name"], fields["pathname"], fields["lineno"], held
    )


def _captured_as_bytes(fields: Mapping[str, Any], block: Any, scope: Mapping[str, Any] | None, bits: int) -> Snapshot:
    """As `capture`, for whatever is no usual event."""
    texts = None
    try:
        word = block.get("type", fields["msg"]) if type(block) is dict else None
        kept = _usual_bytes(block, word)
    except Exception:  # noqa: BLE001 -- whatever else it is, it is read with care
        if type(block) is WrappedBlock:
            return capture(*block.unwrapped(fields, scope), bits)
        texts = _long_texts(block)
        kept, said = packed({key: value for key, value in block.items() if key not in texts} if texts else block)
        word = _word(fields["msg"], said)
    held = SNAPSHOT_OVERHEAD + len(kept)
    if texts:
        held += sum(map(getsizeof, texts.values()))
    error = None
    if fields["exc_info"] is not None:
        error = _error_of(fields["exc_info"])
        held += len(error.message) + len(error.stack) if error else 0
    name, path, line = fields["name"], fields["pathname"], fields["lineno"]
    return Snapshot(fields["created"], bits, kept, word, scope, error, name, path, line, held, texts)


def _long_texts(block: Any) -> dict[str, str] | None:
    """The long texts of a block's fields, which need no copy; cut where no event has room for so many characters."""
    if type(block) is not dict:
        return None
    fields = block.copy().items()  # another thread may be changing it
    return {
        key: value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "..."
        for key, value in fields
        if type(key) is str and type(value) is str and len(value) > _LONG
    } or None


# ---- the usual block: one look of msgspec's finds that it is one -----------------------------------------------------

_LONG = 65_536
_Short = Annotated[str, Meta(max_length=1_000)]
_Text = Annotated[str, Meta(max_length=_LONG)]
_Scalar = int | float | bool | None
_Few = Meta(max_length=32)
_List = Annotated[list[_Short | _Scalar], _Few]
_Value = _Text | _Scalar | _List
_Dict = Annotated[dict[_Short, _Short | _Scalar | _List], _Few]
"""What has these kinds and sizes is kept at once, as it is: it runs no code of its own, and takes no long time."""

_encode = msgspec.msgpack.Encoder().encode
_keep: Any = msgspec.convert
_nbytes = str.__sizeof__


# ---- an event: the look makes a copy that is valid, and that is kept

_Label: Any = Annotated[str, Meta(max_length=200)]
_Name: Any = Annotated[str, Meta(min_length=1, max_length=200)]
_EVENT: dict[str, Any] = {
    "user_id": _Name,
    "event": _Name,
    "event_id": _Name,
    "input": _Text,
    "output": _Text,
    "model": _Label,
    "convo_id": _Label,
    "properties": Annotated[dict[str, _Short | _Scalar | _List], _Few],
    "timestamp": _Label | Annotated[int, Meta(ge=0, le=2**53)] | float,
}
"""Fields of an event, in the order in which people often write them, since that is how they are found soonest. Narrower
than the vocabulary's, so that what passes is valid by it; what is not here, such as attachments, is no usual field."""

_EVENT_BYTES = SNAPSHOT_OVERHEAD + 500
"""Memory of an event beside its input, its output and what its properties say: names of a usual length."""


def _usual_event(word: RecordType) -> type[Struct]:
    known = STRUCTS[word].__struct_fields__
    kinds: dict[str, Any] = _EVENT | {"type": Literal[word]}
    fields: list[Any] = [(name, kind | None, None) for name, kind in kinds.items() if name in known]
    fields += [(name, None, None) for name in known if name not in kinds]
    return msgspec.defstruct(
        f"Usual{STRUCTS[word].__name__}",
        fields,
        namespace={"record_type": word} | {name: None for name in kinds if name not in known},
        forbid_unknown_fields=True,
        omit_defaults=True,
        gc=False,
    )


_EVENTS: Mapping[Any, Any] = {word: _usual_event(word) for word in ("ai", "event", "begin", "update", "finish")}


# ---- another record: it is looked at, and kept as bytes

_DICTS: Mapping[str, tuple[str, ...]] = {
    "identify": ("traits",),
    "span": ("properties", "attributes", "input", "output"),
}
"""Fields that usually are dicts, beside the properties that every other type has. Before msgspec looks at one it must
be known for Python's own: any mapping would do for msgspec, and it would ask it for its keys."""


def _usual(word: str, struct: type[Struct]) -> tuple[type[Struct], tuple[str, ...]]:
    dicts = _DICTS.get(word, ("properties",))
    fields = [(name, _Value | _Dict if name in dicts else _Value, None) for name in struct.__struct_fields__]
    return msgspec.defstruct(struct.__name__, fields, forbid_unknown_fields=True, gc=False), dicts


_USUAL_EVENT = _usual("finish", STRUCTS["finish"])
_USUAL = {str(word): _USUAL_EVENT if word in _EVENTS else _usual(word, struct) for word, struct in STRUCTS.items()}
"""The look is only for kinds and sizes: which fields an event of a type may have, the router says."""


def _usual_bytes(block: Any, word: Any) -> bytes:
    """The bytes of a usual block.

    Raises:
        Exception: it is none.
    """
    usual, dicts = _USUAL[word if type(word) is str else ""]
    for key in dicts:
        value = block.get(key)
        if value is not None and type(value) is not dict and type(value) is not str:
            raise TypeError
    _keep(block, usual)
    return exact((_encode(block), b""))


for _struct in {*_EVENTS.values(), *(usual for usual, _ in _USUAL.values())}:
    # The first look at a type reads its annotations, and ends the process if a signal handler or another thread comes
    # with a second one meanwhile.
    _keep({}, _struct)


def _word(message: Any, said: Any) -> str | None:
    """The record type as the block's own key says it, else as the message does."""
    word = said.get("type") if type(said) is dict else None
    if word is not None:
        return word if type(word) is str else None
    return message if type(message) is str and message in _WORDS else None


def _error_of(exc_info: Any) -> ErrorText | None:
    """Type, message and stack of ``exc_info`` (which a hand-made record may hold as anything), each bounded."""
    if type(exc_info) is ErrorText:
        return exc_info
    error: Any = exc_info[1] if type(exc_info) is tuple and len(exc_info) > 1 else exc_info
    return ErrorText(**error_text(error)) if issubclass(type(error), BaseException) else None
