"""The real `openai` client, watched by the real instrumentor of OpenLLMetry, inside our interactions and spans.

Each program below runs in a process of its own and talks to a fake of OpenAI's HTTP API; what is tested is what the
receiver has afterwards. Twice: with an instrumentor that `instrument` switched on, where the application has no
TracerProvider, and with one that the application switched on for the provider that it has.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

import raindrop_logging as raindrop
from raindrop_logging.otel import RaindropSpanProcessor, instrument
from tests.arrivals import the_event, whose
from tests.otel.apart import apart, provided
from tests.otel.arrived import answered, asked, belongs, exported_by, in_order, is_marked, kinds, nesting
from tests.otel.openai_server import ANSWERING_MODEL, MODEL, OpenAiServer, Reply
from tests.wire.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai import AsyncOpenAI, OpenAI
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: Any = [
    {"type": "function", "function": {"name": "get_weather", "description": "The weather now.", "parameters": SCHEMA}}
]
QUESTION = "Do I need a coat in Oslo?"


# ---- programs ------------------------------------------------------------------------------------------------------


def instrumented() -> None:
    """The application has no TracerProvider."""
    assert instrument("openai") == ["openai"]


def with_provider() -> InMemorySpanExporter:
    """The application has a TracerProvider with an exporter, and has added our processor and switched it on itself."""
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    exporter = provided(RaindropSpanProcessor())
    OpenAIInstrumentor().instrument()
    return exporter


def client() -> OpenAI:
    """OpenAI's client, which is told the server's address by its environment."""
    from openai import OpenAI

    return OpenAI(max_retries=0)


def asynchronous() -> AsyncOpenAI:
    """The same for asyncio."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(max_retries=0)


@raindrop.tool("get_weather")
def get_weather(city: str) -> str:
    """A tool that asks a model itself."""
    said = client().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": f"Weather: {city}"}])
    return said.choices[0].message.content or ""


@raindrop.interaction("weather_agent")
def advise(question: str) -> str:
    """The weather flow: the model calls a tool, the tool answers, the model streams what it makes of that."""
    turn = raindrop.begin(user_id="u1", event="advice", convo_id="c1", event_id="evt-weather", input=question)
    messages: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    first = client().chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    (call,) = first.choices[0].message.tool_calls or []
    assert call.type == "function"
    weather = get_weather(**json.loads(call.function.arguments))
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": weather}]
    stream = client().chat.completions.create(
        model=MODEL, messages=messages, stream=True, stream_options={"include_usage": True}
    )
    answer = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    turn.finish(output=answer, model=MODEL)
    return answer


def weather(set_up: str) -> dict[str, Any]:
    """The flow in one of the set-ups; its answer, and what the application's own exporter has got."""
    raindrop.init()
    exporter = {"instrument": instrumented, "own provider": with_provider}[set_up]()
    answer = advise(QUESTION)
    exported = exported_by(exporter) if exporter else []
    return {"answer": answer, "exported": exported, "provider": type(trace.get_tracer_provider()).__name__}


def failing() -> list[str]:
    """Two calls that OpenAI refuses, each inside a tool, then one after the end of the interaction."""
    import openai

    raindrop.init()
    instrumented()
    seen = []
    turn = raindrop.begin(user_id="u1", event="advice", event_id="evt-failing", input=QUESTION)
    for name in ("too_many", "broken"):
        try:
            with turn.tool_span(name):
                client().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": QUESTION}])
        except openai.APIStatusError as error:
            seen.append(type(error).__name__)
    turn.finish(output="I do not know.")
    client().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Anybody?"}])
    return seen


def together() -> None:
    """Two users at a time, in tasks of one thread; each has a tool's call streamed, and reads it outside the span."""
    raindrop.init()
    instrumented()

    async def turn(openai: AsyncOpenAI, user: str) -> None:
        with raindrop.begin(user_id=user, event="advice", event_id=f"evt-{user}", input=QUESTION) as interaction:
            async with interaction.task_span("ask"):
                stream = await openai.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": f"I am {user}."}], tools=TOOLS, stream=True
                )
            async for _ in stream:
                await asyncio.sleep(0)
            interaction.finish(output="Read.")

    async def serve() -> None:
        async with asynchronous() as openai:
            await asyncio.gather(*(turn(openai, user) for user in ("ada", "bob")))

    asyncio.run(serve())


# ---- the weather flow ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Weather:
    """What a run of the flow has left."""

    recorder: Recorder
    said: dict[str, Any]

    @property
    def spans(self) -> list[dict[str, Any]]:
        """The spans in the order in which they started: workflow, model, tool, the tool's model, model."""
        return in_order(self.recorder)

    @property
    def models(self) -> list[dict[str, Any]]:
        """The spans of the three calls of a model."""
        return [span for span in self.spans if span["name"] == "openai.chat"]


def openai_of(server: OpenAiServer) -> dict[str, str]:
    """The variables by which the client finds the server."""
    return {"OPENAI_API_KEY": "sk-made-up", "OPENAI_BASE_URL": server.base_url}


@pytest.fixture(scope="module", params=["instrument", "own provider"])
def flow(request: pytest.FixtureRequest) -> Iterator[Weather]:
    """The flow, run once in each set-up."""
    script = (
        Reply(calls=(("get_weather", {"city": "Oslo"}),), usage=(31, 9)),
        Reply(text="Snow.", usage=(5, 2)),
        Reply(text="Take a warm coat.", usage=(47, 6)),
    )
    with Recorder() as recorder, OpenAiServer(*script) as server:
        ended = apart(weather, request.param, recorder=recorder, **openai_of(server))
        assert ended.told == []
        yield Weather(recorder, ended.said)


def test_the_spans_are_one_trace_and_nested_as_the_calls_were(flow: Weather) -> None:
    """Workflow, tool and model spans: the model that a tool asks hangs on the tool, the others on the workflow."""
    assert nesting(flow.spans) == [
        ("weather_agent", None),
        ("openai.chat", "weather_agent"),
        ("get_weather", "weather_agent"),
        ("openai.chat", "get_weather"),
        ("openai.chat", "weather_agent"),
    ]
    assert kinds(flow.spans) == ["workflow", "llm", "tool", "llm", "llm"]
    assert {span["status"]["code"] for span in flow.spans} == {"OK"}


def test_each_span_and_the_event_name_each_other(flow: Weather) -> None:
    """Every span has the interaction's ids, the event their trace, and the application its answer."""
    whose = {"event_id": "evt-weather", "user_id": "u1", "convo_id": "c1", "event": "advice", "event_name": "advice"}
    assert [belongs(span) for span in flow.spans] == [whose] * 5
    event = the_event(flow.recorder)
    assert event["properties"]["trace_id"] == flow.spans[0]["trace_id"]
    assert event["ai_data"]["output"] == flow.said["answer"] == "Take a warm coat."


def test_each_model_says_what_it_was_told(flow: Weather) -> None:
    """The prompts arrive as messages with their roles, tool calls and a tool's answer among them."""
    question = [{"role": "system", "text": "Be brief."}, {"role": "user", "text": QUESTION}]
    calls = [{"role": "assistant", "calls": [("get_weather", {"city": "Oslo"})]}, {"role": "tool", "text": "Snow."}]
    prompts = [question, [{"role": "user", "text": "Weather: Oslo"}], question + calls]
    assert [asked(span) for span in flow.models] == prompts


def test_each_model_says_what_it_answered(flow: Weather) -> None:
    """Tool calls with their arguments, a text, and a streamed text put together."""
    assert [answered(span) for span in flow.models] == [
        [{"role": "assistant", "calls": [("get_weather", {"city": "Oslo"})]}],
        [{"role": "assistant", "text": "Snow."}],
        [{"role": "assistant", "text": "Take a warm coat."}],
    ]


def test_a_model_says_the_tools_that_it_was_offered(flow: Weather) -> None:
    """In Raindrop's own shape, and only where the request offered any."""
    tool = {"type": "function", "name": "get_weather", "description": "The weather now.", "inputSchema": SCHEMA}
    offered = [span["attributes"].get("ai.prompt.tools") for span in flow.models]
    assert [tools and [json.loads(one) for one in tools] for tools in offered] == [[tool], None, None]


def test_tokens_models_and_the_provider_are_where_they_are_counted(flow: Weather) -> None:
    """Under the names that Raindrop counts tokens by, for streamed answers as well."""
    attributes = [span["attributes"] for span in flow.models]
    tokens = [(said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) for said in attributes]
    assert tokens == [(31, 9), (5, 2), (47, 6)]
    assert {said["gen_ai.request.model"] for said in attributes} == {MODEL}
    assert {said["gen_ai.response.model"] for said in attributes} == {ANSWERING_MODEL}
    assert {said["gen_ai.provider.name"].lower() for said in attributes} == {"openai"}


def test_a_provider_of_the_applications_own_is_used_and_none_is_set(flow: Weather) -> None:
    """The global provider is the application's where there is one; where there is none, it stays so."""
    provider, exported = flow.said["provider"], flow.said["exported"]
    assert (provider, bool(exported)) in {("TracerProvider", True), ("ProxyTracerProvider", False)}


@pytest.mark.parametrize("flow", ["own provider"], indirect=True)
def test_another_exporter_has_the_same_spans_without_our_marks(flow: Weather) -> None:
    """Each span once, with the same ids, nested in the same way; the instrumentor's say nothing of an interaction."""
    exported = sorted(flow.said["exported"], key=lambda span: int(span["start"]))
    assert [span["span_id"] for span in exported] == [span["span_id"] for span in flow.spans]
    assert nesting(exported) == nesting(flow.spans)
    assert not any(is_marked(span["attributes"]) for span in exported if span["name"] == "openai.chat")


# ---- errors, tasks and streams --------------------------------------------------------------------------------------


REFUSALS = [(429, "RateLimitError")] * 2 + [(500, "InternalServerError")] * 2
"""Of each tool and its model."""


@pytest.fixture(scope="module")
def refused() -> Iterator[Recorder]:
    """What has arrived of a program that OpenAI refused twice."""
    with Recorder() as recorder, OpenAiServer(Reply(status=429), Reply(status=500), Reply(text="Yes?")) as server:
        ended = apart(failing, recorder=recorder, **openai_of(server))
        assert (ended.said, ended.told) == (["RateLimitError", "InternalServerError"], [])
        yield recorder


def test_a_call_that_is_refused_is_a_failed_span(refused: Recorder) -> None:
    """The error goes on to the application, and marks the model's span and the tool's with type, message and stack."""
    spans = in_order(refused)[:4]
    assert [span["name"] for span in spans] == ["too_many", "openai.chat", "broken", "openai.chat"]
    for span, (says, kind) in zip(spans, REFUSALS, strict=True):
        assert span["status"]["code"] == "ERROR"
        assert span["status"]["message"].startswith(f"Error code: {says}")
        (exception,) = span["events"]
        assert exception["attributes"]["exception.message"] == span["status"]["message"]
        assert exception["attributes"]["exception.type"].endswith(kind)
        assert "Traceback" in exception["attributes"]["exception.stacktrace"]


def test_a_failed_call_says_what_it_was_told_and_whose_it_is(refused: Recorder) -> None:
    """As one that did not fail: its place, the prompt, the model and the interaction."""
    spans = in_order(refused)[:4]
    for tool, model in (spans[:2], spans[2:]):
        assert (model["parent_id"], model["trace_id"]) == (tool["span_id"], tool["trace_id"])
        assert asked(model) == [{"role": "user", "text": QUESTION}]
        assert model["attributes"]["gen_ai.request.model"] == MODEL
        assert belongs(model)["event_id"] == "evt-failing"


def test_a_call_after_the_end_is_nobodys(refused: Recorder) -> None:
    """A model that is asked once the interaction is finished is captured, without its ids and outside of its trace."""
    *inside, after = in_order(refused)
    assert answered(after) == [{"role": "assistant", "text": "Yes?"}]
    assert whose(after) == {}
    assert after["trace_id"] not in {span["trace_id"] for span in inside}


def test_streams_of_two_users_at_a_time_are_told_apart(recorder: Recorder) -> None:
    """A streamed tool call is put together, and is its own user's, wherever the application reads the stream."""
    reply = Reply(calls=(("get_weather", {"city": "Oslo"}),))
    with OpenAiServer(reply, reply) as server:
        assert apart(together, recorder=recorder, **openai_of(server)).told == []
    models = [span for span in recorder.spans() if span["name"] == "openai.chat"]
    told = {belongs(span)["user_id"]: asked(span)[0]["text"] for span in models}
    assert told == {"ada": "I am ada.", "bob": "I am bob."}
    parents = {span["span_id"]: belongs(span) for span in recorder.spans() if span["name"] == "ask"}
    for span in models:
        assert belongs(span) == parents[span["parent_id"]]
        assert answered(span) == [{"role": "assistant", "calls": [("get_weather", {"city": "Oslo"})]}]
