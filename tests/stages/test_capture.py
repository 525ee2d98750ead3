"""What capture keeps of a record, whatever the caller put into it."""

from __future__ import annotations

import decimal
import enum
import logging
import pathlib
import subprocess
import sys
import threading
import types
import uuid
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

import pytest

from raindrop_logging._pipeline.capture import capture
from raindrop_logging._pipeline.entries import block_of, packed_block
from raindrop_logging.plain import (
    MAX_DEPTH,
    MAX_REPR,
    MAX_TEXT,
    MAX_VALUES,
    error_text,
    is_simple,
    label,
    plain,
    text_of,
)
from tests.hostile import (
    EXITS,
    SHOWN,
    EndlessMapping,
    EndlessSet,
    HalfSequence,
    LazyMapping,
    Liar,
    failing,
    laughs,
    nested,
)

Point = namedtuple("Point", "x y")  # noqa: PYI024 -- the untyped kind is what is tried here


@dataclass
class _Order:
    number: int
    lines: list[str]


class _Colour(enum.Enum):
    RED = "red"


class _Model:
    def model_dump(self) -> dict[str, Any]:
        return {"a": 1}


class _Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class _Long:
    def __repr__(self) -> str:
        return "x" * 10_000


def _kept(value: Any) -> Any:
    record = logging.LogRecord("shop", logging.INFO, "/srv/shop.py", 1, "ai", (), None)
    snapshot = capture(record.__dict__, {"properties": {"v": value}}, None, 1)
    return block_of(snapshot)["properties"]["v"]


def _circular() -> list[Any]:
    ring: list[Any] = [1]
    ring.append(ring)
    return ring


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [1, (2, 3)]}, {"a": [1, [2, 3]]}),
        (OrderedDict(a=1), {"a": 1}),
        (_Order(7, ["tea"]), {"number": 7, "lines": ["tea"]}),
        (Point(1, 2), [1, 2]),
        (_Colour.RED, "red"),
        (decimal.Decimal("1.50"), "1.50"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (date(2026, 1, 2), "2026-01-02"),
        (b"raw", b"raw"),
        (_Model(), {"a": 1}),
        (2**80, hex(2**80)),
        ("a\ud800b", "a\ufffd\ufffd\ufffdb"),
        (_Rude(), "<_Rude, its repr raised RuntimeError>"),
        (_Long(), "x" * MAX_REPR + "..."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_of_every_kind_are_kept_as_plain_ones(value: Any, expected: Any) -> None:
    """Containers keep their structure; what has no plain form becomes a bounded, marked text."""
    assert _kept(value) == expected


ODD_ONES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "a number of many digits": lambda: (10**5000, "<int of 16610 bits>"),
    "a path": lambda: (pathlib.PurePosixPath("/srv"), "/srv"),
    "a range": lambda: (range(3), [0, 1, 2]),
    "a Counter": lambda: (Counter("tt"), {"t": 2}),
    "a memoryview by steps": lambda: (memoryview(b"o.d.")[::2], b"od"),
    "keys that collide": lambda: ({1: "a", "1": "b"}, {"1": "b"}),
    "keys that are no text": lambda: (
        {None: 1, True: 2, (3, 4): 5, b"k": 6},
        {"None": 1, "True": 2, "(3, 4)": 5, "k": 6},
    ),
    "a key with a lone surrogate": lambda: ({"\ud800": 1}, {"\ufffd\ufffd\ufffd": 1}),
    "a mapping that fails": lambda: (
        LazyMapping(),
        {"whole": 5, "broken": "<unreadable LazyMapping>", "also whole": 10},
    ),
    "a sequence that fails": lambda: (HalfSequence(), [0, 1, 2, "<unreadable from here: OSError>"]),
    "a dict whose methods fail": lambda: (failing("__iter__", "items", "keys", base=dict, args=({"a": 1},)), {"a": 1}),
    "a text whose methods fail": lambda: (failing("__str__", "__eq__", "__hash__", base=str, args=("odd",)), "odd"),
    "an object that lies": lambda: (Liar(dict), {"...": "<unreadable from here: TypeError>"}),
}


@pytest.mark.parametrize("name", ODD_ONES)
def test_what_fails_or_collides_is_kept_as_far_as_it_goes(name: str) -> None:
    """What can be read is, and the rest is marked in its place."""
    value, expected = ODD_ONES[name]()
    assert _kept(value) == expected


def test_times_keep_being_times() -> None:
    """A datetime is not flattened to text before its zone is known."""
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert _kept(moment) == moment


def test_a_circular_value_ends() -> None:
    """A list that holds itself is cut where it comes round, and said to be."""
    assert _kept(_circular()) == [1, "<circular>"]


def test_a_graph_with_many_ways_round_costs_no_more_than_its_bound() -> None:
    """Children that know their parent are an ordinary thing to log, not a reason to read for ever."""
    root: dict[str, Any] = {}
    root["children"] = [{"parent": root, "friend": root} for _ in range(8)]
    shared: list[Any] = []
    for _ in range(40):
        shared = [shared, shared, shared]
    said = repr(_kept({"root": root, "shared": shared, "self": root}))
    assert "<circular>" in said
    assert len(said) < 1_000_000


def test_mappings_and_sequences_of_other_kinds_are_read_as_such() -> None:
    """What the builders' types promise: any Mapping is a dict, any sequence a list, at every depth."""
    value = MappingProxyType({"a": deque([1, UserDict(b=2)]), "c": ChainMap({"d": 3})})
    assert _kept(value) == {"a": [1, {"b": 2}], "c": {"d": 3}}


def test_one_hostile_value_leaves_its_neighbours_whole() -> None:
    """Only the value that cannot be said is replaced."""
    assert _kept({"good": 1, "bad": _Rude(), "also good": [2]})["good"] == 1
    assert _kept({"good": 1, "bad": _Rude(), "also good": [2]})["also good"] == [2]


def test_the_type_is_the_key_before_the_message() -> None:
    """An explicit type wins over a message that happens to be one of the words."""
    record = logging.LogRecord("shop", logging.INFO, "/srv/shop.py", 1, "update", (), None)
    assert capture(record.__dict__, {"type": "ai"}, None, 1).word == "ai"
    assert capture(record.__dict__, {}, None, 1).word == "update"
    record.msg = "updated"
    assert capture(record.__dict__, {}, None, 1).word is None
    record.msg = "begin"
    assert capture(record.__dict__, OrderedDict(type="event"), None, 1).word == "event"


def test_an_exception_is_kept_as_text() -> None:
    """Type, message and stack, and no frame that would keep the caller's objects alive."""
    try:
        int("tea")
    except ValueError as error:
        exc_info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("shop", logging.ERROR, "/srv/shop.py", 1, "ai", (), exc_info)
    error_text = capture(record.__dict__, {}, None, 1).error
    assert error_text is not None
    assert (error_text.type, error_text.message) == ("ValueError", "invalid literal for int() with base 10: 'tea'")
    assert "Traceback" in error_text.stack
    assert record.exc_text is None


# ---- bounds ---------------------------------------------------------------------------------------------------------

ENDLESS: dict[str, Callable[[], Any]] = {
    "lists that hold one list many times": laughs,
    "tuples that hold one tuple many times": lambda: tuple(laughs()),
    "an object that holds them": lambda: _Order(7, laughs()),
    "a model_dump of them": lambda: types.SimpleNamespace(a=laughs()),
    "an exception of them": lambda: ValueError(laughs()),
    "a hundred thousand keys": lambda: {str(number): number for number in range(100_000)},
    "a million numbers": lambda: list(range(1_000_000)),
    "an endless set": EndlessSet,
    "an endless mapping": EndlessMapping,
    "ten thousand levels": lambda: nested(10_000),
    "large texts": lambda: ["x" * MAX_TEXT] * 10_000,
    "large keys": lambda: [{"k" * MAX_TEXT: 1}] * 10_000,
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_would_never_end_is_cut_and_marked(name: str) -> None:
    """Whichever way it is read, it ends, says that it was cut, and leaves its neighbours whole."""
    record = logging.LogRecord("shop", logging.INFO, "/srv/shop.py", 1, "ai", (), None)
    odd = ENDLESS[name]()
    packed = capture(
        record.__dict__, {"user_id": "u", "properties": {"odd": odd, "good": {"a": [1, 2]}}, "last": ["x"]}, None, 1
    )
    assert len(packed_block(packed)) < 32 * 2**20
    said = block_of(packed)
    assert (said["user_id"], said["properties"]["good"], said["last"]) == ("u", {"a": [1, 2]}, ["x"])
    text = repr(said["properties"]["odd"])
    assert any(mark in text for mark in ("<beyond ", "<deeper than ", " of more than "))


@pytest.mark.parametrize(
    ("value", "simple"),
    [
        ({"a": [1, "two", {"three": None}, (4.0, True)]}, True),
        ([0] * (MAX_VALUES - 100), True),
        ([0] * (MAX_VALUES + 1), False),
        (["x" * (MAX_TEXT - 200)], True),
        (["x" * (MAX_TEXT + 1)], False),
        (nested(MAX_DEPTH), True),
        (nested(MAX_DEPTH + 1), False),
        (laughs(), False),
        ({1: 2}, False),
        (OrderedDict(a=1), False),
        ([object()], False),
        ([b"raw"], False),
        (_circular(), False),
        ("text", False),
    ],
    ids=[
        "simple", "many", "too many", "long", "too long", "deep", "too deep", "laughs", "int key", "subclass", "object",
        "bytes", "circular", "no container",
    ],
)  # fmt: skip
def test_only_what_is_simple_and_small_is_not_read_value_by_value(value: Any, simple: bool) -> None:
    """The quick look finds exactly Python's own plain values within the bounds."""
    assert is_simple(value) is simple


def test_a_list_as_long_as_the_bound_is_kept_whole() -> None:
    """Nothing is cut that need not be, in the presence of an odd value too."""
    numbers = list(range(MAX_VALUES - 100))
    assert _kept(numbers) == numbers
    assert _kept([*numbers, _Colour.RED]) == [*numbers, "red"]


def test_a_long_text_of_bytes_says_how_it_begins() -> None:
    """What is text stays text; what is binary says how much it was."""
    assert _kept(b"x" * (MAX_TEXT + 5)) == "x" * MAX_TEXT + "..."
    assert _kept(bytearray(b"\xff" * (MAX_TEXT + 5))).startswith(f"<{MAX_TEXT + 5} bytes, base64: ////")


FIRST_LOOK = """
import logging, sys
from raindrop_logging._pipeline.capture import capture
from raindrop_logging.vocabulary import RECORD_TYPES

seen = set()
sys.setprofile(lambda frame, _event, _arg: seen.add(frame.f_globals.get("__name__")))
for word in RECORD_TYPES:
    record = logging.LogRecord("shop", logging.INFO, "/srv/shop.py", 1, word, (), None)
    capture(record.__dict__, {"properties": {}}, None, 1)
sys.setprofile(None)
print(sorted(name for name in seen if name == "typing"))
"""


def test_the_first_look_at_a_block_reads_no_annotations() -> None:
    """All types are known when the import ends: msgspec must not be interrupted while it learns one."""
    found = subprocess.run([sys.executable, "-c", FIRST_LOOK], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


def test_a_long_text_of_a_field_is_not_copied() -> None:
    """It is the caller's own, which no one can change, up to the size that no event has room for."""
    text, longer = "q" * MAX_TEXT, "a" * (MAX_TEXT + 1)
    record = logging.LogRecord("shop", logging.INFO, "/srv/shop.py", 1, "ai", (), None)
    snapshot = capture(record.__dict__, {"user_id": "u", "input": text, "output": longer}, None, 1)
    assert snapshot.texts is not None
    assert snapshot.texts["input"] is text
    assert snapshot.texts["output"] == "a" * MAX_TEXT + "..."
    assert snapshot.nbytes > 2 * MAX_TEXT
    assert block_of(snapshot) == {"user_id": "u", **snapshot.texts}


@pytest.mark.parametrize(
    "value", [1.5, decimal.Decimal("1.5"), {"a": [1, None]}, [True, "b"], _Colour.RED, {1: 2}, b"x"]
)
@pytest.mark.parametrize("key", ["properties", "input", "output", "attributes", "name", "misspelt"])
def test_the_quick_way_says_what_the_careful_one_says(key: str, value: Any) -> None:
    """Whether msgspec's one look finds a block usual or not, the same is kept of it."""
    record = logging.LogRecord("shop", logging.INFO, "/srv/shop.py", 1, "span", (), None)
    snapshot = capture(record.__dict__, {"kind": "tool", key: value}, None, 1)
    assert block_of(snapshot) == {"kind": "tool", key: plain(value)}


# ---- reading changes nothing -----------------------------------------------------------------------------------------


def test_reading_makes_no_entries() -> None:
    """A defaultdict, by itself or in a ChainMap, is left as it was."""
    own: defaultdict[str, list[int]] = defaultdict(list)
    assert _kept([own, ChainMap(own, {"a": 1}), MappingProxyType(own)]) == [{}, {"a": 1}, {}]
    assert own == {}


def test_reading_consumes_nothing() -> None:
    """Generators, iterators and files are where they were."""
    generator, numbers = (number for number in range(3)), iter([1, 2])
    _kept([generator, numbers])
    assert (list(generator), list(numbers)) == ([0, 1, 2], [1, 2])


def test_a_dict_that_another_thread_changes_costs_nothing() -> None:
    """While keys come and go, every snapshot is one of the dict."""
    shared: dict[str, Any] = {str(number): number for number in range(100)}
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            shared[f"new {number}"] = {number}
            shared.pop(f"new {number - 5}", None)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(2_000):
            said = _kept(shared)
            assert all(said[str(number)] == number for number in range(100))
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)


# ---- what a value raises ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXITS)
def test_what_a_value_raises_is_its_own_affair(name: str) -> None:
    """SystemExit, CancelledError and their like become text, in a repr, in a key and in an exception."""
    odd = failing(*SHOWN, error=EXITS[name])
    said = f"<Failing, its repr raised {EXITS[name].__name__}>"
    assert _kept({"v": odd, odd: 1}) == {"v": said, said.replace("repr", "str"): 1}
    assert text_of(odd, str) == said.replace("repr", "str")
    assert label(odd) == said.replace("repr", "str")
    error = failing(*SHOWN, error=EXITS[name], base=Exception)
    assert error_text(error)["message"] == said.replace("repr", "str")


@pytest.mark.parametrize("methods", [SHOWN, ("__iter__", "keys", "items"), ("__getattribute__",), ("model_dump",)])
def test_ctrl_c_is_nobody_s_own(methods: tuple[str, ...]) -> None:
    """A KeyboardInterrupt that arrives while a value is read reaches the caller."""
    base = UserDict if "keys" in methods else object
    odd = failing(*methods, error=KeyboardInterrupt, base=base)
    with pytest.raises(KeyboardInterrupt):
        _kept([odd])


def _refuse(held: Any) -> None:
    raise ValueError(held)


def test_an_exception_with_too_much_in_it_keeps_its_place() -> None:
    """The stack without the text: type and lines are said, what it holds is not walked through."""
    try:
        _refuse(laughs())
    except ValueError as error:
        said = error_text(error)
    assert said["message"] == f"<ValueError of more than {MAX_VALUES} values>"
    assert "test_capture.py" in said["stack"]
