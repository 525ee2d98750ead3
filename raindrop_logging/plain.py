"""Any Python value as what MessagePack and JSON can say, within bounds, whatever the value does when it is read.

What a value holds is counted before it is walked, and a method of its own is called once, its answer read like any
other value: so it costs what its own methods cost, and no more than the bounds below.

In: a value of the application's
Out: the same in plain values; what has none becomes a bounded, marked text
Touches: the value, to read it once; which handlers signals have, when a value's own method fails
"""

from __future__ import annotations

import functools
import gc
import itertools
import signal
import traceback
from base64 import b64encode
from collections import ChainMap, UserString, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import NoneType, SimpleNamespace
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

MAX_DEPTH = 32
MAX_VALUES = 10_000
MAX_REPR = 1_000
"""Bounds on what one odd value may cost: nesting, values in all, characters of a repr."""

MAX_TEXT = 2**20
MAX_CHARS = 2**24
"""Characters of one text, and of all together. No event may have that many bytes, so a text that is cut here is always
cut again, marked and counted, where its event is made to fit."""

MAX_STACK = 20_000
"""Characters of an exception's stack that are kept, from its end."""


def plain(value: Any) -> Any:
    """The value in plain values; a container that holds itself, or too much, is cut there and marked."""
    return _Reader().read(value, 0)


def packed(value: Any) -> tuple[bytes, Any]:
    """The value as MessagePack, and the value that this says: itself where it is simple, else in plain values."""
    try:
        if is_simple(value):
            return _encode(value), value
    except Exception:  # noqa: BLE001, S110 -- a text or a number that MessagePack has no room for, a change meanwhile
        pass
    said = plain(value)
    return _encode(said), said


def frozen(value: Any) -> Any:
    """A copy in plain values, which the value's later changes do not reach."""
    if type(value) in (str, int, float, bool, NoneType):
        return value
    return _decode(packed(value)[0])


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


# ---- what needs no reading -----------------------------------------------------------------------------------------


def is_simple(value: Any) -> bool:
    """Whether it is a dict or a list, and all in it, of Python's own plain kinds and far within the bounds.

    Asked of every record: it runs nothing of the value's, and what is held twice counts twice.
    """
    kind = type(value)
    return (kind is dict or kind is list or kind is tuple) and _room_after(value, MAX_TEXT, 0) >= 0


_ENTRY_CHARS = MAX_TEXT // MAX_VALUES + 1
"""Characters that one entry counts for, so that one number bounds both."""


def _room_after(container: Any, room: int, depth: int) -> int:  # noqa: C901 -- one loop, without a call for a scalar
    """Characters of room that a container leaves; below zero where it is no simple one."""
    room -= len(container) * _ENTRY_CHARS
    if room < 0 or depth == MAX_DEPTH:
        return -1
    entries = container
    if type(container) is dict:
        for key in container:
            if type(key) is not str:
                return -1
            room -= len(key)
        entries = container.values()
    for entry in entries:
        kind = type(entry)
        if kind is str:
            room -= len(entry)
        elif kind is dict or kind is list or kind is tuple:
            room = _room_after(entry, room, depth + 1)
            if room < 0:
                return -1
        elif kind is not int and kind is not float and kind is not bool and entry is not None:
            return -1
    return room


# ---- what does ------------------------------------------------------------------------------------------------------


class _Reader:
    """Reads one value: counts what it has read, and knows which containers it is inside of.

    A container pays for all its entries before the first is read, and each leaves some room for the next ones: so
    that one that is too large is cut, and not its neighbours.
    """

    def __init__(self) -> None:
        self._left = MAX_VALUES
        self._room = MAX_CHARS
        self._inside: set[int] = set()

    def read(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return _number(value)
        try:
            way = _way(kind) or _way(value.__class__)  # a proxy says the class of what it stands for
            if way is None:
                return self._text(text_of(value, repr))
            return self._nested(value, way, depth) if way.nests else self._leaf(way.read(value))
        except BaseException as error:  # noqa: BLE001 -- hostile containers and properties
            _pass_on(error)
            return unreadable(value)

    def _text(self, text: str) -> str:
        if len(text) <= MAX_REPR:  # bounded by the number of values alone, so that no neighbour takes its place
            return clean(text)
        if len(text) > MAX_TEXT:
            text = text[:MAX_TEXT] + "..."
        self._room -= len(text)
        return clean(text) if self._room >= 0 else f"<beyond {MAX_CHARS} characters>"

    def _leaf(self, said: Any) -> Any:
        if type(said) is bytes:
            self._room -= len(said)
            return said if self._room >= 0 else f"<beyond {MAX_CHARS} characters>"
        return self._text(said) if type(said) is str else said

    def _nested(self, value: Any, way: _Way, depth: int) -> Any:
        if depth >= MAX_DEPTH:
            return f"<deeper than {MAX_DEPTH} levels>"
        if self._left <= 0:
            return f"<beyond {MAX_VALUES} values>"
        if id(value) in self._inside:
            return "<circular>"
        self._inside.add(id(value))
        try:
            said = way.read(value)
            if type(said) is _Pairs:
                return self._dict(said, depth + 1)
            return self._list(said, depth + 1) if type(said) is _Entries else self.read(said, depth + 1)
        finally:
            self._inside.discard(id(value))

    def _dict(self, pairs: _Pairs, depth: int) -> dict[str, Any]:
        taken, mark = self._taken(pairs.pairs)
        entries = self._each([entry for _, entry in taken], depth)
        said = dict(zip([self._key(key) for key, _ in taken], entries, strict=True))
        return said if mark is None else {**said, "...": mark}

    def _list(self, entries: _Entries, depth: int) -> list[Any]:
        taken, mark = self._taken(entries.entries)
        said = self._each(taken, depth)
        return said if mark is None else [*said, mark]

    def _each(self, entries: list[Any], depth: int) -> list[Any]:
        """Each entry read; what it may hold leaves some room for those that come after it."""
        later = len(entries) - sum(map(_is_flat, entries))
        said = []
        for entry in entries:
            held_back = 0
            if not _is_flat(entry):
                later -= 1
                held_back = min(self._left // 2, _KEPT_FOR_ANOTHER * later)
            self._left -= held_back
            said.append(self.read(entry, depth))
            self._left += held_back
        return said

    def _taken(self, entries: Iterable[Any]) -> tuple[list[Any], str | None]:
        """As many entries as there is room for, paid for at once, and what is said of those that are left out."""
        taken: list[Any] = []
        mark = None
        try:
            taken.extend(itertools.islice(entries, self._left + 1))
        except BaseException as error:  # noqa: BLE001 -- what was read before it failed is kept
            _pass_on(error)
            mark = f"<unreadable from here: {_name(type(error))}>"
        if len(taken) > self._left:
            del taken[self._left :]
            mark = f"<beyond {MAX_VALUES} values>"
        self._left -= len(taken)
        return taken, mark

    def _key(self, key: Any) -> str:
        """JSON's keys are texts: what is none is said as one, so the later of two that say the same wins."""
        if type(key) is str:
            return self._text(key)
        try:
            while isinstance(key, Enum):
                key = _enum_value(key)
            way = _way(type(key))
            said = key if way is None or way.nests or type(key) is bool else way.read(key)
            said = said.decode(errors="backslashreplace") if type(said) is bytes else said
        except BaseException as error:  # noqa: BLE001 -- as any value
            _pass_on(error)
            said = unreadable(key)
        return self._text(said if type(said) is str else text_of(said, str))


_KEPT_FOR_ANOTHER = 100
"""Values that a container next to one that is too large can hold, where there is room for so many."""


def _is_flat(value: Any) -> bool:
    kind = type(value)
    return kind is str or kind is int or value is None or kind is float or kind is bool


class _Pairs(NamedTuple):
    """What is read as a dict."""

    pairs: Iterable[tuple[Any, Any]]


class _Entries(NamedTuple):
    """What is read as a list."""

    entries: Iterable[Any]


class _Way(NamedTuple):
    """How values of some types are read: as a plain one, or (``nests``) as _Pairs, _Entries or what is read next."""

    types: tuple[type, ...]
    read: Callable[[Any], Any]
    nests: bool = True


# ---- leaves


def _exact_text(value: Any) -> str:
    return str.__str__(value) if issubclass(type(value), str) else str.__str__(str(value))


def _number(value: Any) -> Any:
    number: int = int.__index__(value) if issubclass(type(value), int) else int(value)
    return number if -(2**63) <= number < 2**64 else _digits(number)


def _digits(value: int) -> str:
    return hex(value) if value.bit_length() < 4 * MAX_REPR else f"<int of {value.bit_length()} bits>"


def _float(value: Any) -> float:
    return float.__float__(value) if issubclass(type(value), float) else float(value)


def _bytes(value: Any) -> bytes | str:
    """The bytes; of those past the bound a text's beginning, or of binary data its length and first bytes."""
    view = memoryview(value)
    if view.nbytes <= MAX_TEXT:
        return view.tobytes()
    head = view.cast("B")[:MAX_TEXT].tobytes()
    text = head.decode(errors="ignore")
    if len(text.encode()) > len(head) - 4:  # all of it but a character that was cut
        return text + "..."
    return f"<{view.nbytes} bytes, base64: {b64encode(head[:_SHOWN_BYTES]).decode()}>"


_SHOWN_BYTES = 768


def _moment(value: Any) -> Any:
    """Of a datetime with a zone the moment, of one without the text."""
    if type(value) is not datetime:
        return text_of(value, str)
    try:
        return value.isoformat() if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:  # at an end of the calendar
        return str(value)


def _written(value: Any) -> str:
    """As msgspec writes it, in ISO 8601 or in digits; a subclass as its own text."""
    if type(value) in (date, time, timedelta, Decimal, UUID):
        return str(msgspec.to_builtins(value))
    return text_of(value, str)


def _enum_value(value: Any) -> Any:
    return value._value_


# ---- containers


def _dict_pairs(value: Any) -> _Pairs:
    """Without a method of a subclass, so that reading makes no entry and waits for none."""
    return _Pairs(dict.items(value) if issubclass(type(value), dict) else _mapped(value))


def _mapping_pairs(value: Any) -> _Pairs:
    return _Pairs(_mapped(value))


def _mapped(mapping: Any) -> Iterator[tuple[Any, Any]]:
    """Each entry by itself: one that fails says so in its own place."""
    for key in mapping:
        try:
            entry = mapping[key]
        except BaseException as error:  # noqa: BLE001 -- the value's own method
            _pass_on(error)
            entry = unreadable(mapping)
        yield key, entry


def _chained_pairs(value: ChainMap[Any, Any]) -> _Pairs:
    """Map by map: to ask the whole for a key may make an entry in a map that has none."""
    return _Pairs(pair for mapping in reversed(value.maps) for pair in _pairs_of(mapping))


def _pairs_of(mapping: Any) -> Iterable[tuple[Any, Any]]:
    return (_chained_pairs(mapping) if issubclass(type(mapping), ChainMap) else _dict_pairs(mapping)).pairs


def _own_entries(value: Any) -> _Entries:
    """Without a method of a subclass."""
    for kind in _OWN:
        if issubclass(type(value), kind):
            own: Any = kind
            return _Entries(own.__iter__(value))
    return _Entries(iter(value))


_OWN = (list, tuple, set, frozenset, deque)


def _attributes(value: Any, names: Iterable[tuple[str, str]]) -> _Pairs:
    """Attributes under the names that they are said by, without those that are not set."""
    return _Pairs(_attribute_pairs(value, names))


def _attribute_pairs(value: Any, names: Iterable[tuple[str, str]]) -> Iterator[tuple[Any, Any]]:
    for said, name in names:
        try:
            entry = getattr(value, name)
        except AttributeError:
            continue
        except BaseException as error:  # noqa: BLE001 -- the value's own property
            _pass_on(error)
            entry = unreadable(value)
        if entry is not msgspec.UNSET:
            yield said, entry


def _struct(value: Any) -> Any:
    names = zip(type(value).__struct_encode_fields__, type(value).__struct_fields__, strict=True)
    config = type(value).__struct_config__
    if config.array_like:
        return _Entries(getattr(value, name) for _, name in names)
    tag = [] if config.tag_field is None else [(config.tag_field, config.tag)]
    return _Pairs(itertools.chain(tag, _attribute_pairs(value, names)))


def _dataclass(value: Any) -> _Pairs:
    from dataclasses import fields  # imported by whoever made the value

    return _attributes(value, ((field.name, field.name) for field in fields(value)))


def _attrs(value: Any) -> _Pairs:
    return _attributes(value, ((field.name, field.name) for field in type(value).__attrs_attrs__))


def _dumped(value: Any) -> Any:
    """A pydantic model by its own rules on what is said, where it is not so large that they would take for ever."""
    return value.model_dump() if is_small(vars(value) if hasattr(value, "__dict__") else None) else _too_large(value)


def _listed(value: Any) -> Any:
    """A numpy value in Python's; a large array says its shape and ends by its repr."""
    return value.tolist() if _length(value) <= MAX_VALUES else text_of(value, repr)


def _length(value: Any) -> int:
    for name, each in (("size", 1), ("nbytes", 8)):
        size = getattr(value, name, None)
        if type(size) is int:
            return size // each
    return len(value) if hasattr(type(value), "__len__") else 0


# ---- which is which

_WAYS = (
    _Way((Enum,), _enum_value),
    _Way((str, UserString), _exact_text, nests=False),
    _Way((int,), _number, nests=False),
    _Way((float,), _float, nests=False),
    _Way((bytes, bytearray, memoryview), _bytes, nests=False),
    _Way((datetime,), _moment, nests=False),
    _Way((date, time, timedelta, Decimal, UUID, PurePath), _written, nests=False),
    _Way((dict,), _dict_pairs),
    _Way((ChainMap,), _chained_pairs),
    _Way((Mapping,), _mapping_pairs),
    _Way((AbstractSet, deque, Sequence, ValuesView), _own_entries),
)
_OFFERS = (
    _Way((), _struct),
    _Way((), _dataclass),
    _Way((), _attrs),
    _Way((), _dumped),
    _Way((), _listed),
)
_OFFERED_BY = ("__struct_fields__", "__dataclass_fields__", "__attrs_attrs__", "model_dump", "tolist")
"""What a type has that its values are read by; the last two are how pydantic models and numpy say themselves."""


_KNOWN = {kind: way for way in (*_WAYS, _Way(_OWN, _own_entries)) for kind in way.types}


def _way(kind: type) -> _Way | None:
    """How values of a type are read, by what it is, else by what it offers; None for those with a repr alone."""
    if known := _KNOWN.get(kind):
        return known
    for way in _WAYS:
        if issubclass(kind, way.types):
            return way
    for name, way in zip(_OFFERED_BY, _OFFERS, strict=True):
        if getattr(kind, name, None) is not None:
            return way
    return None


# ---- texts ---------------------------------------------------------------------------------------------------------


def text_of(value: Any, say: Callable[[Any], Any]) -> str:
    """``str`` or ``repr`` of anything, bounded; a failing one is said, not raised."""
    try:
        if type(value) is str and say is str:
            text: Any = value
        elif is_small(value):
            text = say(value)
        else:
            return _too_large(value)
        text = str.__str__(text) if isinstance(text, str) else str(type(value))
    except BaseException as error:  # noqa: BLE001 -- the application's own __repr__
        _pass_on(error)
        return f"<{_name(type(value))}, its {getattr(say, '__name__', 'text')} raised {_name(type(error))}>"
    return clean(text if len(text) <= MAX_REPR else text[:MAX_REPR] + "...")


def label(value: Any) -> str | None:
    """An id or a name as its text; None where it is absent or blank."""
    text = value if value is None or type(value) is str else text_of(value, str)
    return text if text and not text.isspace() else None


def error_text(error: BaseException) -> dict[str, str]:
    """An exception as {type, message, stack}, each bounded; it keeps no frame alive."""
    try:
        stack = "".join(
            traceback.format_exception(error)
            if is_small(error)
            else traceback.format_tb(error.__traceback__, -_MAX_FRAMES)
        )
    except BaseException as failure:  # noqa: BLE001 -- an exception may fail to format itself
        _pass_on(failure)
        stack = ""
    return {
        "type": _name(type(error), "__qualname__"),
        "message": text_of(error, str),
        "stack": clean(stack[-MAX_STACK:]),
    }


_MAX_FRAMES = 100


def clean(text: str) -> str:
    """Text that UTF-8 can say: lone surrogates become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def unreadable(value: Any) -> str:
    """What is said of a value that failed while it was read."""
    return f"<unreadable {_name(type(value))}>"


def _too_large(value: Any) -> str:
    return f"<{_name(type(value))} of more than {MAX_VALUES} values>"


def _name(kind: type, which: str = "__name__") -> str:
    """A class's name, whatever its metaclass makes of the question."""
    name: str = type.__dict__[which].__get__(kind)
    return name[:MAX_REPR]


# ---- before something of the interpreter's walks through a value ----------------------------------------------------

_WALKED = (
    *_OWN,
    dict,
    slice,
    BaseException,
    SimpleNamespace,
    functools.partial,
    itertools.repeat,
)
"""What says all it holds when it is asked for its text, without a bound."""

_MEASURED = (str, bytes, bytearray)


def is_small(value: Any) -> bool:
    """Whether what the interpreter would walk through for its text is within the bounds; held twice counts twice."""
    if not issubclass(type(value), _WALKED):
        return True
    waiting, room = [value], MAX_CHARS
    while waiting:
        for held in gc.get_referents(waiting.pop()):
            kind = type(held)
            room -= _WALKED_CHARS + (len(held) if kind in _MEASURED else 0)
            if room < 0:
                return False
            if issubclass(kind, _WALKED) or hasattr(kind, "model_dump"):
                waiting.append(held)
    return True


_WALKED_CHARS = MAX_CHARS // MAX_VALUES
"""Characters that one value counts for, as above."""


# ---- what a value raises -------------------------------------------------------------------------------------------


def _pass_on(error: BaseException) -> None:
    """Raise what is not the value's own doing: Ctrl-C, and what a signal's handler raised while it was read."""
    if isinstance(error, KeyboardInterrupt) or (not isinstance(error, Exception) and _is_from_a_signal(error)):
        raise error


def _is_from_a_signal(error: BaseException) -> bool:
    found = [signal.getsignal(number) for number in signal.valid_signals()]
    handlers = {id(getattr(getattr(handler, "__func__", handler), "__code__", None)) for handler in found}
    return any(id(frame.f_code) in handlers for frame, _ in traceback.walk_tb(error.__traceback__))
