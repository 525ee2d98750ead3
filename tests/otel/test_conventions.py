"""What instrumentations say in their attributes, in each convention, and what Raindrop is told by it.

OpenLLMetry, OpenInference, OpenTelemetry's own conventions for generative AI, and those of Vercel's AI SDK. A span goes
through a real provider, and what is compared is all that the receiver has: what was said stays as it was, and beside it
stands what Raindrop reads kinds, names, tokens, models, contents and tools by.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import Status, StatusCode, use_span

import raindrop_logging as raindrop
from tests.wire.expect import span as expected_span

if TYPE_CHECKING:
    from tests.otel.conftest import Watched

SEARCH = '{"type":"function","name":"search","description":"Finds.","inputSchema":{"type":"object"}}'
MESSAGES = '[{"role":"user","parts":[{"type":"text","content":"Hi?"}]}]'


@dataclass(frozen=True, kw_only=True)
class Row:
    """One span of an instrumentation's.

    Args:
        called: the span's name.
        says: its attributes.
        kind, name: what it is at Raindrop; the name is the span's own where it is not given.
        adds: attributes that the receiver has beside, apart from those that every span of the kind has.
    """

    called: str
    says: dict[str, Any]
    kind: str
    name: str | None = None
    adds: dict[str, Any] = field(default_factory=dict)

    def received(self) -> dict[str, Any]:
        """All attributes that are to arrive."""
        return {**self.says, **self.adds, **of_every_span(self.name or self.called, self.kind)}


def of_every_span(name: str, kind: str) -> dict[str, Any]:
    """What a span of ours of this kind says without being asked, but for its duration."""
    like = expected_span(name, "task" if kind == "trace" else kind)["attributes"]
    return {key: value for key, value in like.items() if key != "traceloop.entity.duration_ms"} | {
        "traceloop.span.kind": kind
    }


TOKENS = {"gen_ai.usage.input_tokens": 11, "gen_ai.usage.output_tokens": 7}

ROWS = {
    "OpenLLMetry: a chat, said in pieces": Row(
        called="openai.chat",
        says={
            "llm.request.type": "chat",
            "llm.is_streaming": False,
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.request.temperature": 0.5,
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "Hi?",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "Hi.",
            "gen_ai.usage.prompt_tokens": 11,
            "gen_ai.usage.completion_tokens": 7,
            "llm.request.functions.0.name": "search",
            "llm.request.functions.0.description": "Finds.",
            "llm.request.functions.0.parameters": '{"type": "object"}',
        },
        kind="llm",
        adds={**TOKENS, "gen_ai.provider.name": "openai", "ai.prompt.tools": [SEARCH]},
    ),
    "OpenLLMetry: tokens by their oldest names": Row(
        called="openai.completion",
        says={
            "llm.request.type": "completion",
            "gen_ai.request.model": "davinci",
            "llm.usage.prompt_tokens": 11,
            "llm.usage.completion_tokens": 7,
        },
        kind="llm",
        adds={**TOKENS, "gen_ai.response.model": "davinci"},
    ),
    "OpenLLMetry: a workflow": Row(
        called="plan_trip.workflow",
        says={
            "traceloop.span.kind": "workflow",
            "traceloop.entity.name": "plan_trip",
            "traceloop.workflow.name": "plan_trip",
            "traceloop.entity.input": '{"args": ["Oslo"], "kwargs": {}}',
            "traceloop.entity.output": '"By train."',
        },
        kind="workflow",
        name="plan_trip",
    ),
    "OpenLLMetry: a tool": Row(
        called="search.tool",
        says={
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "search",
            "traceloop.entity.path": "plan_trip",
            "traceloop.workflow.name": "plan_trip",
            "traceloop.entity.input": '{"args": ["Oslo"], "kwargs": {}}',
        },
        kind="tool",
        name="search",
    ),
    "OpenInference: a model": Row(
        called="ChatCompletion",
        says={
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-4o",
            "llm.provider": "azure",
            "llm.system": "openai",
            "llm.token_count.prompt": 11,
            "llm.token_count.completion": 7,
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": "Hi?",
            "input.value": "Hi?",
            "input.mime_type": "text/plain",
            "output.value": "Hi.",
        },
        kind="llm",
        adds={
            **TOKENS,
            "gen_ai.provider.name": "azure",
            "gen_ai.response.model": "gpt-4o",
            "traceloop.entity.input": "Hi?",
            "traceloop.entity.output": "Hi.",
        },
    ),
    "OpenInference: a tool": Row(
        called="FunctionTool.run",
        says={
            "openinference.span.kind": "TOOL",
            "tool.name": "search",
            "input.value": '{"q": "Oslo"}',
            "output.value": "3 trains",
        },
        kind="tool",
        name="search",
        adds={"traceloop.entity.input": '{"q": "Oslo"}', "traceloop.entity.output": "3 trains"},
    ),
    "OpenInference: a chain": Row(
        called="RunnableSequence",
        says={"openinference.span.kind": "CHAIN", "input.value": "Hi?"},
        kind="task",
        adds={"traceloop.entity.input": "Hi?"},
    ),
    "OpenTelemetry: a chat, said in one": Row(
        called="chat gpt-4o",
        says={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.input.messages": MESSAGES,
            "gen_ai.output.messages": MESSAGES,
            "gen_ai.tool.definitions": (
                '[{"type": "function", "name": "search", "description": "Finds.", "parameters": {"type": "object"}}]'
            ),
            **TOKENS,
        },
        kind="llm",
        adds={"ai.prompt.tools": [SEARCH]},
    ),
    "OpenTelemetry: a tool": Row(
        called="execute_tool search",
        says={
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "search",
            "gen_ai.tool.call.id": "call_1",
            "gen_ai.tool.call.arguments": '{"q": "Oslo"}',
            "gen_ai.tool.call.result": "3 trains",
        },
        kind="tool",
        name="search",
        adds={"ai.toolCall.args": '{"q": "Oslo"}', "ai.toolCall.result": "3 trains"},
    ),
    "OpenTelemetry: an agent": Row(
        called="invoke_agent planner",
        says={
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "planner",
            "gen_ai.request.model": "gpt-4o",
        },
        kind="workflow",
        adds={"gen_ai.response.model": "gpt-4o"},
    ),
    "Vercel: a model": Row(
        called="ai.generateText",
        says={
            "ai.operationId": "ai.generateText",
            "ai.model.id": "gpt-4o",
            "ai.model.provider": "openai.chat",
            "ai.response.model": "gpt-4o-2024-08-06",
            "ai.prompt": '{"prompt":"Hi?"}',
            "ai.response.text": "Hi.",
            "ai.usage.inputTokens": 11,
            "ai.usage.outputTokens": 7,
        },
        kind="llm",
        adds={**TOKENS, "gen_ai.provider.name": "openai.chat", "gen_ai.response.model": "gpt-4o-2024-08-06"},
    ),
    "Vercel: tokens by their older names, and tools": Row(
        called="ai.generateText",
        says={
            "ai.operationId": "ai.generateText",
            "ai.model.id": "gpt-4o",
            "ai.usage.promptTokens": 11,
            "ai.usage.completionTokens": 7,
            "ai.prompt.tools": [SEARCH],
        },
        kind="llm",
        adds={**TOKENS, "gen_ai.response.model": "gpt-4o"},
    ),
    "Vercel: a tool": Row(
        called="ai.toolCall",
        says={
            "ai.operationId": "ai.toolCall",
            "ai.toolCall.name": "search",
            "ai.toolCall.id": "call_1",
            "ai.toolCall.args": '{"q":"Oslo"}',
            "ai.toolCall.result": '"3 trains"',
        },
        kind="tool",
        name="search",
    ),
    "two conventions at once: Raindrop's own names stay": Row(
        called="both",
        says={
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.provider.name": "azure.ai.openai",
            "gen_ai.system": "openai",
            "gen_ai.usage.prompt_tokens": 1,
            "gen_ai.usage.completion_tokens": 1,
            **TOKENS,
            "traceloop.entity.input": "Hi?",
            "input.value": "something else",
        },
        kind="llm",
    ),
    "about AI, and of no kind that is known": Row(
        called="memory",
        says={"gen_ai.operation.name": "remember", "gen_ai.conversation.id": "c1"},
        kind="trace",
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_is_said_arrives_and_what_raindrop_reads_stands_beside_it(watched: Watched, row: Row) -> None:
    """All attributes that arrive, by those that were said."""
    watched.tracer.start_span(row.called, attributes=row.says).end()
    (span,) = watched.arrived()
    said = {key: value for key, value in span["attributes"].items() if key != "traceloop.entity.duration_ms"}
    assert said == row.received()
    assert (span["name"], span["status"]["code"], span["events"]) == (row.name or row.called, "OK", [])


KINDS = {
    "traceloop.span.kind": {
        "workflow": "workflow",
        "agent": "workflow",
        "task": "task",
        "tool": "tool",
        "unknown": "trace",
    },
    "openinference.span.kind": {
        "LLM": "llm",
        "EMBEDDING": "llm",
        "TOOL": "tool",
        "AGENT": "workflow",
        "CHAIN": "task",
        "RETRIEVER": "task",
        "RERANKER": "task",
        "GUARDRAIL": "task",
        "EVALUATOR": "task",
        "UNKNOWN": "trace",
    },
    "gen_ai.operation.name": {
        "chat": "llm",
        "text_completion": "llm",
        "generate_content": "llm",
        "embeddings": "llm",
        "execute_tool": "tool",
        "create_agent": "workflow",
        "invoke_agent": "workflow",
        "invoke_workflow": "workflow",
        "retrieval": "task",
        "remember": "trace",
    },
    "llm.request.type": {"chat": "llm", "completion": "llm", "embedding": "llm", "unknown": "trace"},
    "ai.operationId": {"ai.toolCall": "tool", "ai.somethingElse": "trace"},
    "gen_ai.request.model": {"gpt-4o": "llm"},
    "gen_ai.response.model": {"gpt-4o": "llm"},
    "llm.model_name": {"gpt-4o": "llm"},
    "ai.model.id": {"gpt-4o": "llm"},
}


@pytest.mark.parametrize("key", KINDS)
def test_each_convention_has_its_own_word_for_a_kind(watched: Watched, key: str) -> None:
    """Whatever its capitals; one that says none, and names a model, is a model's."""
    for value in KINDS[key]:
        watched.tracer.start_span(value, attributes={key: value}).end()
    assert {span["name"]: span["attributes"]["traceloop.span.kind"] for span in watched.arrived()} == KINDS[key]


def test_a_kind_that_is_unknown_leaves_the_word_to_the_next_convention(watched: Watched) -> None:
    """As where a framework and OpenTelemetry's conventions are mixed."""
    says = {"traceloop.span.kind": "unknown", "openinference.span.kind": "TOOL", "gen_ai.operation.name": "chat"}
    watched.tracer.start_span("mixed", attributes=says).end()
    (span,) = watched.arrived()
    assert span["attributes"]["traceloop.span.kind"] == "tool"


# ---- tools that a model was offered ---------------------------------------------------------------------------------

MODEL = {"gen_ai.request.model": "gpt-4o"}
DEFINED = [
    {"type": "function", "function": {"name": "search", "description": "Finds.", "parameters": {"type": "object"}}},
    {"name": "search", "description": "Finds.", "input_schema": {"type": "object"}},
    {"type": "web_search", "max_uses": 3},
]
OFFERED = [json.loads(SEARCH), json.loads(SEARCH), {"type": "web_search", "max_uses": 3}]


@pytest.mark.parametrize(
    ("says", "offered"),
    [
        ({"gen_ai.tool.definitions": json.dumps(DEFINED)}, OFFERED),
        ({"gen_ai.tool.definitions": "[]"}, []),
        ({"gen_ai.tool.definitions": "no JSON"}, None),
        ({"gen_ai.tool.definitions": '{"name": "search"}'}, None),
        ({f"llm.request.functions.{n}.name": f"tool {n}" for n in (10, 9)}, ["tool 9", "tool 10"]),
        ({"llm.request.functions.0.name": "search", "llm.request.functions.0.parameters": "no JSON"}, ["search"]),
        ({"llm.request.functions.x.name": "search"}, None),
        ({}, None),
    ],
    ids=["in three shapes", "none", "no JSON", "no list", "by number", "a broken schema", "no number", "not said"],
)
def test_offered_tools_are_said_in_raindrops_shape(watched: Watched, says: dict[str, Any], offered: Any) -> None:
    """Each as a JSON text, in order; a tool of a shape that is not known stays as it was, and no list is none."""
    watched.tracer.start_span("openai.chat", attributes={**MODEL, **says}).end()
    (span,) = watched.arrived()
    texts = span["attributes"].get("ai.prompt.tools")
    found = None if texts is None else [json.loads(text) for text in texts]
    names_only = bool(offered) and isinstance(offered[0], str)
    assert ([tool["name"] for tool in found or []] if names_only else found) == offered


def test_what_the_interaction_says_of_tools_goes_before_what_the_request_says(watched: Watched) -> None:
    """For its models' spans and no others; an empty list says that there were none."""
    says = {"gen_ai.tool.definitions": json.dumps(DEFINED)}
    turn = raindrop.begin(user_id="u1", event="chat", input="Hi?", tools=[DEFINED[0]])
    watched.tracer.start_span("one", attributes={**MODEL, **says}).end()
    watched.tracer.start_span("tool", attributes={"gen_ai.operation.name": "execute_tool", **says}).end()
    turn.set_tools([])
    watched.tracer.start_span("none", attributes={**MODEL, **says}).end()
    offered = {name: span["attributes"].get("ai.prompt.tools") for name, span in watched.named().items()}
    assert offered == {"one": [SEARCH], "tool": None, "none": []}


def test_values_with_a_structure_of_their_own_arrive_as_json(watched: Watched) -> None:
    """Where OpenTelemetry takes them, as its newer versions do: messages, schemas and tools as they are."""
    span = watched.tracer.start_span("chat gpt-4o", attributes=MODEL)
    says: Any = {"gen_ai.tool.definitions": DEFINED, "gen_ai.input.messages": json.loads(MESSAGES)}
    span.set_attributes(says)
    span.end()
    if len(watched.exported["chat gpt-4o"].attributes or {}) == 1:
        pytest.skip("this version of OpenTelemetry takes none")
    (arrived,) = watched.arrived()
    attributes = arrived["attributes"]
    assert [json.loads(tool) for tool in attributes["ai.prompt.tools"]] == OFFERED
    assert json.loads(attributes["gen_ai.input.messages"]) == json.loads(MESSAGES)


# ---- what failed ---------------------------------------------------------------------------------------------------


def test_an_exception_is_told_with_its_type_and_stack(watched: Watched) -> None:
    """As the instrumentation has recorded it; of several the last, which is the one that ended the work."""
    span = watched.tracer.start_span("openai.chat", attributes=MODEL)
    span.record_exception(TimeoutError("too slow, once more"))
    with pytest.raises(ConnectionError), use_span(span, end_on_exit=True):
        raise ConnectionError("made up")
    (arrived,) = watched.arrived()
    assert arrived["status"]["code"] == "ERROR"
    (event,) = arrived["events"]
    assert event["attributes"]["exception.type"] == "ConnectionError"
    assert event["attributes"]["exception.message"] == "made up"
    assert event["attributes"]["exception.stacktrace"].startswith("Traceback")


@pytest.mark.parametrize(("says", "told"), [("refused by a filter", "refused by a filter"), (None, "error")])
def test_an_error_without_an_exception_is_told_by_its_status(watched: Watched, says: str | None, told: str) -> None:
    """With its description, if there is one."""
    span = watched.tracer.start_span("openai.chat", attributes=MODEL)
    span.set_status(Status(StatusCode.ERROR, says))
    span.end()
    (arrived,) = watched.arrived()
    assert arrived["status"] == {"code": "ERROR", "message": told}


def test_an_exception_that_was_overcome_is_no_failure(watched: Watched) -> None:
    """A recorded exception without a status of error, as of a call that was tried again."""
    span = watched.tracer.start_span("openai.chat", attributes=MODEL)
    span.record_exception(TimeoutError("once"))
    span.end()
    (arrived,) = watched.arrived()
    assert (arrived["status"]["code"], arrived["events"]) == ("OK", [])
