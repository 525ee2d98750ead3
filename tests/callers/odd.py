"""Hundreds of values that nobody would log on purpose, by name; each is made anew when it is asked for."""

from __future__ import annotations

import abc
import array
import asyncio
import collections
import contextvars
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import io
import ipaddress
import itertools
import logging
import operator
import pathlib
import queue
import random
import re
import string
import struct
import sys
import threading
import types
import typing
import uuid
import weakref
import zoneinfo
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pydantic

from tests.hostile import (
    ASKED,
    COMPARED,
    EVERYTHING,
    EXITS,
    READ,
    SHOWN,
    Echo,
    EndlessMapping,
    EndlessSequence,
    EndlessSet,
    Growing,
    HalfSequence,
    LazyMapping,
    Liar,
    MetaRude,
    NewEachTime,
    OfRudeMeta,
    TextOfNoText,
    dict_ring,
    failing,
    failing_property,
    laughs,
    nested,
    ring,
)

Point = collections.namedtuple("Point", "x y")  # noqa: PYI024 -- the untyped kind is what is tried here


@dataclasses.dataclass
class Order:
    """A dataclass."""

    number: int = 7
    lines: list[Any] = dataclasses.field(default_factory=lambda: ["tea", {"sugar": None}])


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    """A dataclass with slots."""

    a: Any = 1


class Model(pydantic.BaseModel):
    """A pydantic model."""

    a: Any = 1
    when: dt.datetime = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    secret: pydantic.SecretStr = pydantic.SecretStr("hush")


class Struct(msgspec.Struct, rename="camel", tag="odd"):
    """A msgspec Struct with other names on the wire."""

    first_key: Any = 1
    second_key: Any = msgspec.UNSET


class Row(msgspec.Struct, array_like=True):
    """A msgspec Struct that is written as a list."""

    a: Any = 1


class Colour(enum.Enum):
    """An enum of odd values."""

    RED = "red"
    PAIR = (1, 2)
    THING = object()


class Number(enum.IntEnum):
    """An enum of numbers."""

    ONE = 1


class Word(enum.StrEnum):
    """An enum of texts."""

    YES = "yes"


class Bits(enum.Flag):
    """Flags."""

    A = 1
    B = 2


class Text(str):
    """A text of another class."""

    __slots__ = ()


class Whole(int):
    """An int of another class."""


class Real(float):
    """A float of another class."""


class Octets(bytes):
    """Bytes of another class."""


class Moment(dt.datetime):
    """A datetime of another class."""


class RudeZone(dt.tzinfo):
    """A zone that fails."""

    def utcoffset(self, _when: dt.datetime | None) -> dt.timedelta:
        """Fail."""
        raise RuntimeError("no offset")

    dst = utcoffset
    tzname: Any = utcoffset


class Array:
    """As numpy's: says its size, its values and a short text."""

    def __init__(self, values: Any, size: Any = None) -> None:
        self._values = values
        self.size = len(values) if size is None else size

    def tolist(self) -> Any:
        """The values."""
        return self._values

    def __repr__(self) -> str:
        return "array([0, 1, 2, ..., 7, 8, 9])"


class Offers:
    """An object with one method, under the name of which values say themselves."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def model_dump(self) -> Any:
        """The answer."""
        return self.answer


class LongText:
    """An object with a repr of ten million characters."""

    def __repr__(self) -> str:
        return "\ud800x" * 5_000_000


class Descriptor:
    """What is done to get an attribute of it fails."""

    def __get__(self, _instance: object, _owner: object) -> Any:
        raise RuntimeError("not here")


class Described:
    """Its conversions cannot even be looked up."""

    model_dump = Descriptor()
    tolist = Descriptor()
    __dataclass_fields__ = Descriptor()


class FalseDataclass:
    """It has the mark of a dataclass, and nothing behind it."""

    __dataclass_fields__ = 5


class FalseStruct:
    """It has the marks of a Struct, and nothing behind them."""

    __struct_fields__ = ("a",)


class FalseAttrs:
    """It has the mark of an attrs class, and nothing behind it."""

    __attrs_attrs__ = (1, 2)


def _generator() -> Iterator[int]:
    yield 1


async def _asynchronous() -> int:
    return 1


async def _asynchronous_generator() -> Any:
    yield 1


def _coroutine() -> Any:
    made = _asynchronous()
    made.close()  # one that is never awaited would warn
    return made


def _lock_held() -> Any:
    lock = threading.Lock()
    lock.acquire()
    return lock


def _released() -> memoryview:
    view = memoryview(b"gone")
    view.release()
    return view


def _closed() -> Any:
    file = io.BytesIO(b"x")
    file.close()
    return file


def _raised() -> BaseException:
    try:
        _refuse()
    except ValueError as error:
        return error
    raise AssertionError


def _refuse() -> None:
    raise ValueError("tea") from KeyError("cup")


def _frame() -> Any:
    return sys._getframe()


def _future() -> Any:
    loop = asyncio.new_event_loop()
    try:
        return loop.create_future()
    finally:
        loop.close()


def _unset_slot() -> Any:
    return object.__new__(Slotted)


def _tuples() -> tuple[Any, ...]:
    held: tuple[Any, ...] = ()
    for _ in range(5):
        held = (held,) * 10
    return held


def _shared_children() -> Any:
    root: dict[str, Any] = {"children": []}
    root["children"] = [{"parent": root, "friend": root} for _ in range(8)]
    return root


def _chained() -> Any:
    return collections.ChainMap(collections.defaultdict(list), {"a": 1}, {"a": 2, "b": 3})


def _exception(*args: Any) -> BaseException:
    return RuntimeError(*args)


def _notes() -> BaseException:
    error = ValueError("tea")
    error.add_note("with sugar")
    error.__notes__.append(failing(*SHOWN))
    return error


def _self_caused() -> BaseException:
    error = ValueError("tea")
    other = ValueError("cup")
    error.__context__, other.__context__ = other, error
    return error


Factories = dict[str, Callable[[], Any]]

SCALARS: Factories = {
    "None": lambda: None,
    "true": lambda: True,
    "zero": lambda: 0,
    "minus one": lambda: -1,
    "2**63": lambda: 2**63,
    "2**64": lambda: 2**64,
    "-2**63": lambda: -(2**63),
    "-2**63-1": lambda: -(2**63) - 1,
    "4300 digits": lambda: 10**4299,
    "4301 digits": lambda: 10**4300,
    "a million bits": lambda: 1 << 1_000_000,
    "minus a million bits": lambda: -(1 << 1_000_000),
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "minus infinity": lambda: float("-inf"),
    "minus zero": lambda: -0.0,
    "smallest float": lambda: 5e-324,
    "largest float": lambda: sys.float_info.max,
    "complex": lambda: 1 + 2j,
    "complex NaN": lambda: complex("nan"),
    "fraction": lambda: fractions.Fraction(1, 3),
    "Decimal": lambda: decimal.Decimal("1.50"),
    "Decimal NaN": lambda: decimal.Decimal("NaN"),
    "Decimal sNaN": lambda: decimal.Decimal("sNaN"),
    "Decimal of many digits": lambda: decimal.Decimal("1" * 20_000),
    "Decimal of a large exponent": lambda: decimal.Decimal("1e999999"),
    "Ellipsis": lambda: ...,
    "NotImplemented": lambda: NotImplemented,
    "UNSET": lambda: msgspec.UNSET,
    "int subclass": lambda: Whole(5),
    "large int subclass": lambda: Whole(10**5000),
    "float subclass": lambda: Real(1.5),
    "IntEnum": lambda: Number.ONE,
    "StrEnum": lambda: Word.YES,
    "Enum": lambda: Colour.RED,
    "Enum of a tuple": lambda: Colour.PAIR,
    "Enum of an object": lambda: Colour.THING,
    "Flag": lambda: Bits.A | Bits.B,
}

TEXTS: Factories = {
    "empty text": lambda: "",
    "blank text": lambda: " \t\n",
    "zero character": lambda: "a\x00b",
    "control characters": lambda: "".join(map(chr, range(32))),
    "line separators": lambda: "a\u2028b\u2029c\x85d",
    "a byte order mark": lambda: "\ufeffa",
    "not a character": lambda: "\uffff\U0010ffff",
    "lone high surrogate": lambda: "a\ud83d",
    "lone low surrogate": lambda: "\ude00b",
    "surrogates the wrong way round": lambda: "\ude00\ud83d",
    "surrogates that make a pair": lambda: "\ud83d\ude00",
    "combining characters": lambda: "a" + "\u0301" * 1_000,
    "right to left": lambda: "\u202eabc",
    "emoji": lambda: "👩‍👩‍👧" * 10,
    "quotes and backslashes": lambda: "\\\"'\\u0000\\",
    "looks like JSON": lambda: '{"a": NaN}',
    "looks like a marker": lambda: "...[truncated by raindrop]",
    "looks like a format": lambda: "%s %(a)s {} {0} ${a}",
    "text subclass": lambda: Text("odd"),
    "surrogate in a text subclass": lambda: Text("\ud800"),
    "UserString": lambda: collections.UserString("odd"),
    "template": lambda: string.Template("$a"),
    "bytes": lambda: b"raw",
    "empty bytes": lambda: b"",
    "bytes beyond UTF-8": lambda: b"\xff\xfe\x00",
    "half a character": lambda: "é".encode()[:1],
    "bytes subclass": lambda: Octets(b"odd"),
    "bytearray": lambda: bytearray(b"odd"),
    "memoryview": lambda: memoryview(b"odd"),
    "memoryview by steps": lambda: memoryview(b"o.d.d.")[::2],
    "memoryview of numbers": lambda: memoryview(array.array("d", [1.0, 2.0])),
    "memoryview in two dimensions": lambda: memoryview(b"abcd").cast("B", (2, 2)),
    "released memoryview": _released,
    "every byte": lambda: bytes(range(256)),
}

TIMES: Factories = {
    "datetime": lambda: dt.datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 -- without a zone on purpose
    "datetime with a zone": lambda: dt.datetime(2026, 1, 2, tzinfo=zoneinfo.ZoneInfo("UTC")),
    "datetime with an offset": lambda: dt.datetime(2026, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=5, seconds=1))),
    "datetime subclass": lambda: Moment(2026, 1, 2, tzinfo=dt.UTC),
    "first datetime": lambda: dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=23))),
    "last datetime": lambda: dt.datetime.max.replace(tzinfo=dt.timezone(-dt.timedelta(hours=23))),
    "datetime with a rude zone": lambda: dt.datetime(2026, 1, 2, tzinfo=RudeZone()),
    "time with a rude zone": lambda: dt.time(1, tzinfo=RudeZone()),
    "date": lambda: dt.date(2026, 1, 2),
    "time": lambda: dt.time(1, 2, 3, 4),
    "timedelta": lambda: dt.timedelta(days=1, microseconds=1),
    "largest timedelta": lambda: dt.timedelta.max,
    "smallest timedelta": lambda: dt.timedelta.min,
    "rude zone": RudeZone,
    "zone": lambda: zoneinfo.ZoneInfo("UTC"),
}

CONTAINERS: Factories = {
    "empty list": list,
    "empty dict": dict,
    "empty tuple": tuple,
    "empty set": set,
    "list of odd things": lambda: [None, object(), b"\xff", {1}, "\ud800", float("nan")],
    "set": lambda: {1, "a", None},
    "frozenset": lambda: frozenset({1, (2, 3)}),
    "deque": lambda: collections.deque([1, 2], maxlen=2),
    "named tuple": lambda: Point(1, 2),
    "OrderedDict": lambda: collections.OrderedDict(a=1),
    "Counter": lambda: collections.Counter("tea"),
    "defaultdict": lambda: collections.defaultdict(list, a=[1]),
    "UserDict": lambda: collections.UserDict(a=1),
    "UserList": lambda: collections.UserList([1, object()]),
    "ChainMap": lambda: collections.ChainMap({"a": 1}, {"b": 2}),
    "ChainMap over a defaultdict": _chained,
    "MappingProxyType": lambda: types.MappingProxyType({"a": {1, 2}}),
    "SimpleNamespace": lambda: types.SimpleNamespace(a=1),
    "dict keys": {"a": 1}.keys,
    "dict values": {"a": 1}.values,
    "dict items": {"a": 1}.items,
    "range": lambda: range(3),
    "endless range": lambda: range(10**18),
    "slice": lambda: slice(1, 2),
    "array": lambda: array.array("d", [1.5, 2.5]),
    "int keys": lambda: {1: "a", 2: "b"},
    "int and text keys that collide": lambda: {1: "a", "1": "b"},
    "keys that collide when said": lambda: {None: 1, "None": 2, True: 3, "True": 4, 1.5: 5, "1.5": 6},
    "bytes keys": lambda: {b"a": 1, "a": 2, b"\xff": 3},
    "tuple keys": lambda: {(1, 2): 3, "(1, 2)": 4},
    "keys of huge numbers": lambda: {10**5000: 1, 2**70: 2},
    "NaN keys": lambda: {float("nan"): 1, float("inf"): 2},
    "lone surrogates in keys": lambda: {chr(0xD800): 1, chr(0xD801): 2, chr(0xFFFD): 3},
    "enum keys": lambda: {Colour.RED: 1, Word.YES: 2, Number.ONE: 3, Colour.PAIR: 4},
    "date keys": lambda: {dt.date(2026, 1, 1): 1, dt.datetime(2026, 1, 1, tzinfo=dt.UTC): 2},
    "object keys": lambda: {object(): 1, int: 2, len: 3},
    "keys that cannot be said": lambda: {failing(*SHOWN): 1, failing(*SHOWN, error=SystemExit): 2},
    "key of a text subclass": lambda: {Text("a"): 1, "a": 2, Text("\ud800"): 3},
    "key that is a dataclass": lambda: {Slotted(): 1},
    "a blank key": lambda: {"": 1, " ": 2},
    "a key with dots": lambda: {"a.b": {"$c": 1, "__proto__": 2}},
    "a long key": lambda: {"k" * 5_000: 1},
    "a list that holds itself": ring,
    "a dict that holds itself": dict_ring,
    "children that know their parent": _shared_children,
    "40 levels of lists": lambda: nested(40),
    "40 levels of dicts": lambda: nested(40, "dict"),
    "40 levels of tuples": lambda: nested(40, "tuple"),
    "10,000 levels of lists": lambda: nested(10_000),
    "10,000 levels of dicts": lambda: nested(10_000, "dict"),
    "a lazy mapping that raises": LazyMapping,
    "a sequence that raises half-way": HalfSequence,
    "a dict that grows": lambda: Growing(a=1),
    "dict subclass that fails": lambda: failing(*EVERYTHING, base=dict, args=({"a": 1},)),
    "list subclass that fails": lambda: failing(*EVERYTHING, base=list, args=([1, 2],)),
    "tuple subclass that fails": lambda: failing(*EVERYTHING, base=tuple, args=([1, 2],)),
    "set subclass that fails": lambda: failing(*EVERYTHING, base=set, args=([1, 2],)),
    "frozenset subclass that fails": lambda: failing(*EVERYTHING, base=frozenset, args=([1, 2],)),
    "text subclass that fails": lambda: failing(*EVERYTHING, "encode", "isspace", base=str, args=("odd",)),
    "text subclass that exits": lambda: failing(*EVERYTHING, base=str, args=("odd",), error=SystemExit),
    "int subclass that fails": lambda: failing(*EVERYTHING, "bit_length", base=int, args=(5,)),
    "float subclass that fails": lambda: failing(*EVERYTHING, base=float, args=(1.5,)),
    "bytes subclass that fails": lambda: failing(*EVERYTHING, "decode", base=bytes, args=(b"odd",)),
    "bytearray subclass that fails": lambda: failing(*EVERYTHING, "decode", base=bytearray, args=(b"odd",)),
    "deque subclass that fails": lambda: failing(*EVERYTHING, base=collections.deque, args=([1],)),
    "datetime subclass that fails": lambda: failing(
        *EVERYTHING, "astimezone", "isoformat", "utcoffset", base=dt.datetime, args=(2026, 1, 2)
    ),
    "date subclass that fails": lambda: failing(*EVERYTHING, "isoformat", base=dt.date, args=(2026, 1, 2)),
    "Decimal subclass that fails": lambda: failing(*EVERYTHING, base=decimal.Decimal, args=("1.5",)),
    "UUID subclass that fails": lambda: failing(*SHOWN, "hex", base=uuid.UUID, args=("5" * 32,)),
    "path subclass that fails": lambda: failing(
        *SHOWN, "__fspath__", "as_posix", base=pathlib.PurePosixPath, args=("/srv",)
    ),
    "OrderedDict subclass that fails": lambda: failing(*EVERYTHING, base=collections.OrderedDict),
}

OBJECTS: Factories = {
    "object": object,
    "dataclass": Order,
    "dataclass with slots": Slotted,
    "dataclass with a slot that is not set": _unset_slot,
    "dataclass in itself": lambda: Order(lines=[Order(lines=[Order()])]),
    "dataclass that holds the odd": lambda: Slotted(failing(*EVERYTHING)),
    "dataclass class": lambda: Order,
    "pydantic model": Model,
    "pydantic model that holds the odd": lambda: Model(a=Order()),
    "pydantic class": lambda: Model,
    "Struct": Struct,
    "Struct that holds the odd": lambda: Struct(object(), {1: 2}),
    "Struct written as a list": Row,
    "msgspec.Raw": lambda: msgspec.Raw(b"{not json"),
    "msgspec Ext": lambda: msgspec.msgpack.Ext(1, b"odd"),
    "UUID": lambda: uuid.UUID(int=5),
    "path": lambda: pathlib.PurePosixPath("/srv/shop"),
    "path with a surrogate": lambda: pathlib.PurePosixPath("/srv/\udcff"),
    "address": lambda: ipaddress.ip_address("127.0.0.1"),
    "pattern": lambda: re.compile("a+"),
    "match": lambda: re.match("a", "a"),
    "exception": _raised,
    "exception of no arguments": _exception,
    "exception of itself": lambda: _exception(_exception(), ring()),
    "exception that cannot be said": lambda: failing(*SHOWN, base=Exception),
    "exception with odd notes": _notes,
    "exceptions that are each other's context": _self_caused,
    "exception group": lambda: ExceptionGroup("all", [ValueError("a"), ExceptionGroup("in", [KeyError("b")])]),
    "exception class": lambda: ValueError,
    "exit": lambda: SystemExit(1),
    "traceback": lambda: _raised().__traceback__,
    "frame": _frame,
    "code": lambda: _frame.__code__,
    "module": lambda: sys,
    "class": lambda: dict,
    "abstract class": lambda: abc.ABC,
    "class of a rude metaclass": lambda: OfRudeMeta,
    "instance of a rude metaclass": lambda: object.__new__(OfRudeMeta),
    "rude metaclass": lambda: MetaRude,
    "type variable": lambda: typing.TypeVar("T"),
    "generic alias": lambda: dict[str, int],
    "union": lambda: int | str,
    "function": lambda: _frame,
    "lambda": lambda: lambda: None,
    "built-in function": lambda: len,
    "method": lambda: Order().__eq__,
    "method of the odd": lambda: types.MethodType(len, failing(*SHOWN)),
    "partial": lambda: functools.partial(print, object()),
    "item getter": lambda: operator.itemgetter(1),
    "property": lambda: property(len),
    "generator": _generator,
    "asynchronous generator": _asynchronous_generator,
    "coroutine": _coroutine,
    "iterator": lambda: iter([1, 2]),
    "endless iterator": itertools.count,
    "endless repeat": lambda: itertools.repeat(1),
    "map": lambda: map(int, ["x"]),
    "zip": lambda: zip([1], [2], strict=False),
    "lock": threading.Lock,
    "held lock": _lock_held,
    "reentrant lock": threading.RLock,
    "condition": threading.Condition,
    "event": threading.Event,
    "thread": threading.Thread,
    "thread local": threading.local,
    "queue": queue.Queue,
    "context variable": lambda: contextvars.ContextVar("v", default=1),
    "context": contextvars.copy_context,
    "future": _future,
    "file in memory": lambda: io.StringIO("text"),
    "closed file": _closed,
    "standard error": lambda: sys.stderr,
    "logger": lambda: logging.getLogger("shop"),
    "log record": lambda: logging.makeLogRecord({"msg": object()}),
    "weak reference": lambda: weakref.ref(Order),
    "weak values": weakref.WeakValueDictionary,
    "weak set": weakref.WeakSet,
    "random": lambda: random.Random(1),  # noqa: S311
    "struct": lambda: struct.Struct("<i"),
    "model_dump of a dict": lambda: Offers({"a": {1: object()}}),
    "model_dump of itself": lambda: Offers(failing("model_dump")),
    "model_dump that fails": lambda: failing("model_dump"),
    "model_dump that exits": lambda: failing("model_dump", error=SystemExit),
    "tolist": lambda: Array([1, 2.5, None]),
    "tolist in two dimensions": lambda: Array([[1], [2]]),
    "tolist of the odd": lambda: Array([object(), failing(*SHOWN)]),
    "tolist that fails": lambda: failing("tolist"),
    "tolist of a huge array": lambda: Array(None, size=10**12),
    "tolist with an odd size": lambda: Array([1], size=failing(*EVERYTHING)),
    "always a new one": NewEachTime,
    "conversions that cannot be looked up": Described,
    "false dataclass": FalseDataclass,
    "false Struct": FalseStruct,
    "false attrs class": FalseAttrs,
    "a long repr": LongText,
    "a repr that asks for itself": Echo,
    "a repr that is no text": TextOfNoText,
    "a format that fails": lambda: failing("__format__"),
}

LIARS: Factories = {
    f"says it is {name}": functools.partial(Liar, claimed)
    for name, claimed in {
        "a str": str,
        "an int": int,
        "a bool": bool,
        "a float": float,
        "bytes": bytes,
        "a dict": dict,
        "a list": list,
        "a set": set,
        "None": type(None),
        "a datetime": dt.datetime,
        "an enum": Colour,
        "a dataclass": Order,
        "a Decimal": decimal.Decimal,
        "an exception": ValueError,
        "a number": 5,
        "of a rude metaclass": OfRudeMeta,
    }.items()
}

FAILING: Factories = {
    **{f"{name} fails": functools.partial(failing, name) for name in (*SHOWN, *COMPARED, *READ, *ASKED)},
    **{f"repr raises {name}": functools.partial(failing, *SHOWN, error=error) for name, error in EXITS.items()},
    **{f"hash raises {name}": functools.partial(failing, *COMPARED, error=error) for name, error in EXITS.items()},
    **{
        f"a mapping whose keys raise {name}": functools.partial(
            failing, "__iter__", "items", "keys", error=error, base=collections.UserDict, args=({"a": 1},)
        )
        for name, error in EXITS.items()
    },
    **{
        f"getattribute raises {name}": functools.partial(failing, "__getattribute__", error=error)
        for name, error in EXITS.items()
    },
    "everything fails": lambda: failing(*EVERYTHING),
    "everything exits": lambda: failing(*EVERYTHING, "__getattribute__", error=SystemExit),
    "its class fails": lambda: failing_property("__class__"),
    "its class exits": lambda: failing_property("__class__", SystemExit),
    "its dict fails": lambda: failing_property("__dict__"),
    "its size fails": lambda: failing_property("size"),
}

HEAVY: Factories = {
    "lists that hold one list many times": laughs,
    "tuples that hold one tuple many times": lambda: tuple(laughs(30, 30)),
    "dataclass of too many lists": lambda: Order(lines=laughs()),
    "namespace of too many lists": lambda: types.SimpleNamespace(a=laughs()),
    "exception of too many lists": lambda: ValueError(laughs()),
    "partial of too many lists": lambda: functools.partial(print, laughs()),
    "model of too many lists": lambda: Model(a=laughs()),
    "Struct of too many lists": lambda: Struct(laughs()),
    "tolist of too many lists": lambda: Array(laughs(), size=10),
    "model_dump of too many lists": lambda: Offers(laughs()),
    "key of too many tuples": lambda: {_tuples(): 1},
    "slice of too many lists": lambda: slice(laughs()),
    "a million numbers": lambda: list(range(1_000_000)),
    "a set of a hundred thousand": lambda: set(range(100_000)),
    "a hundred thousand keys": lambda: {str(number): number for number in range(100_000)},
    "a hundred thousand lists": lambda: [[number] for number in range(100_000)],
    "an array of a million": lambda: array.array("d", range(1_000_000)),
    "a text of ten million": lambda: "x" * 10_000_000,
    "two million emoji": lambda: "😀" * 2_000_000,
    "a million control characters": lambda: "\x00" * 1_000_000,
    "a million surrogates": lambda: "\ud800" * 1_000_000,
    "one large text many times": lambda: ["x" * 1_000_000] * 1_000,
    "ten million bytes": lambda: b"\xff" * 10_000_000,
    "ten million bytes of text": lambda: bytearray(b"x" * 10_000_000),
    "a key of a million": lambda: {"k" * 1_000_000: 1},
    "a thousand long keys": lambda: {f"{number}" + "k" * 5_000: number for number in range(1_000)},
    "an endless mapping": EndlessMapping,
    "an endless set": EndlessSet,
    "an endless sequence": EndlessSequence,
    "a Decimal of a million digits": lambda: decimal.Decimal("1" * 1_000_000),
}
"""What takes milliseconds to be bounded."""

LIGHT: Factories = {**SCALARS, **TEXTS, **TIMES, **CONTAINERS, **OBJECTS, **LIARS, **FAILING}
