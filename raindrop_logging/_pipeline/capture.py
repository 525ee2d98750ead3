"""Keep of a LogRecord what delivery needs, on the caller's thread, so that nothing the caller does later changes it.

In: a LogRecord with a block, the bound scope, 128 random bits
Out: Snapshot
Touches: the caller's values, to read them once
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta
from itertools import islice
from logging import LogRecord
from typing import Any

import msgspec

from raindrop_logging._pipeline.entries import ErrorText, Snapshot, Source
from raindrop_logging.vocabulary import RECORD_TYPES

MAX_DEPTH = 32
MAX_ITEMS = 10_000
MAX_REPR = 1_000
MAX_STACK = 20_000
"""Bounds on what one odd value may cost: nesting, entries of one container, characters of a repr and of a stack."""

_WORDS = frozenset(RECORD_TYPES)


def capture(record: LogRecord, block: Any, scope: Mapping[str, Any] | None, bits: int) -> Snapshot:
    """Snapshot of one record; never raises for the caller's values."""
    word = block.get("type") if block.__class__ is dict else None
    if word is None:
        message = record.msg
        if message.__class__ is str and message in _WORDS:
            word = message
    try:
        encoded = _encode(block)
    except Exception:  # noqa: BLE001 -- whatever the caller's objects do costs them their own text, not the call
        encoded = _encode(plain(block))
    error = error_text(record.exc_info[1]) if record.exc_info and record.exc_info[1] else None
    source = Source(record.name, record.pathname, record.lineno)
    return Snapshot(record.created, bits, encoded, word if isinstance(word, str) else None, scope, error, source)


def error_text(error: BaseException) -> ErrorText:
    """Type, message and stack of an exception, each bounded."""
    try:
        stack = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 -- an exception may fail to format itself
        stack = ""
    return ErrorText(type(error).__qualname__, text_of(error, str), clean(stack[-MAX_STACK:]))


def plain(value: Any, depth: int = 0) -> Any:
    """The value as what MessagePack can say; what it cannot say becomes a bounded, marked text."""
    try:
        return _plain(value, depth)
    except Exception:  # noqa: BLE001 -- hostile containers and properties
        return f"<unreadable {type(value).__name__}>"


def _plain(value: Any, depth: int) -> Any:
    kind = value.__class__
    if value is None or kind is bool or kind is float:
        return value
    if kind is int:
        return value if -(2**63) <= value < 2**64 else _digits(value)
    if isinstance(value, str):
        return clean(str(value))
    if depth >= MAX_DEPTH:
        return f"<deeper than {MAX_DEPTH} levels>"
    if isinstance(value, Mapping):
        return {_key(key): plain(entry, depth + 1) for key, entry in islice(value.items(), MAX_ITEMS)}
    if isinstance(value, list | tuple | AbstractSet):
        return [plain(entry, depth + 1) for entry in islice(value, MAX_ITEMS)]
    return _other(value, depth)


def _other(value: Any, depth: int) -> Any:
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, int | float):
        return _plain(int(value) if isinstance(value, int) else float(value), depth)
    try:
        known = msgspec.to_builtins(value, builtin_types=(bytes, bytearray))
    except Exception:  # noqa: BLE001 -- not a type msgspec knows, or one that misbehaves
        known = _unknown(value)
    return known if known.__class__ in (str, bytes) else _plain(known, depth + 1)


def _unknown(value: Any) -> Any:
    """Objects of the application's own kinds, by what they offer."""
    for method in _TO_PLAIN:
        found = getattr(type(value), method, None)
        if callable(found):
            return found(value)
    if isinstance(value, date | time | timedelta):
        return str(value)
    return text_of(value, repr)


_TO_PLAIN = ("model_dump", "tolist", "_asdict")
"""How pydantic models, numpy values and named tuples say themselves in plain values."""


def text_of(value: Any, say: Any) -> str:
    """``str`` or ``repr`` of anything, bounded; a failing one is said, not raised."""
    try:
        text = say(value)
    except Exception as error:  # noqa: BLE001 -- the application's own __repr__
        return f"<{type(value).__name__}, its {say.__name__} raised {type(error).__name__}>"
    text = text if isinstance(text, str) else str(type(value))
    return clean(text if len(text) <= MAX_REPR else text[:MAX_REPR] + "...")


def clean(text: str) -> str:
    """Text that UTF-8 can say: lone surrogates become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def _key(key: Any) -> str:
    return clean(key) if isinstance(key, str) else text_of(key, str)


def _digits(value: int) -> str:
    return hex(value) if value.bit_length() < 4 * MAX_REPR else f"<int of {value.bit_length()} bits>"


_encode = msgspec.msgpack.Encoder(enc_hook=_unknown).encode
