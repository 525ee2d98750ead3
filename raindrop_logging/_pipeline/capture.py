"""Keep of a LogRecord what delivery needs, on the caller's thread, so that nothing the caller does later changes it.

In: a LogRecord with a block, the bound scope, 128 random bits
Out: Snapshot
Touches: the caller's values, to read them once; the clock, where a hand-made record has no time
"""

from __future__ import annotations

from collections.abc import Mapping
from logging import LogRecord
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from raindrop_logging._pipeline.entries import SNAPSHOT_OVERHEAD, ErrorText, Snapshot
from raindrop_logging.plain import error_text, packed
from raindrop_logging.vocabulary import RECORD_TYPES, STRUCTS

_WORDS = frozenset(RECORD_TYPES)


def capture(record: LogRecord, block: Any, scope: Mapping[str, Any] | None, bits: int) -> Snapshot:
    """Snapshot of one record; never raises for the caller's values."""
    fields = record.__dict__
    try:
        word = block.get("type", fields["msg"]) if type(block) is dict else None
        _check(block, _USUAL[word if type(word) is str and type(block.get("properties", _NO)) is dict else ""])
        encoded = _encode(block)
    except Exception:  # noqa: BLE001 -- whatever else it is, it is read with care
        encoded, said = packed(block)
        word = _word(record.msg, said)
    error, held = None, SNAPSHOT_OVERHEAD + len(encoded)
    if fields["exc_info"] is not None:
        error = _error_of(record.exc_info)
        held += len(error.message) + len(error.stack) if error else 0
    return Snapshot(
        fields["created"], bits, encoded, word, scope, error, fields["name"], fields["pathname"], fields["lineno"], held
    )


# ---- the usual block: one look of msgspec's finds that it is one -----------------------------------------------------

_Short = Annotated[str, Meta(max_length=1_000)]
_Scalar = int | float | bool | None
_Inner = _Short | _Scalar | Annotated[list[_Short | _Scalar], Meta(max_length=32)]
_Properties = Annotated[dict[_Short, _Inner], Meta(max_length=32)]
_Value = Annotated[str, Meta(max_length=65_536)] | _Scalar | Annotated[list[_Short | _Scalar], Meta(max_length=32)]
"""What has these kinds and sizes is encoded at once and as it is: it runs no code of its own, and takes no long time.
No dict but the properties, of which `capture` knows that they are one: for msgspec any mapping would do."""


def _usual(struct: type[Struct]) -> type[Struct]:
    fields = [(name, _Properties if name == "properties" else _Value, None) for name in struct.__struct_fields__]
    return msgspec.defstruct(struct.__name__, fields, forbid_unknown_fields=True, gc=False)


_USUAL: dict[str, type[Struct]] = {word: _usual(struct) for word, struct in STRUCTS.items()}
_NO: dict[str, Any] = {}
_check = msgspec.convert
_encode = msgspec.msgpack.Encoder().encode


def _word(message: Any, said: Any) -> str | None:
    """The record type as the block's own key says it, else as the message does."""
    word = said.get("type") if type(said) is dict else None
    if word is not None:
        return word if type(word) is str else None
    return message if type(message) is str and message in _WORDS else None


def _error_of(exc_info: Any) -> ErrorText | None:
    """Type, message and stack of ``exc_info`` (which a hand-made record may hold as anything), each bounded."""
    error: Any = exc_info[1] if type(exc_info) is tuple and len(exc_info) > 1 else exc_info
    return ErrorText(**error_text(error)) if issubclass(type(error), BaseException) else None
