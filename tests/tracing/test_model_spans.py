"""llm_span: what a model was asked and offered, what it answered, and what that cost."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging import begin, llm_span, tool_span
from tests.arrivals import failure, is_kept, said, the_event
from tests.published_docs.arrived import tree
from tests.wire.harness import diagnostics
from tests.wire.matching import Json

if TYPE_CHECKING:
    from raindrop_logging import RaindropHandler
    from tests.arrivals import Spans
    from tests.wire.recorder import Recorder

CALL = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"q":"tea"}'}}
PARTS = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "https://shop.example"}}]
ROWS: dict[str, dict[str, Any]] = {
    "system": {"role": "system", "content": "Be brief."},
    "developer": {"role": "developer", "content": "No emojis."},
    "user": {"role": "user", "content": "Tea?", "name": "ada"},
    "parts": {"role": "user", "content": PARTS},
    "assistant": {"role": "assistant", "content": "Which one?"},
    "tool call": {"role": "assistant", "content": None, "tool_calls": [CALL]},
    "tool": {"role": "tool", "tool_call_id": "c1", "content": '{"found":3}'},
    "function": {"role": "function", "name": "search", "content": "3"},
    "of a provider": {"role": "model", "content": "Ja."},
    "empty": {"role": "user", "content": ""},
}


def _without_nothing(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if value is not None}


# ---- asked ----------------------------------------------------------------------------------------------------------


def test_messages_of_every_role_are_said_whole_and_by_number(spans: Spans) -> None:
    """Texts as they are, parts as JSON, tool calls and their answers with their ids; nothing stands for no content."""
    messages = list(ROWS.values())
    with llm_span("chat", model="m", messages=messages):
        pass
    attributes = spans()["chat"]["attributes"]
    assert json.loads(attributes["ai.prompt.messages"]) == [_without_nothing(message) for message in messages]
    for number, message in enumerate(messages):
        content = message["content"]
        assert attributes[f"gen_ai.prompt.{number}.role"] == message["role"]
        expected = Json(content) if isinstance(content, list) else content
        assert attributes.get(f"gen_ai.prompt.{number}.content") == expected
    assert f"gen_ai.prompt.{len(messages)}.role" not in attributes


@dataclass
class _Message:
    role: str
    content: str


class _Model:
    """As pydantic's models are."""

    def model_dump(self) -> dict[str, Any]:
        return {"role": "assistant", "content": None, "refusal": None, "tool_calls": [CALL]}


def test_messages_may_be_what_a_client_returns(spans: Spans) -> None:
    """Objects say themselves as dicts, and keys that only their provider knows do no harm."""
    messages: list[Any] = [_Message("user", "Tea?"), _Model(), {"role": "user", "content": "x", "cache_control": {}}]
    with llm_span("chat", model="m") as call:
        call.set_messages(messages)
    attributes = spans()["chat"]["attributes"]
    assert json.loads(attributes["ai.prompt.messages"]) == [
        {"role": "user", "content": "Tea?"},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "user", "content": "x"},
    ]


def test_messages_are_taken_at_the_call(spans: Spans) -> None:
    """The list that a conversation grows in does not grow in the span."""
    messages = [{"role": "user", "content": "Tea?"}]
    with llm_span("chat", model="m", messages=messages):
        messages.append({"role": "assistant", "content": "late"})
    assert json.loads(spans()["chat"]["attributes"]["ai.prompt.messages"]) == [{"role": "user", "content": "Tea?"}]


def test_a_message_without_a_role_costs_its_own_span(spans: Spans, handler: RaindropHandler) -> None:
    """It is counted and named; the next call is told."""
    heard = diagnostics()
    with llm_span("broken", model="m", messages=[{"content": "who says this?"}]):
        pass
    with llm_span("whole", model="m", messages=[{"role": "user", "content": "Tea?"}]):
        pass
    assert set(spans()) == {"whole"}
    assert handler.stats().dropped == {"invalid": 1}
    assert "'messages[0].role' is missing" in heard.lines[0]


# ---- answered -------------------------------------------------------------------------------------------------------


def test_an_answer_that_is_no_text_is_said_as_json(spans: Spans) -> None:
    """In each name by which an answer is read."""
    with llm_span("chat", model="m") as call:
        call.record_output({"tool_calls": [CALL]})
    attributes = spans()["chat"]["attributes"]
    expected = Json({"tool_calls": [CALL]})
    names = ("traceloop.entity.output", "ai.response.text", "gen_ai.completion.0.content")
    assert [attributes[name] for name in names] == [expected] * 3
    assert attributes["gen_ai.completion.0.role"] == "assistant"


def test_a_stream_that_breaks_keeps_what_came(spans: Spans) -> None:
    """Asynchronously, with tokens told as they are known, the tool's call inside, and the failure."""

    async def answer() -> None:
        async with llm_span("chat", model="m", provider="anthropic", input="Tea?") as call:
            call.set_token_usage(input_tokens=31)
            await asyncio.sleep(0)
            async with tool_span("search"):
                await asyncio.sleep(0)
            call.record_output("Green t")
            call.set_token_usage(output_tokens=2)
            call.set_token_usage(output_tokens=3)
            raise ConnectionError("reset by peer")

    with pytest.raises(ConnectionError):
        asyncio.run(answer())
    found = spans()
    attributes = found["chat"]["attributes"]
    assert tree(found) == {"chat": None, "search": "chat"}
    assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (31, 3)
    assert (attributes["ai.prompt"], said(found["chat"], "output")) == ("Tea?", "Green t")
    assert (failure(found["chat"]) or {})["message"] == "reset by peer"


# ---- model, provider, tokens ----------------------------------------------------------------------------------------


def test_model_and_provider_are_said_in_every_name(spans: Spans) -> None:
    """Whether they are known when it opens or later; the last word counts."""
    with llm_span("at once", model="m-1", provider="openai"):
        pass
    with llm_span("later", model="m-0", provider="other") as call:
        call.set_model("m-1")
        call.set_provider("openai")
    for span in spans().values():
        attributes = span["attributes"]
        models = ("ai.model.id", "gen_ai.request.model", "gen_ai.response.model")
        providers = ("ai.model.provider", "gen_ai.system", "gen_ai.provider.name")
        assert [attributes[name] for name in models] == ["m-1"] * 3
        assert [attributes[name] for name in providers] == ["openai"] * 3


def test_no_tokens_are_tokens_too(spans: Spans) -> None:
    """Zero is a number; what is not said is not."""
    with llm_span("zero", model="m") as call:
        call.set_token_usage(0, 0)
    with llm_span("unsaid", model="m"):
        pass
    usage = {
        name: {key: value for key, value in span["attributes"].items() if key.startswith("gen_ai.usage.")}
        for name, span in spans().items()
    }
    assert usage == {"zero": {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}, "unsaid": {}}


def test_a_call_of_which_nothing_is_known_is_kept(spans: Spans) -> None:
    """A model span without model, messages and tokens still passes the server."""
    with llm_span("chat"):
        pass
    assert is_kept(spans()["chat"])


@pytest.mark.parametrize("tokens", [-1, "many", 1.5, 2**63], ids=str)
def test_tokens_that_are_none_cost_their_own_span(spans: Spans, handler: RaindropHandler, tokens: Any) -> None:
    """Nothing is raised, and the call is counted as invalid."""
    with llm_span("broken", model="m") as call:
        call.set_token_usage(input_tokens=tokens)
    with tool_span("whole"):
        pass
    assert set(spans()) == {"whole"}
    assert handler.stats().dropped == {"invalid": 1}


# ---- offered tools --------------------------------------------------------------------------------------------------

TOOL = {"type": "function", "name": "search", "description": "d", "inputSchema": {"type": "object"}}


def test_offered_tools_are_said_and_where_they_come_from(spans: Spans) -> None:
    """As they were when they were said; a source only where one is named, and none is an empty list."""
    tools = [dict(TOOL)]
    with llm_span("offered", model="m", tools=tools):
        tools.clear()
    with llm_span("of a catalogue", model="m") as call:
        call.set_tools([TOOL, "web_search"], source="catalogue")
    with llm_span("none", model="m", tools=[]):
        pass
    found = {name: span["attributes"] for name, span in spans().items()}
    assert {name: attributes["ai.prompt.tools"] for name, attributes in found.items()} == {
        "offered": [Json(TOOL)],
        "of a catalogue": [Json(TOOL), "web_search"],
        "none": [],
    }
    assert {name: attributes.get("ai.prompt.tools.source") for name, attributes in found.items()} == {
        "offered": None,
        "of a catalogue": "catalogue",
        "none": None,
    }


_SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
SHAPES: dict[str, dict[str, Any]] = {
    "Raindrop's": {"type": "function", "name": "search", "description": "d", "inputSchema": _SCHEMA},
    "OpenAI's": {"type": "function", "function": {"name": "search", "description": "d", "parameters": _SCHEMA}},
    "OpenAI's flat one": {"type": "function", "name": "search", "description": "d", "parameters": _SCHEMA},
    "Anthropic's": {"name": "search", "description": "d", "input_schema": _SCHEMA},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_offered_tools_are_said_in_one_shape(spans: Spans, shape: str) -> None:
    """Whatever client's definitions they are, of the span itself or of its interaction."""
    turn = begin(user_id="u", event="chat", tools=[SHAPES[shape]])
    turn.llm_span("of the interaction", model="m").end()
    turn.llm_span("its own", model="m", tools=[SHAPES[shape]]).end()
    offered = [span["attributes"]["ai.prompt.tools"] for span in spans().values()]
    assert offered == [[Json(SHAPES["Raindrop's"])]] * 2


def test_the_interactions_tools_are_offered_to_each_model_inside(spans: Spans) -> None:
    """From begin or from set_tools, until it is finished; what a model span says itself wins."""
    turn = begin(user_id="u", event="chat", tools=[TOOL])
    with turn.llm_span("first", model="m"), tool_span("no model"):
        pass
    turn.set_tools([])
    with llm_span("second", model="m"):
        pass
    with llm_span("own", model="m", tools=[TOOL]):
        pass
    turn.finish("answer")
    with llm_span("after", model="m"):
        pass
    assert {name: span["attributes"].get("ai.prompt.tools") for name, span in spans().items()} == {
        "first": [Json(TOOL)],
        "no model": None,
        "second": [],
        "own": [Json(TOOL)],
        "after": None,
    }


# ---- without content ------------------------------------------------------------------------------------------------


def test_without_content_the_call_is_told_and_not_what_was_said(spans: Spans, recorder: Recorder) -> None:
    """Model, provider and tokens stay; messages, input, output and tools are nowhere, however they are said."""
    secret = [{"role": "user", "content": "secret"}]
    options: dict[str, Any] = {"trace_content": False, "model": "m", "provider": "openai"}
    turn = begin(user_id="u", event="chat", tools=[{**TOOL, "description": "secret"}], input="q")
    with llm_span("at once", messages=secret, tools=[{"name": "secret"}], **options):
        pass
    with llm_span("later", input="secret", **options) as call:
        call.set_messages(secret)
        call.set_tools([{"name": "secret"}])
        call.set_io("secret", "secret")
        call.set_token_usage(3, 4)
    turn.finish("answer")
    found = spans()
    assert not any(b"secret" in request.body for request in recorder.requests)
    assert found["later"]["attributes"]["gen_ai.usage.input_tokens"] == 3
    assert {span["attributes"]["ai.model.id"] for span in found.values()} == {"m"}
    assert the_event(recorder)["ai_data"]["output"] == "answer"
