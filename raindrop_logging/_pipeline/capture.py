"""Keep of a LogRecord what delivery needs, on the caller's thread, so that nothing the caller does later changes it.

In: a LogRecord with a block, the bound scope, 128 random bits
Out: Snapshot
Touches: the caller's values, to read them once; the clock, where a hand-made record has no time
"""

from __future__ import annotations

from collections.abc import Mapping
from logging import LogRecord
from sys import getsizeof
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from raindrop_logging._pipeline.entries import SNAPSHOT_OVERHEAD, ErrorText, Snapshot, exact
from raindrop_logging._pipeline.wrapped import WrappedBlock
from raindrop_logging.plain import MAX_TEXT, error_text, packed
from raindrop_logging.vocabulary import RECORD_TYPES, STRUCTS

_WORDS = frozenset(RECORD_TYPES)


def capture(record: LogRecord, block: Any, scope: Mapping[str, Any] | None, bits: int) -> Snapshot:
    """Snapshot of one record; never raises for the caller's values."""
    fields = record.__dict__
    texts = None
    try:
        word = block.get("type", fields["msg"]) if type(block) is dict else None
        usual, dicts = _USUAL[word if type(word) is str else ""]
        for key in dicts:
            value = block.get(key)
            if value is not None and type(value) is not dict and type(value) is not str:
                raise TypeError  # noqa: TRY301 -- caught below, as what msgspec raises
        _check(block, usual)
        encoded = exact((_encode(block), b""))
    except Exception:  # noqa: BLE001 -- whatever else it is, it is read with care
        if type(block) is WrappedBlock:
            return capture(*block.unwrapped(record, scope), bits)
        texts = _long_texts(block)
        encoded, said = packed({key: value for key, value in block.items() if key not in texts} if texts else block)
        word = _word(record.msg, said)
    error, held = None, SNAPSHOT_OVERHEAD + len(encoded)
    if texts:
        held += sum(map(getsizeof, texts.values()))
    if fields["exc_info"] is not None:
        error = _error_of(record.exc_info)
        held += len(error.message) + len(error.stack) if error else 0
    name, path, line = fields["name"], fields["pathname"], fields["lineno"]
    return Snapshot(fields["created"], bits, encoded, word, scope, error, name, path, line, held, texts)


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

_Short = Annotated[str, Meta(max_length=1_000)]
_Scalar = int | float | bool | None
_Few = Meta(max_length=32)
_List = Annotated[list[_Short | _Scalar], _Few]
_LONG = 65_536
_Value = Annotated[str, Meta(max_length=_LONG)] | _Scalar | _List
_Dict = _Value | Annotated[dict[_Short, _Short | _Scalar | _List], _Few]
"""What has these kinds and sizes is encoded at once, as it is: it runs no code of its own, and takes no long time."""

_DICTS: Mapping[str, tuple[str, ...]] = {
    "identify": ("traits",),
    "span": ("properties", "attributes", "input", "output"),
}
"""Fields that usually are dicts, beside the properties that every other type has. Before msgspec looks at one it must
be known for Python's own: any mapping would do for msgspec, and it would ask it for its keys."""


def _usual(word: str, struct: type[Struct]) -> tuple[type[Struct], tuple[str, ...]]:
    dicts = _DICTS.get(word, ("properties",))
    fields = [(name, _Dict if name in dicts else _Value, None) for name in struct.__struct_fields__]
    return msgspec.defstruct(struct.__name__, fields, forbid_unknown_fields=True, gc=False), dicts


_USUAL = {str(word): _usual(word, struct) for word, struct in STRUCTS.items()}
_check = msgspec.convert
for _struct, _ in _USUAL.values():
    # The first look at a type reads its annotations, and ends the process if a signal handler or another thread comes
    # with a second one meanwhile.
    _check({}, _struct)
_encode = msgspec.msgpack.Encoder().encode


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
