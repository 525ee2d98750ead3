"""Whatever a record holds, what goes out is valid JSON within its limits."""

from __future__ import annotations

import json
import logging
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from raindrop_logging._pipeline.assembler import Assembler
from raindrop_logging._pipeline.capture import capture
from raindrop_logging._pipeline.encoder import Encoder
from raindrop_logging._pipeline.entries import Entry, Item
from raindrop_logging._pipeline.router import Router
from raindrop_logging.wire import MAX_EVENT_BYTES, TRUNCATION_MARKER


class Odd:
    """An object that nothing knows how to say."""


texts = st.text(st.characters(exclude_categories=()), max_size=40)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.binary(max_size=40)
    | st.datetimes()
    | st.decimals()
    | st.builds(Odd)
    | st.sampled_from([Odd, len, NotImplemented, 2**5000, ValueError("x"), {1, 2}, frozenset("ab"), range(3)])
)
keys: st.SearchStrategy[Any] = texts | st.integers() | st.none() | st.tuples(st.integers()) | st.binary(max_size=5)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4))


def _body(block: dict[str, Any], max_text_chars: int = 1_000_000) -> Any:
    record = logging.LogRecord("shop", logging.INFO, "/srv/shop.py", 1, "ai", (), None)
    entry = Router({}).route(capture(record.__dict__, block, None, 1))
    assert isinstance(entry, Entry)
    (told,) = Assembler(interval=1.0, ttl=60.0, max_open=10).feed(entry, 0.0)
    item = Encoder(constants={"$context": {}}, max_text_chars=max_text_chars).encode(told)
    assert isinstance(item, Item)
    assert len(item.body) <= MAX_EVENT_BYTES
    return json.loads(item.body.decode("utf-8"), parse_constant=_no_constant)


def _no_constant(word: str) -> Any:
    raise AssertionError(f"{word} is not JSON")


@given(values, st.text(min_size=1, max_size=40).filter(str.strip))
def test_any_value_in_properties_gives_valid_json(value: Any, said: str) -> None:
    """Odd values become something JSON can say, and the fields beside them are untouched."""
    sent = _body({"user_id": "u", "event": "e", "input": said, "properties": {"odd": value, "good": [1, "two"]}})
    assert sent["properties"]["good"] == [1, "two"]
    assert "odd" in sent["properties"]
    assert sent["ai_data"]["input"] == said


@given(st.dictionaries(st.text("abc", min_size=1, max_size=5), st.text(max_size=80), max_size=5), st.integers(26, 60))
@settings(max_examples=50)
def test_a_cap_is_kept_by_every_text(properties: dict[str, str], cap: int) -> None:
    """Shorter texts stay, longer ones are cut to the cap with the marker at their end."""
    sent = _body({"user_id": "u", "event": "e", "input": "q", "properties": properties}, cap)["properties"]
    for key, text in properties.items():
        kept = text if len(text) <= cap else text[: cap - len(TRUNCATION_MARKER)] + TRUNCATION_MARKER
        assert sent[key] == kept
