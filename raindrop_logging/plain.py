"""Any Python value as what MessagePack and JSON can say, within bounds, whatever the value does when it is read.

In: a value of the application's
Out: the same in plain values; what has none becomes a bounded, marked text
Touches: the value, to read it once
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta
from types import NoneType
from typing import Any

import msgspec

MAX_DEPTH = 32
MAX_VALUES = 10_000
MAX_REPR = 1_000
"""Bounds on what one odd value may cost: nesting, values in all, characters of a repr."""

MAX_STACK = 20_000
"""Characters of an exception's stack that are kept, from its end."""

_LISTS = (list, tuple, AbstractSet, deque)


def plain(value: Any) -> Any:
    """The value in plain values; a container that holds itself, or too much, is cut there and marked."""
    return _Reader().read(value, 0)


class _Reader:
    """Reads one value: counts what it has read, and knows which containers it is inside of."""

    def __init__(self) -> None:
        self._left = MAX_VALUES
        self._inside: set[int] = set()

    def read(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            return f"<beyond {MAX_VALUES} values>"
        try:
            return self._read(value, depth)
        except Exception:  # noqa: BLE001 -- hostile containers and properties
            return f"<unreadable {type(value).__name__}>"

    def _read(self, value: Any, depth: int) -> Any:
        kind = value.__class__
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**64 else _digits(value)
        if isinstance(value, str):
            return clean(str(value))
        if isinstance(value, Mapping | list | tuple | AbstractSet | deque):
            return self._container(value, depth)
        return self._other(value, depth)

    def _container(self, value: Any, depth: int) -> Any:
        if depth >= MAX_DEPTH:
            return f"<deeper than {MAX_DEPTH} levels>"
        if id(value) in self._inside:
            return "<circular>"
        self._inside.add(id(value))
        try:
            return self._entries(value, depth + 1)
        finally:
            self._inside.discard(id(value))

    def _entries(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            said: dict[str, Any] = {}
            for key, entry in value.items():
                said[_key(key)] = self.read(entry, depth)
                if self._left < 0:
                    break
            return said
        entries: list[Any] = []
        for entry in value:
            entries.append(self.read(entry, depth))
            if self._left < 0:
                break
        return entries

    def _other(self, value: Any, depth: int) -> Any:
        if isinstance(value, bytes | bytearray):
            return bytes(value)
        if isinstance(value, int | float):
            return self._read(int(value) if isinstance(value, int) else float(value), depth)
        try:
            known = msgspec.to_builtins(value, builtin_types=(bytes, bytearray))
        except Exception:  # noqa: BLE001 -- not a type msgspec knows, or one that misbehaves
            known = unknown(value)
        return known if known.__class__ in (str, bytes) else self.read(known, depth + 1)


def frozen(value: Any) -> Any:
    """A copy in plain values, which the value's later changes do not reach."""
    if type(value) in (str, int, float, bool, NoneType):
        return value
    try:
        return _decode(_encode(value))
    except Exception:  # noqa: BLE001 -- what the value does when it is read costs it its own shape only
        return plain(value)


def unknown(value: Any) -> Any:
    """What msgspec has no word for, one step plainer: containers as dict or list, objects by what they offer."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, _LISTS):
        return list(value)
    for method in _TO_PLAIN:
        found = getattr(type(value), method, None)
        if callable(found):
            return found(value)
    return str(value) if isinstance(value, date | time | timedelta) else text_of(value, repr)


_TO_PLAIN = ("model_dump", "tolist")
"""How pydantic models and numpy values say themselves in plain values."""

_encode = msgspec.msgpack.Encoder(enc_hook=unknown).encode
_decode = msgspec.msgpack.Decoder().decode


def text_of(value: Any, say: Callable[[Any], Any]) -> str:
    """``str`` or ``repr`` of anything, bounded; a failing one is said, not raised."""
    try:
        text = say(value)
    except Exception as error:  # noqa: BLE001 -- the application's own __repr__
        return f"<{type(value).__name__}, its {getattr(say, '__name__', 'text')} raised {type(error).__name__}>"
    text = text if isinstance(text, str) else str(type(value))
    return clean(text if len(text) <= MAX_REPR else text[:MAX_REPR] + "...")


def label(value: Any) -> str | None:
    """An id or a name as its text; None where it is absent or blank."""
    text = value if value is None or isinstance(value, str) else text_of(value, str)
    return text if text and not text.isspace() else None


def error_text(error: BaseException) -> dict[str, str]:
    """An exception as {type, message, stack}, each bounded; it keeps no frame alive."""
    try:
        stack = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 -- an exception may fail to format itself
        stack = ""
    return {"type": type(error).__qualname__, "message": text_of(error, str), "stack": clean(stack[-MAX_STACK:])}


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
