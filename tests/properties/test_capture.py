"""Hypothesis: whatever a block is made of, capture takes it, and what it keeps can be written as JSON."""

from __future__ import annotations

import json
import logging
import re
from collections import ChainMap, OrderedDict, deque
from collections.abc import Callable
from types import MappingProxyType, SimpleNamespace
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from raindrop_logging._pipeline.capture import capture
from raindrop_logging._pipeline.entries import Refusal, Snapshot, block_of
from raindrop_logging._pipeline.router import Router
from raindrop_logging.plain import MAX_DEPTH, MAX_VALUES, frozen, is_simple, plain
from raindrop_logging.vocabulary import STRUCTS
from tests.callers.odd import LIGHT, Array, Offers, Slotted, Struct
from tests.hostile import EXITS, SHOWN, LazyMapping, failing

texts = st.text(st.characters(exclude_categories=()), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=20) | texts | st.datetimes()
keys = texts | st.integers() | st.none() | st.booleans() | st.binary(max_size=5) | st.tuples(st.integers())

_CONTAINERS: dict[str, Callable[[dict[Any, Any]], Any]] = {
    "list": lambda held: list(held.values()),
    "tuple": lambda held: tuple(held.values()),
    "deque": lambda held: deque(held.values()),
    "dict": dict,
    "OrderedDict": OrderedDict,
    "MappingProxyType": MappingProxyType,
    "ChainMap": lambda held: ChainMap({}, held, held),
    "dataclass": Slotted,
    "Struct": lambda held: Struct(held, list(held)),
    "namespace": lambda held: SimpleNamespace(held=held),
    "model_dump": Offers,
    "tolist": lambda held: Array(list(held.values())),
    "lazy": lambda _held: LazyMapping(),
}


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.sampled_from(sorted(_CONTAINERS)), st.dictionaries(keys, inner, max_size=5))


recipes = st.recursive(
    st.tuples(st.just("scalar"), scalars)
    | st.tuples(st.just("odd"), st.sampled_from(sorted(LIGHT)))
    | st.tuples(st.just("hostile"), st.sampled_from(sorted(EXITS))),
    _containers,
    max_leaves=20,
)
"""How to make a value, since hypothesis would trip over the values themselves."""


def _made(recipe: tuple[str, Any]) -> Any:
    kind, what = recipe
    if kind == "scalar":
        return what
    if kind == "odd":
        return LIGHT[what]()
    if kind == "hostile":
        return failing(*SHOWN, "__hash__", "__eq__", error=EXITS[what])
    return _CONTAINERS[kind]({key: _made(inner) for key, inner in what.items()})


simple = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


def _captured(block: Any) -> Any:
    record = logging.LogRecord("shop", logging.INFO, "/srv/shop.py", 1, "ai", (), None)
    return block_of(capture(record.__dict__, block, None, 1))


def _size(value: Any, depth: int = 0) -> tuple[int, int]:
    """How many values there are, and how deep they go."""
    entries = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    sizes = [_size(entry, depth + 1) for entry in entries]
    return 1 + sum(size for size, _ in sizes), max((deep for _, deep in sizes), default=depth)


@given(recipes)
@settings(max_examples=300)
def test_anything_is_kept_within_the_bounds(recipe: tuple[str, Any]) -> None:
    """The field beside it is whole, keys are texts, and neither number nor depth of values passes its bound."""
    kept = _captured({"odd": _made(recipe), "good": [1, "two"]})
    assert kept["good"] == [1, "two"]
    many, deep = _size(kept["odd"])
    assert many <= MAX_VALUES + 2
    assert deep <= MAX_DEPTH
    _assert_text_keys(kept)


@given(recipes)
@settings(max_examples=200)
def test_anything_can_be_the_block(recipe: tuple[str, Any]) -> None:
    """What is no dict is kept as what it is, and refused later on."""
    _assert_text_keys(_captured(_made(recipe)))


LONG = "long"
"""Stands for a text that is too long to be shown by hypothesis."""

events = st.fixed_dictionaries(
    {},
    optional={
        "user_id": texts | st.none(),
        "event": st.sampled_from(["chat", "", "c" * 300]),
        "event_id": texts | st.none() | st.integers(),
        "input": texts | st.just(LONG),
        "output": texts | st.none(),
        "properties": st.none() | st.dictionaries(texts, scalars | st.lists(scalars, max_size=3), max_size=5),
        "type": st.sampled_from(["ai", "finish", "?"]),
        "tags": st.lists(texts, max_size=2),
    },
)


fields = st.sampled_from(["user_id", "input", "output", "properties", "timestamp", "type"])


@given(events, st.dictionaries(fields, recipes, max_size=1), st.dictionaries(st.text(max_size=3), recipes, max_size=2))
@settings(max_examples=500)
def test_a_usual_event_is_kept_as_any_other_block_would_be(
    event: dict[str, Any], odd: dict[str, Any], inside: dict[str, Any]
) -> None:
    """However it is kept, the stages behind read what a careful look at the block says."""
    blocks = []
    for _ in range(2):
        block = event | {key: _made(recipe) for key, recipe in odd.items()}
        if type(block.get("properties")) is dict:
            block["properties"] = block["properties"] | {key: _made(recipe) for key, recipe in inside.items()}
        if block.get("input") is LONG and not (odd or inside):  # beside it, one more of what has no end would fit
            block["input"] = "q" * 70_000
        blocks.append(block)
    assert _said(_captured(blocks[0])) == _said(frozen(blocks[1]))


@given(events)
@settings(max_examples=300)
def test_a_usual_event_is_as_valid_as_any_other_block_would_be(event: dict[str, Any]) -> None:
    """What is refused, and what comes of the rest, does not depend on how it was kept."""
    record = logging.LogRecord("shop", logging.INFO, "/srv/shop.py", 1, "ai", (), None)
    for word in ("ai", "event", "begin", "update", "finish"):
        record.msg = word
        usual, careful = (_outcome(capture(record.__dict__, block, None, 1)) for block in (event, OrderedDict(event)))
        assert usual == careful, word


def _outcome(snapshot: Snapshot) -> str:
    found = Router({}).route(snapshot)
    if isinstance(found, Refusal):
        return repr(found)
    block = {name: getattr(found.block, name) for name in STRUCTS[found.type].__struct_fields__}
    return repr((found.type, found.event_id, found.timestamp, block))


def _said(block: dict[str, Any]) -> str:
    """The fields that it says, whatever their order and wherever in memory something is that has no better text."""
    said = sorted((key, value) for key, value in block.items() if value is not None)
    return re.sub("0x[0-9a-f]+|Thread-[0-9]+", "", repr(said))


@given(recipes)
@settings(max_examples=200)
def test_plain_values_are_final(recipe: tuple[str, Any]) -> None:
    """To read what has been read changes nothing, and JSON can say it."""
    said = plain(_made(recipe))
    json.loads(msgspec.json.encode(said).decode())
    assert repr(plain(said)) == repr(said)


@given(simple)
@settings(max_examples=200)
def test_simple_values_come_back_as_they_are(value: Any) -> None:
    """Python's own plain values lose nothing, by whichever way they are read."""
    assert frozen(value) == value
    assert plain(value) == value
    assert is_simple({"v": value})


def _assert_text_keys(value: Any) -> None:
    if isinstance(value, dict):
        assert all(type(key) is str for key in value)
        for entry in value.values():
            _assert_text_keys(entry)
    elif isinstance(value, list):
        for entry in value:
            _assert_text_keys(entry)
