"""The bytes of the wire, and their limits."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from raindrop_logging._pipeline.encoder import Encoder, as_final_partial
from raindrop_logging._pipeline.entries import Item, Refusal, Told
from raindrop_logging.vocabulary import STRUCTS, RecordType
from raindrop_logging.wire import MAX_EVENT_BYTES, TRUNCATION_MARKER, Lane
from tests.stages.entries_made import SOURCE, TRACE

LANES: dict[RecordType, Lane] = {
    "ai": Lane.EVENTS,
    "event": Lane.EVENTS,
    "signal": Lane.SIGNALS,
    "identify": Lane.USERS,
}


def _encoder(max_text_chars: int = 1_000_000) -> Encoder:
    return Encoder(constants={"$context": {"library": {}}}, max_text_chars=max_text_chars)


def _told(record_type: RecordType, *, timestamp: float | None = 1_763_662_207.123456, **fields: Any) -> Told:
    block = STRUCTS[record_type](**fields)
    return Told(LANES[record_type], block, "e1", TRACE, timestamp, "e1", SOURCE)


def _body_of(found: Item | Refusal) -> Any:
    assert isinstance(found, Item)
    return msgspec.json.decode(found.body)


def test_what_is_not_said_is_not_sent() -> None:
    """No nulls, no empty ai_data, no empty attachments: absent stays absent."""
    body = _body_of(_encoder().encode(_told("event", user_id="u", event="view")))
    assert sorted(body) == ["event", "event_id", "properties", "timestamp", "user_id"]
    assert body["timestamp"] == "2025-11-20T18:10:07.123456Z"


def test_a_signals_texts_are_its_properties() -> None:
    """Comment and after go into properties, and win over what stands there."""
    body = _body_of(
        _encoder().encode(_told("signal", name="n", signal_type="feedback", comment="c", properties={"comment": 1}))
    )
    assert body == {
        "event_id": "e1",
        "signal_name": "n",
        "signal_type": "feedback",
        "timestamp": "2025-11-20T18:10:07.123456Z",
        "properties": {"comment": "c"},
    }


def test_a_text_past_the_cap_ends_with_the_marker_within_it() -> None:
    """The cap counts characters, marker included, in every free text; ids stay whole."""
    said = _told("ai", user_id="u" * 60, event="chat", input="x" * 60, properties={"deep": [{"text": "é" * 60}]})
    body = _body_of(_encoder(max_text_chars=50).encode(said))
    cut = "x" * (50 - len(TRUNCATION_MARKER)) + TRUNCATION_MARKER
    assert body["ai_data"]["input"] == cut
    assert body["properties"]["deep"][0]["text"] == cut.replace("x", "é")
    assert body["user_id"] == "u" * 60


def test_a_text_at_the_cap_is_untouched() -> None:
    """Exactly as long as allowed is not too long."""
    found = _encoder(max_text_chars=50).encode(_told("ai", user_id="u", event="chat", input="x" * 50))
    assert _body_of(found)["ai_data"]["input"] == "x" * 50
    assert isinstance(found, Item)
    assert found.truncated == 0


@pytest.mark.parametrize(
    "text", ["a" * 900_000, "日本語" * 200_000, '"\\\n' * 150_000, "👋🏽" * 80_000, "\x01" * 200_000]
)
def test_an_event_beyond_a_mebibyte_is_shortened_until_it_fits(text: str) -> None:
    """The largest texts give way evenly, small ones and ids stay, and the result is counted."""
    said = _told("ai", user_id="u", event="chat", input=text, output=text, properties={"big": text, "small": "kept"})
    found = _encoder().encode(said)
    body = _body_of(found)
    assert isinstance(found, Item)
    assert len(found.body) <= MAX_EVENT_BYTES
    assert len(found.body) > MAX_EVENT_BYTES * 0.8
    assert found.truncated == 3
    assert body["properties"]["small"] == "kept"
    for short in (body["ai_data"]["input"], body["ai_data"]["output"], body["properties"]["big"]):
        assert short.endswith(TRUNCATION_MARKER)
        assert text.startswith(short.removesuffix(TRUNCATION_MARKER))


def test_what_cannot_be_shortened_is_refused_with_its_size() -> None:
    """A hundred thousand short values have no text that could give way."""
    many = {f"key{number:06d}": number for number in range(100_000)}
    found = _encoder().encode(_told("event", user_id="u", event="view", properties=many))
    assert isinstance(found, Refusal)
    assert found.reason == "too_large"
    assert "the limit is 1048544" in found.detail


def test_odd_keys_become_text() -> None:
    """JSON's keys are texts: numbers, None and tuples are said as such."""
    said = _told("event", user_id="u", event="view", properties={1: "a", None: "b", (1, 2): "c", 2.5: float("nan")})
    properties = _body_of(_encoder().encode(said))["properties"]
    del properties["$context"]
    assert properties == {"1": "a", "None": "b", "(1, 2)": "c", "2.5": None}


def test_a_final_partial_for_the_workshop_is_the_event_and_one_key() -> None:
    """The vendor's own Workshop shows an AI event only as a final partial: same bytes, is_pending false."""
    found = _encoder().encode(_told("ai", user_id="u", event="chat", input="q"))
    assert isinstance(found, Item)
    partial = as_final_partial(found)
    assert partial.lane is Lane.PARTIALS
    assert msgspec.json.decode(partial.body) == {**_body_of(found), "is_pending": False}


def test_the_trace_of_an_event_is_a_property_where_tracing_is_on() -> None:
    """Readers join an event and its spans by properties.trace_id; the caller's own value wins."""
    traced = Encoder(constants={}, max_text_chars=1_000_000, encode_span=lambda _told, _cut: b"")
    assert _body_of(traced.encode(_told("ai", user_id="u", event="chat", input="q")))["properties"]["trace_id"] == TRACE
    own = _told("ai", user_id="u", event="chat", input="q", properties={"trace_id": "mine"})
    assert _body_of(traced.encode(own))["properties"]["trace_id"] == "mine"
    assert (
        "trace_id" not in _body_of(_encoder().encode(_told("ai", user_id="u", event="chat", input="q")))["properties"]
    )
