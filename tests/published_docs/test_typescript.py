"""The TypeScript SDK's documentation: each of its examples on this package, by its heading."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import raindrop_logging as raindrop
from raindrop_logging.otel import RaindropSpanProcessor
from tests.published_docs.arrived import Arrived, is_tool_call, plain_event, told, tree, whose
from tests.wire.harness import diagnostics

if TYPE_CHECKING:
    from raindrop_logging.vocabulary import AttachmentDict

# ---- events ---------------------------------------------------------------------------------------------------------


async def generate_text(prompt: str) -> str:
    """Stands for a model."""
    await asyncio.sleep(0)
    return f"{prompt} A kind of knot."


def test_chat_completion(arrived: Arrived) -> None:
    """Quick start: an interaction with an id of one's own, begun before the model answers and finished after."""
    event_id = str(uuid4())

    async def chat(message: str) -> None:
        interaction = raindrop.begin(
            event_id=event_id,
            event="chat_turn",
            user_id="chen",
            input=message,
            model="gpt-4o",
            convo_id="chen-1",
            properties={"tool": "encyclopedia", "prompt": "v3", "experiment": "b"},
        )
        interaction.finish(output=await generate_text(message))

    asyncio.run(chat("What is a bowline?"))
    sent = arrived.one("events/track")
    assert sent["event_id"] == event_id
    assert plain_event(sent) == {
        "user_id": "chen",
        "event": "chat_turn",
        "properties": {"tool": "encyclopedia", "prompt": "v3", "experiment": "b"},
        "ai_data": {
            "model": "gpt-4o",
            "input": "What is a bowline?",
            "output": "What is a bowline? A kind of knot.",
            "convo_id": "chen-1",
        },
    }


SHOWN: list[AttachmentDict] = [
    {"type": "text", "name": "Source", "value": "Chapter 2 of the manual", "role": "input"},
    {"type": "image", "value": "https://shop.example/knot.png", "role": "output"},
    {"type": "iframe", "name": "Drawing", "value": "https://shop.example/knot", "role": "output"},
]


def test_updating_an_interaction(arrived: Arrived) -> None:
    """Updating: a property and attachments said meanwhile are in the event that is finished."""
    interaction = raindrop.begin("chen", "chat_turn", input="What is a bowline?")
    interaction.set_property("stage", "drawing")
    interaction.add_attachments(SHOWN)
    interaction.finish(output="A kind of knot.")
    event = arrived.event()
    assert event["properties"] == {"stage": "drawing"}
    assert event["attachments"] == SHOWN


def test_resuming_an_interaction(arrived: Arrived) -> None:
    """Resuming: the id alone is enough to go on, and it is still one event."""
    event_id = raindrop.begin("chen", "chat_turn", input="What is a bowline?").id
    raindrop.resume_interaction(event_id).finish(output="A kind of knot.")
    sent = arrived.one("events/track")
    assert sent["event_id"] == event_id
    assert sent["ai_data"] == {"input": "What is a bowline?", "output": "A kind of knot."}


def test_oversized_interactions(arrived: Arrived) -> None:
    """Resuming: an event beyond the limit arrives shortened rather than not at all."""
    interaction = raindrop.begin("chen", "chat_turn", input="Short", properties={"log": "x" * 2_000_000})
    interaction.finish(output="Also short")
    event = arrived.event()
    assert event["ai_data"] == {"input": "Short", "output": "Also short"}
    assert event["properties"]["log"].endswith("...[truncated by raindrop]")
    assert max(len(request.body) for request in arrived.recorder.requests) <= 1024 * 1024


def test_track_ai(arrived: Arrived) -> None:
    """Single-shot tracking: one call with both texts, a model and properties."""
    raindrop.track_ai(
        event="quiz",
        user_id="chen",
        model="gpt-4o-mini",
        input="Who won the regatta?",
        output="The blue boat.",
        properties={"tool": "archive", "prompt": "v3"},
    )
    assert arrived.event() == {
        "user_id": "chen",
        "event": "quiz",
        "properties": {"tool": "archive", "prompt": "v3"},
        "ai_data": {"model": "gpt-4o-mini", "input": "Who won the regatta?", "output": "The blue boat."},
    }


def test_track_signal_with_a_comment(arrived: Arrived) -> None:
    """Signals: a comment without a type is a default signal that keeps its comment."""
    raindrop.track_signal(event_id="e-7", name="thumbs_down", comment="That is a granny knot")
    assert arrived.signals() == [
        {
            "event_id": "e-7",
            "signal_name": "thumbs_down",
            "signal_type": "default",
            "properties": {"comment": "That is a granny knot"},
        }
    ]


def test_track_signal_of_each_type(arrived: Arrived) -> None:
    """Signals: feedback with a comment, an edit with what it became, and a sentiment that is positive."""
    raindrop.track_signal(event_id="e-7", name="review", signal_type="feedback", comment="Clear", sentiment="POSITIVE")
    raindrop.track_signal(event_id="e-7", name="edited", signal_type="edit", after="A loop knot.")
    assert [(signal["signal_type"], signal["properties"]) for signal in arrived.signals()] == [
        ("feedback", {"comment": "Clear"}),
        ("edit", {"after": "A loop knot."}),
    ]
    assert [signal.get("sentiment") for signal in arrived.signals()] == ["POSITIVE", None]


def test_attachments(arrived: Arrived) -> None:
    """Attachments: all four types, with name and language where given, in an interaction and in a single event."""
    four: list[AttachmentDict] = [
        {"type": "code", "role": "input", "language": "typescript", "name": "knot.ts", "value": "tie();"},
        *SHOWN,
    ]
    interaction = raindrop.begin("chen", "chat_turn", input="Fix this")
    interaction.add_attachments(four)
    interaction.finish(output="Fixed.")
    raindrop.track_ai("chen", "chat_turn", input="Fix this", attachments=four)
    assert [plain_event(event)["attachments"] for event in arrived.all("events/track")] == [four, four]


def test_set_user_details(arrived: Arrived) -> None:
    """Identifying users: setUserDetails is identify, with the same traits."""
    traits = {"name": "Chen", "email": "chen@shop.example", "plan": "pro", "os": "Linux"}
    raindrop.identify(user_id="chen", traits=traits)
    assert arrived.one("users/identify") == {"user_id": "chen", "traits": traits}


# ---- set-up ---------------------------------------------------------------------------------------------------------


def test_redaction(arrived: Arrived) -> None:
    """PII redaction: one key, and what is personal leaves as a token, in properties and spans as well."""
    raindrop.init("rk_docs", redact=True, **arrived.keys)
    said = "write to jane@example.com"
    raindrop.track_ai("chen", "quiz", input=said, output="I will.", properties={"note": said})
    with raindrop.tool_span("mail", input=said):
        pass
    raindrop.flush()
    (event,) = arrived.recorder.items("events/track")
    assert event["ai_data"]["input"] == event["properties"]["note"] == "write to <REDACTED_EMAIL>"
    assert all(b"jane@example.com" not in request.body for request in arrived.recorder.requests)


def test_errors_do_not_reach_the_application(arrived: Arrived) -> None:
    """Error handling: unlike there nothing raises here, and the loss is counted and told."""
    heard = diagnostics()
    arrived.recorder.default = type(arrived.recorder.default)(400)
    raindrop.track_ai("chen", "quiz", input="Who won?")
    raindrop.flush()
    assert raindrop.stats().refused == 1
    assert len(heard.lines) == 1


def test_disabled(arrived: Arrived) -> None:
    """Configuration: disabled means that every call works and nothing is sent, neither events nor traces."""
    raindrop.init("rk_docs", enabled=False, **arrived.keys)
    interaction = raindrop.begin("chen", "chat_turn", input="Hello?")
    assert interaction.with_span("answer", lambda: "Hello.") == "Hello."
    interaction.finish(output="Hello.")
    raindrop.shutdown()
    assert arrived.recorder.requests == []
    assert raindrop.stats().dropped == {"off": 3}


def test_debug_logs(arrived: Arrived) -> None:
    """Configuration: debugLogs is the key debug; the diagnostics then name the line."""
    heard = diagnostics()
    raindrop.init("rk_docs", debug=True, **arrived.keys)
    raindrop.track_signal("e-7")
    assert raindrop.flush()
    assert any("test_typescript.py:" in line for line in heard.lines)


def test_closing(arrived: Arrived) -> None:
    """Configuration: close is shutdown, after which everything has arrived."""
    raindrop.track_ai("chen", "quiz", input="Who won?")
    assert raindrop.shutdown()
    assert len(arrived.recorder.items("events/track")) == 1


# ---- tracing --------------------------------------------------------------------------------------------------------


def test_with_span(arrived: Arrived) -> None:
    """withSpan: an awaited task of the interaction, its result handed back and recorded."""

    async def write() -> str:
        return await generate_text("Knots?")

    interaction = raindrop.begin("chen", "chat_turn", input="Knots?", convo_id="chen-2")
    assert asyncio.run(interaction.with_span("write_answer", write)) == "Knots? A kind of knot."
    span = arrived.span()
    assert told(span) == {"kind": "task", "output": "Knots? A kind of knot."}
    assert whose(span) == {
        "event_id": interaction.id,
        "user_id": "chen",
        "event": "chat_turn",
        "convo_id": "chen-2",
    }


def test_with_span_of_properties_and_input(arrived: Arrived) -> None:
    """withSpan: properties and a list of input parameters are the span's own."""

    async def embed() -> list[float]:
        return [0.5, 0.25]

    interaction = raindrop.begin("chen", "chat_turn", input="Knots?")
    task = interaction.with_span("embed", embed, properties={"model": "embed-3"}, input=["Which knots?"])
    assert asyncio.run(task) == [0.5, 0.25]
    assert told(arrived.span()) == {
        "kind": "task",
        "input": '["Which knots?"]',
        "output": "[0.5,0.25]",
        "properties": {"model": "embed-3"},
    }


def test_with_tool(arrived: Arrived) -> None:
    """withTool: a tool's call by its name, with what it returned."""

    async def search() -> str:
        return "Two books"

    interaction = raindrop.begin("chen", "chat_turn", input="Knots?")
    assert asyncio.run(interaction.with_tool("search", search)) == "Two books"
    span = arrived.span()
    assert told(span) == {"kind": "tool", "output": "Two books"}
    assert is_tool_call(span)


def test_with_tool_of_properties_and_input(arrived: Arrived) -> None:
    """withTool: version, properties and named input parameters are the span's own."""
    interaction = raindrop.begin("chen", "chat_turn", input="Six sevens?")
    product = interaction.with_tool(
        "multiply", lambda: "42", version=3, properties={"operation": "times"}, input={"a": 6, "b": 7}
    )
    assert product == "42"
    assert told(arrived.span()) == {
        "kind": "tool",
        "version": 3,
        "input": '{"a":6,"b":7}',
        "output": "42",
        "properties": {"operation": "times"},
    }


def test_with_tool_without_content(arrived: Arrived) -> None:
    """withTool: traceContent off keeps the call and leaves out what went in and came out."""
    interaction = raindrop.begin("chen", "chat_turn", input="Knots?")
    assert interaction.with_tool("search", lambda: "Two books", input="knots", trace_content=False) == "Two books"
    assert told(arrived.span()) == {"kind": "tool"}


def test_with_tool_suppressed(arrived: Arrived) -> None:
    """withTool: suppressTracing leaves out the call and all inside it, while the work is done."""

    def search() -> str:
        with raindrop.task_span("inner"):
            return "Two books"

    interaction = raindrop.begin("chen", "chat_turn", input="Knots?")
    assert interaction.with_tool("search", search, suppress_tracing=True) == "Two books"
    assert arrived.spans() == {}


def test_model_calls_inside_a_span(arrived: Arrived) -> None:
    """Getting started with tracing: a model's call inside withSpan is the span's child and of the same event."""

    def answer() -> str:
        with raindrop.llm_span("call_model", model="gpt-4o", input="Knots?") as call:
            call.record_output("A bowline.")
        return "A bowline."

    interaction = raindrop.begin("chen", "chat_turn", input="Knots?")
    interaction.with_span("write_answer", answer)
    spans = arrived.spans()
    assert tree(spans) == {"write_answer": None, "call_model": "write_answer"}
    assert {whose(span)["event_id"] for span in spans.values()} == {interaction.id}


INSTRUMENTOR = '''
from opentelemetry import trace

class KnotsInstrumentor:
    """As an OpenTelemetry instrumentor is: found by its entry point, switched on once."""

    provider = None
    is_instrumented_by_opentelemetry = False

    def instrument(self, *, tracer_provider, **_options):
        KnotsInstrumentor.provider = tracer_provider
        KnotsInstrumentor.is_instrumented_by_opentelemetry = True

def ask(question):
    if KnotsInstrumentor.provider is None:
        return "A bowline."
    with KnotsInstrumentor.provider.get_tracer("knots").start_as_current_span("knots.chat") as span:
        span.set_attributes({"gen_ai.request.model": "knot-1", "gen_ai.operation.name": "chat"})
        span.set_attribute("traceloop.entity.output", "A bowline.")
        return "A bowline."
'''


@pytest.fixture
def knots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model's client whose package brings an instrumentor; of this test only."""
    (tmp_path / "knots_client.py").write_text(INSTRUMENTOR)
    info = tmp_path / "knots_client-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: knots-client\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[opentelemetry_instrumentor]\nknots = knots_client:KnotsInstrumentor\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield __import__("knots_client")
    sys.modules.pop("knots_client", None)


@pytest.mark.parametrize("chosen", [["knots"], False], ids=["named", "none"])
def test_explicit_instrumentation(arrived: Arrived, knots: Any, chosen: list[str] | bool) -> None:
    """Explicit module instrumentation: a client that is named is captured inside a span; otherwise it is left alone."""
    raindrop.init("rk_docs", tracing_enabled=True, auto_instrument=chosen, **arrived.keys)
    interaction = raindrop.begin("chen", "chat_turn", input="Knots?")
    assert interaction.with_span("write_answer", lambda: knots.ask("Knots?")) == "A bowline."
    spans = arrived.spans()
    if not chosen:
        assert set(spans) == {"write_answer"}
        return
    assert tree(spans) == {"write_answer": None, "knots.chat": "write_answer"}
    assert told(spans["knots.chat"])["kind"] == "llm"
    assert spans["knots.chat"]["attributes"]["gen_ai.response.model"] == "knot-1"
    assert whose(spans["knots.chat"])["event_id"] == interaction.id


def test_beside_an_opentelemetry_of_ones_own(arrived: Arrived) -> None:
    """Existing OpenTelemetry setup: with one more processor a model's span reaches both, the interaction only us."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(RaindropSpanProcessor())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("shop")

    def answer() -> str:
        with tracer.start_as_current_span("chat claude-3") as span:
            span.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-3"})
        with tracer.start_as_current_span("SELECT books"):
            return "A bowline."

    interaction = raindrop.begin(event_id="evt-ts-1", event="chat_turn", user_id="chen", input="Knots?")
    interaction.with_span("write_answer", answer)
    interaction.finish(output="A bowline.")
    spans = arrived.spans()
    assert tree(spans) == {"write_answer": None, "chat claude-3": "write_answer"}
    assert told(spans["chat claude-3"])["kind"] == "llm"
    assert whose(spans["chat claude-3"]) == {"event_id": "evt-ts-1", "user_id": "chen", "event": "chat_turn"}
    theirs = {span.name: span for span in exporter.get_finished_spans()}
    assert {"chat claude-3", "SELECT books"} <= set(theirs)
    assert dict(theirs["chat claude-3"].attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "claude-3",
    }
    assert arrived.event()["ai_data"] == {"input": "Knots?", "output": "A bowline."}
