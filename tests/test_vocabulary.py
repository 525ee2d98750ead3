"""The eight record types, said four ways that must agree: Structs, builders, TypedDicts, JSON Schema."""

from __future__ import annotations

import json
import typing
from typing import Any

import msgspec
import pytest

from raindrop_logging import InvalidBlockError, extra, vocabulary
from raindrop_logging.vocabulary import RECORD_TYPES, STRUCTS, RecordType, instant, json_schema, type_by_keys

DICTS: dict[RecordType, Any] = {
    "ai": vocabulary.AiDict,
    "event": vocabulary.EventDict,
    "begin": vocabulary.BeginDict,
    "update": vocabulary.UpdateDict,
    "finish": vocabulary.FinishDict,
    "signal": vocabulary.SignalDict,
    "identify": vocabulary.IdentifyDict,
    "span": vocabulary.SpanDict,
}


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_builders_typed_dicts_and_structs_know_the_same_fields(record_type: RecordType) -> None:
    """One more field in one place only would be a field that some users cannot say."""
    fields = set(STRUCTS[record_type].__struct_fields__)
    assert typing.get_type_hints(getattr(extra, record_type))["fields"] == typing.Unpack[DICTS[record_type]]
    assert set(typing.get_type_hints(DICTS[record_type])) == fields


def test_a_builder_returns_the_dict_one_would_write() -> None:
    """Only what was said, and the type."""
    assert extra.ai(user_id="u", event="chat", input="q") == {
        "raindrop": {"type": "ai", "user_id": "u", "event": "chat", "input": "q"}
    }


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["input"], "ai"),
        (["output", "model"], "ai"),
        (["kind", "name", "input", "output", "model"], "span"),
        (["traits", "user_id"], "identify"),
    ],
)
def test_a_blocks_own_keys_can_say_its_type(keys: list[str], expected: str) -> None:
    """Where neither the key `type` nor the message does."""
    assert type_by_keys(keys) == expected


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["user_id", "event"], "nothing says what kind of record this is: add 'type'"),
        (["kind", "traits"], "keys disagree on the kind of record, 'kind' (span) and 'traits' (identify): add 'type'"),
        (["traits", "input"], "keys disagree on the kind of record, 'traits' (identify) and 'input' (ai)"),
    ],
)
def test_a_type_that_nothing_or_two_things_say_is_refused(keys: list[str], message: str) -> None:
    """The error names the key that would decide."""
    with pytest.raises(InvalidBlockError) as refused:
        type_by_keys(keys)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("2026-01-02T03:04:05Z", 1767323045.0),
        ("2026-01-02T03:04:05", 1767323045.0),
        ("2026-01-02T08:34:05.5+05:30", 1767323045.5),
        (1767323045, 1767323045.0),
        (1767323045.25, 1767323045.25),
    ],
)
def test_times_are_read_with_their_zone_or_as_utc(given: Any, seconds: float) -> None:
    """The same text means the same moment on every machine."""
    assert instant("timestamp", given) == seconds


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("yesterday", "allowed is ISO 8601"),
        (1767323045000, "a number means seconds since 1970"),
        (-5, "a number means seconds since 1970"),
        (True, "'timestamp' is a bool"),
        ([], "'timestamp' is a list"),
    ],
)
def test_times_that_are_none_are_refused(given: Any, message: str) -> None:
    """Milliseconds are told apart by their size instead of dating an event to the year 57,000."""
    with pytest.raises(InvalidBlockError) as refused:
        instant("timestamp", given)
    assert message in str(refused.value)


def test_the_schema_is_json_and_has_every_type_and_field() -> None:
    """What `raindrop-logging schema` prints is made from the Structs, so it cannot lag behind them."""
    schema = json.loads(json.dumps(json_schema()))
    assert len(schema["anyOf"]) == len(RECORD_TYPES)
    for record_type, struct in STRUCTS.items():
        definition = schema["$defs"][struct.__name__]
        assert set(definition["properties"]) == set(struct.__struct_fields__)
        assert definition["properties"]["type"]["const"] == record_type
        assert definition["additionalProperties"] is False


def test_an_error_text_never_quotes_free_text() -> None:
    """Diagnostics end up in logs: what a user said does not."""
    block = {"user_id": ["the customer's own words"], "event": "chat", "input": {"secret": "words"}}
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.msgpack.decode(msgspec.msgpack.encode(block), type=STRUCTS["ai"])
    assert "words" not in vocabulary.explain("ai", block, refused.value)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"sentiment": "positive"}, "did you mean 'POSITIVE'?"),
        ({"signal_type": "feedbak"}, "did you mean 'feedback'?"),
        ({"feature_flags": 1}, "(signal knows event_id"),
    ],
)
def test_a_near_miss_is_answered_with_what_was_meant(block: dict[str, Any], message: str) -> None:
    """For values as for keys; where a key belongs to other types, they are named."""
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.msgpack.decode(msgspec.msgpack.encode(block), type=STRUCTS["signal"])
    assert message in vocabulary.explain("signal", block, refused.value)
