"""Inputs and outputs as messages: the shapes that clients send, and what is none of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging.workshop import chat

FUNCTION = {"name": "f", "arguments": '{"a":1}'}
WORDS = ("role", "content", "parts", "type", "text", "tool_calls", "function", "name", "image_url", "source", "data")
KEYS = st.sampled_from(WORDS) | st.text()
ANY_JSON = st.recursive(
    st.none() | st.integers() | st.text() | st.sampled_from(("text", "image", "tool_use")),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)
PICTURE = "data:image/png;base64,iVBORw0KGgo="


def _kinds(value: Any) -> list[tuple[str, list[tuple[str, str | None, str]]]]:
    messages = chat.read(json.dumps(value), "user")
    return [(one.role, [(part.kind, part.name, part.text) for part in one.parts]) for one in messages]


@pytest.mark.parametrize(
    "call",
    [
        {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": FUNCTION}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]},
        {"role": "assistant", "content": [{"type": "tool-call", "toolName": "f", "input": {"a": 1}}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "name": "f", "arguments": {"a": 1}}]},
        {"type": "function_call", "name": "f", "arguments": '{"a":1}'},
    ],
    ids=["OpenAI chat", "Anthropic", "AI SDK", "OpenTelemetry", "OpenAI responses"],
)  # fmt: skip
def test_calls(call: dict[str, Any]) -> None:
    """A tool call is the same in every client's shape."""
    assert _kinds([call]) == [("assistant", [("call", "f", '{"a":1}')])]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("text", ("text", None, "text")),
        ([{"type": "text", "text": "text"}], ("text", None, "text")),
        ([{"type": "text", "content": "text"}], ("text", None, "text")),
        ([{"type": "thinking", "thinking": "hm"}], ("thinking", None, "hm")),
        ([{"type": "tool_result", "content": [{"type": "text", "text": "r"}]}], ("result", None, "r")),
        ([{"type": "image_url", "image_url": {"url": PICTURE}}], ("picture", None, PICTURE)),
        (
            [{"type": "image", "source": {"media_type": "image/png", "data": "iVBORw0KGgo="}}],
            ("picture", None, PICTURE),
        ),
        ([{"type": "image_url", "image_url": {"url": "http://x.example/a"}}], ("data", None, "http://x.example/a")),
        ([{"type": "odd", "x": 1}], ("data", None, '{"type":"odd","x":1}')),
        ([{"type": "text", "text": 5}], ("data", None, '{"type":"text","text":5}')),
    ],
)
def test_contents(content: Any, part: tuple[str, str | None, str]) -> None:
    """Pieces of a message by what they are; only a picture whose data is here is a picture."""
    assert _kinds([{"role": "user", "content": content}]) == [("user", [part])]


@pytest.mark.parametrize("value", ['"text"', "[]", "[1]", '[{"role":"user"}]', '{"a":1}', "[broken", "[" * 5000, ""])
def test_what_is_no_chat(value: str) -> None:
    """Anything else stays the text it is."""
    (message,) = chat.read(value, "assistant")
    assert message.role == "assistant"
    assert [part.text for part in message.parts] == [value]


@given(ANY_JSON)
def test_any_json_is_read(value: Any) -> None:
    """Whatever JSON arrives, some message comes of it."""
    assert chat.read(json.dumps([{"role": "user", "content": value}, value]), "user")
    assert chat.read(json.dumps([{"role": "user", "content": value, "tool_calls": value}]), "user")


def test_gist() -> None:
    """A list of events tells the last thing that was asked."""
    said = json.dumps([{"role": "user", "content": "one"}, {"role": "user", "content": "two"}])
    assert chat.gist(said, "user") == "two"
    assert chat.gist("plain", "user") == "plain"
