"""What capture keeps of a record, whatever the caller put into it."""

from __future__ import annotations

import decimal
import enum
import logging
import uuid
from collections import ChainMap, OrderedDict, UserDict, deque, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from raindrop_logging._pipeline.capture import capture
from raindrop_logging.plain import MAX_REPR

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
    snapshot = capture(record, {"properties": {"v": value}}, None, 1)
    return msgspec.msgpack.decode(snapshot.block)["properties"]["v"]


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
    assert capture(record, {"type": "ai"}, None, 1).word == "ai"
    assert capture(record, {}, None, 1).word == "update"
    record.msg = "updated"
    assert capture(record, {}, None, 1).word is None
    record.msg = "begin"
    assert capture(record, OrderedDict(type="event"), None, 1).word == "event"


def test_an_exception_is_kept_as_text() -> None:
    """Type, message and stack, and no frame that would keep the caller's objects alive."""
    try:
        int("tea")
    except ValueError as error:
        exc_info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("shop", logging.ERROR, "/srv/shop.py", 1, "ai", (), exc_info)
    error_text = capture(record, {}, None, 1).error
    assert error_text is not None
    assert (error_text.type, error_text.message) == ("ValueError", "invalid literal for int() with base 10: 'tea'")
    assert "Traceback" in error_text.stack
    assert record.exc_text is None
