"""A `raindrop` block: free texts are redacted, and what names, times or describes a record stays."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from raindrop_logging.redaction import _BLOCK, Redactor
from raindrop_logging.vocabulary import STRUCTS

REDACTOR = Redactor()
SAID, LEFT = "mail bob@example.com", "mail <REDACTED_EMAIL>"

FREE = ["input", "output", "comment", "after"]
KEPT = [
    *("type", "event_id", "user_id", "event", "convo_id", "model", "timestamp", "name", "signal_type", "sentiment"),
    *("attachment_id", "kind", "start_time", "end_time", "trace_id", "span_id", "parent_id", "provider"),
]


def test_every_word_of_the_vocabulary_has_a_reader() -> None:
    """A new field is not free text by accident: it is placed, as a test's failure demands."""
    assert set(_BLOCK) == {field for struct in STRUCTS.values() for field in struct.__struct_fields__}


@pytest.mark.parametrize("key", FREE)
def test_free_texts_are_redacted(key: str) -> None:
    """What people and models write loses what is personal."""
    assert REDACTOR.block({key: SAID}) == {key: LEFT}


@pytest.mark.parametrize("key", KEPT)
def test_ids_names_and_times_stay(key: str) -> None:
    """An id may be an address: it is what the record is found by."""
    assert REDACTOR.block({key: SAID}) == {key: SAID}


def test_times_and_numbers_stay() -> None:
    """Whatever form a time has, and whatever a count looks like."""
    now = datetime(2026, 11, 20, tzinfo=UTC)
    block = {"timestamp": now, "start_time": 4111111111111111, "duration_ms": 1.5, "version": 3, "input_tokens": 31}
    assert REDACTOR.block(block) == block


@pytest.mark.parametrize("key", [key for key in KEPT if key != "timestamp"])
def test_what_cannot_be_an_id_is_free_text(key: str) -> None:
    """A table where an id belongs is the router's to refuse, and nobody's to send."""
    assert REDACTOR.block({key: {"to": SAID}}) == {key: {"to": LEFT}}
    assert REDACTOR.block({key: [SAID]}) == {key: [LEFT]}


def test_properties_and_attributes_are_values() -> None:
    """Any depth, any type, and secret names."""
    said = {"to": SAID, "n": [1, {"api_key": "abc"}], "max_tokens": 5}
    left = {"to": LEFT, "n": [1, {"api_key": "<REDACTED_SECRET>"}], "max_tokens": 5}
    assert REDACTOR.block({"properties": said, "attributes": said}) == {"properties": left, "attributes": left}


def test_inputs_and_outputs_of_spans_may_be_any_value() -> None:
    """A tool's arguments are read like properties."""
    assert REDACTOR.block({"input": {"q": [SAID]}, "output": [1, b"bob@example.com"]}) == {
        "input": {"q": [LEFT]},
        "output": [1, b"<REDACTED_EMAIL>"],
    }


def test_attachments_lose_it_from_their_content_and_name() -> None:
    """Type, role, language and id say how to show it."""
    kept = {"type": "text", "role": "input", "language": "a@b.co", "attachment_id": "a@b.co"}
    assert REDACTOR.block({"attachments": [{**kept, "value": SAID, "name": "bob@example.com.txt"}]}) == {
        "attachments": [{**kept, "value": LEFT, "name": "<REDACTED_EMAIL>"}]
    }


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (SAID, LEFT),
        (
            {"type": "ValueError", "message": SAID, "stack": f"File 1\n{SAID}\n"},
            {"type": "ValueError", "message": LEFT, "stack": f"File 1\n{LEFT}\n"},
        ),
        ([SAID], [LEFT]),
    ],
    ids=["text", "table", "list"],
)
def test_errors_lose_it_from_message_and_stack(error: Any, left: Any) -> None:
    """The type of an exception is a name of code."""
    assert REDACTOR.block({"error": error}) == {"error": left}


def test_messages_lose_it_from_content_and_arguments() -> None:
    """Roles, ids and names of functions are how a prompt hangs together."""
    call = {
        "id": "call_415-555-2671",
        "type": "function",
        "function": {"name": "mail", "arguments": '{"to": "a@b.co"}'},
    }
    left = {**call, "function": {"name": "mail", "arguments": '{"to": "<REDACTED_EMAIL>"}'}}
    said = [
        {"role": "user", "content": SAID, "name": "bob@example.com"},
        {"role": "assistant", "content": [{"type": "text", "text": SAID}], "tool_calls": [call]},
        {"role": "tool", "content": '{"password": "hunter2"}', "tool_call_id": "call_415-555-2671"},
    ]
    assert REDACTOR.block({"messages": said}) == {
        "messages": [
            {"role": "user", "content": LEFT, "name": "<REDACTED_EMAIL>"},
            {"role": "assistant", "content": [{"type": "text", "text": LEFT}], "tool_calls": [left]},
            {"role": "tool", "content": '{"password": "<REDACTED_SECRET>"}', "tool_call_id": "call_415-555-2671"},
        ]
    }


def test_traits_keep_all_but_what_secret_names_hold() -> None:
    """They exist to carry names and addresses."""
    traits = {"email": "bob@example.com", "first_name": "Bob", "phone": "415-555-2671", "plan": {"card": 1}}
    assert REDACTOR.block({"traits": {**traits, "api_key": "abc", "nested": {"password": 1}}}) == {
        "traits": {**traits, "api_key": "<REDACTED_SECRET>", "nested": {"password": "<REDACTED_SECRET>"}}
    }


def test_tools_keep_all_but_what_secret_names_hold() -> None:
    """A definition stays whole, a parameter called token too; a header with a key does not."""
    function = {"name": "mail", "description": "mails bob@example.com", "parameters": {"type": "object"}}
    taking = {"parameters": {"properties": {"token": {"type": "string"}}, "required": ["token"]}}
    server = {"type": "mcp", "headers": {"Authorization": "Bearer abc"}}
    assert REDACTOR.block({"tools": [function, taking, server]}) == {
        "tools": [function, taking, {"type": "mcp", "headers": {"Authorization": "<REDACTED_SECRET>"}}]
    }


def test_feature_flags_stay() -> None:
    """Flags and their variants are names; anything else in their place is a value."""
    flags = {"token": "v2", "new-checkout": "415-555-2671"}
    assert REDACTOR.block({"feature_flags": flags}) == {"feature_flags": flags}
    assert REDACTOR.block({"feature_flags": {"a": [SAID]}}) == {"feature_flags": {"a": [LEFT]}}


def test_what_is_no_field_is_free_text() -> None:
    """A misspelt key is the router's to name: its value is not sent, and would not tell anything."""
    said: dict[Any, Any] = {"imput": SAID, "bob@example.com": 1, "password": "x", 7: SAID}
    assert REDACTOR.block(said) == {
        "imput": LEFT,
        "<REDACTED_EMAIL>": 1,
        "password": "<REDACTED_SECRET>",
        7: LEFT,
    }


@pytest.mark.parametrize(("block", "left"), [(SAID, LEFT), ([SAID], [LEFT]), (None, None), (7, 7)], ids=repr)
def test_what_is_no_block_is_a_value(block: Any, left: Any) -> None:
    """Whatever stands in a block's place does not raise."""
    assert REDACTOR.block(block) == left


@pytest.mark.parametrize("key", [*_BLOCK, "unknown"])
@pytest.mark.parametrize("value", [SAID, b"bob@example.com", [SAID], {"a": SAID}, [[SAID]], [{"a": 1}, 2], 7, None])
def test_a_field_of_any_type_never_raises(key: str, value: Any) -> None:
    """Of the wrong type, a field keeps its place and tells nothing, unless it is one that is kept."""
    left = REDACTOR.block({key: value})
    assert list(left) == [key]
    kept = key in (*KEPT, "traits", "tools", "feature_flags", "duration_ms", "version", "input_tokens", "output_tokens")
    assert kept or "bob" not in repr(left)


def test_fields_that_cannot_be_read_go_one_by_one() -> None:
    """What fails in one field costs the others nothing."""

    class Unreadable(dict[str, Any]):
        def __iter__(self) -> Any:
            raise LookupError

    left = REDACTOR.block({"properties": Unreadable(a=1), "input": "hello", "event_id": "e1"})
    assert left == {"properties": "<REDACTED>", "input": "hello", "event_id": "e1"}
