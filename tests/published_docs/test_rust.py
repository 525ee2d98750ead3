"""The Rust SDK's documentation: what each of its headings promises, on this package."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

import raindrop_logging as raindrop
from tests.published_docs.arrived import Arrived, is_tool_call, plain_event, told, tree, whose, without
from tests.wire.recorder import Answer, Recorder

# ---- events ---------------------------------------------------------------------------------------------------------


def test_chat_completion(arrived: Arrived) -> None:
    """Quick start: begin() with its options and finish() are one event; the handle is usable without a check."""
    interaction = raindrop.begin("dora", "chat", event_id="evt-rs-1", input="Hello?", model="m-1", convo_id="dora-1")
    interaction.finish("Hello.")
    assert arrived.event() == {
        "user_id": "dora",
        "event": "chat",
        "ai_data": {"model": "m-1", "input": "Hello?", "output": "Hello.", "convo_id": "dora-1"},
    }


def test_updating_an_interaction(arrived: Arrived) -> None:
    """Updating: every mutator, and several fields patched at once, end up in the one event."""
    interaction = raindrop.begin("dora", "chat", input="Hello?")
    interaction.set_input("Hello, anybody?")
    interaction.set_property("stage", "greeting")
    interaction.set_properties({"region": "eu"})
    interaction.add_attachments([{"type": "text", "value": "A note", "role": "input"}])
    interaction.update(model="m-2", properties={"stage": "answering"})
    interaction.finish(output="Hello.")
    assert arrived.event() == {
        "user_id": "dora",
        "event": "chat",
        "properties": {"stage": "answering", "region": "eu"},
        "ai_data": {"model": "m-2", "input": "Hello, anybody?", "output": "Hello."},
        "attachments": [{"type": "text", "value": "A note", "role": "input"}],
    }


def test_resuming_an_interaction(arrived: Arrived) -> None:
    """Resuming: the handle is found again by its id, and never fails to be one."""
    raindrop.begin("dora", "chat", event_id="evt-rs-2", input="Hello?")
    raindrop.resume_interaction("evt-rs-2").finish("Hello.")
    assert arrived.event()["ai_data"] == {"input": "Hello?", "output": "Hello."}
    assert raindrop.resume_interaction("never-begun").id == "never-begun"


def test_single_shot_tracking(arrived: Arrived) -> None:
    """Single-shot tracking: track_ai() with AI data and track_event() without are an event each."""
    raindrop.track_ai("dora", "chat", input="Hello?", output="Hello.")
    raindrop.track_event("dora", "logged_out", properties={"after": 3})
    assert [plain_event(event) for event in arrived.all("events/track")] == [
        {"user_id": "dora", "event": "chat", "ai_data": {"input": "Hello?", "output": "Hello."}},
        {"user_id": "dora", "event": "logged_out", "properties": {"after": 3}},
    ]


@pytest.mark.parametrize("kind", ["default", "standard", "feedback", "edit", "agent", "agent_internal"])
def test_signals_of_every_kind(arrived: Arrived, kind: Any) -> None:
    """Signals: every kind arrives as itself, with comment and after merged into its properties."""
    raindrop.track_signal("e-1", "judged", kind, properties={"by": "dora"}, comment="Fine", after="Hello!")
    assert arrived.signals() == [
        {
            "event_id": "e-1",
            "signal_name": "judged",
            "signal_type": kind,
            "properties": {"by": "dora", "comment": "Fine", "after": "Hello!"},
        }
    ]


def test_identifying_users(arrived: Arrived) -> None:
    """Identifying users: traits reach the user's own route."""
    raindrop.identify("dora", {"plan": "paid"})
    assert arrived.one("users/identify") == {"user_id": "dora", "traits": {"plan": "paid"}}


def test_attachment_id_round_trip(arrived: Arrived) -> None:
    """Attachments: an id of one's own stays, in both kinds of event, and a signal can name it."""
    first, second = str(uuid4()), str(uuid4())
    raindrop.track_ai("dora", "chat", output="See.", attachments=[{"value": "a", "attachment_id": first}])
    interaction = raindrop.begin("dora", "chat", input="Show me")
    interaction.add_attachments([{"type": "code", "value": "b", "language": "rust", "attachment_id": second}])
    interaction.finish("See.")
    raindrop.track_signal(interaction.id, "copied", attachment_id=second)
    sent = [attachment for event in arrived.all("events/track") for attachment in event["attachments"]]
    assert sent == [
        {"type": "text", "value": "a", "attachment_id": first},
        {"type": "code", "value": "b", "language": "rust", "attachment_id": second},
    ]
    (signal,) = arrived.signals()
    assert (signal["event_id"], signal["attachment_id"]) == (interaction.id, second)


# ---- configuration --------------------------------------------------------------------------------------------------


def test_attempts(arrived: Arrived) -> None:
    """Configuration: one attempt means no retry, and what was not taken is counted."""
    arrived.recorder.default = Answer(503)
    raindrop.init("rk_docs", max_attempts=1, base_delay=0.01, jitter=0.0, **arrived.keys)
    raindrop.track_ai("dora", "chat", input="Hello?")
    raindrop.flush(5)
    assert len(arrived.recorder.requests) == 1
    assert sum(raindrop.stats().dropped.values()) == 1


def test_local_workshop_mirror(arrived: Arrived) -> None:
    """Configuration: a local Workshop gets what the cloud gets, and never the key."""
    with Recorder() as workshop:
        raindrop.init("rk_docs", workshop=workshop.endpoint, **arrived.keys)
        raindrop.track_ai("dora", "chat", input="Hello?")
        assert raindrop.shutdown()
        (event,) = arrived.recorder.items("events/track")
        mirrored = [item for request in workshop.requests for item in workshop.items(request.route)]
        assert event["event_id"] in {item["event_id"] for item in mirrored}
        assert all(request.headers["Authorization"] is None for request in workshop.requests)


def test_without_local_workshop(arrived: Arrived, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configuration: the environment may name a Workshop, and the key turns it off again."""
    with Recorder() as workshop:
        monkeypatch.setenv("RAINDROP_LOCAL_DEBUGGER", workshop.endpoint)
        raindrop.init("rk_docs", workshop=False, **arrived.keys)
        raindrop.track_ai("dora", "chat", input="Hello?")
        assert raindrop.shutdown()
        assert workshop.requests == []


# ---- manual spans ---------------------------------------------------------------------------------------------------


def test_manual_spans_with_a_parent(arrived: Arrived) -> None:
    """Manual spans: a tree is built by naming parents, whatever is open around them and whichever ends first."""
    root = raindrop.start_span("workflow", "plan_trip", event_id="evt-rs-3")
    step = raindrop.start_span("task", "find_hotel", parent=root, input={"city": "Oslo"})
    root.end()
    leaf = raindrop.start_span("trace", "cache", parent=step)
    leaf.end()
    step.record_output("Hotel Fjord")
    step.end()
    spans = arrived.spans()
    assert tree(spans) == {"plan_trip": None, "find_hotel": "plan_trip", "cache": "find_hotel"}
    assert told(spans["find_hotel"]) == {"kind": "task", "input": '{"city":"Oslo"}', "output": "Hotel Fjord"}
    assert [whose(span) for span in spans.values()] == [{"event_id": "evt-rs-3"}] * 3


def test_manual_spans_of_an_interaction(arrived: Arrived) -> None:
    """Manual spans: one of an interaction says its user, conversation and event."""
    interaction = raindrop.begin("dora", "trip", event_id="evt-rs-4", convo_id="dora-2", input="Oslo")
    interaction.start_span("task", "find_hotel").end()
    assert whose(arrived.span()) == {
        "event_id": "evt-rs-4",
        "user_id": "dora",
        "event": "trip",
        "convo_id": "dora-2",
    }


def test_manual_spans_of_no_event(arrived: Arrived) -> None:
    """Manual spans: outside of any event an operation id or properties are kept, so that the span is not dropped."""
    raindrop.start_span("trace", "sweep", attributes={"ai.operationId": "ai.workflow"}).end()
    raindrop.start_span("task", "count", properties={"job": 7}).end()
    spans = arrived.spans()
    assert spans["sweep"]["attributes"]["ai.operationId"] == "ai.workflow"
    assert told(spans["count"])["properties"] == {"job": 7}
    assert [whose(span) for span in spans.values()] == [{}, {}]


# ---- model spans ----------------------------------------------------------------------------------------------------

MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Oslo or Bergen?"},
    {"role": "assistant", "content": "When?"},
    {"role": "developer", "content": "Metric units."},
    {"role": "user", "content": "In May."},
]


def prompt(span: dict[str, Any]) -> list[tuple[str, str]]:
    """Role and content of each message, as its numbered attributes say."""
    found = span["attributes"]
    numbers = sorted({int(key.split(".")[2]) for key in found if key.startswith("gen_ai.prompt.")})
    return [(found[f"gen_ai.prompt.{number}.role"], found[f"gen_ai.prompt.{number}.content"]) for number in numbers]


def model_attributes(span: dict[str, Any]) -> dict[str, Any]:
    """What is read of a model's call beside its prompt."""
    keys = {
        "ai.operationId",
        "ai.model.id",
        "ai.model.provider",
        "ai.response.text",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
    }
    return {key: value for key, value in span["attributes"].items() if key in keys}


def test_model_span_of_messages(arrived: Arrived) -> None:
    """LLM spans: messages of every role, the provider's own too, with model, answer and tokens."""
    interaction = raindrop.begin("dora", "trip", input="Oslo or Bergen?")
    with interaction.llm_span("choose", model="gpt-4o", provider="openai", messages=MESSAGES) as span:
        span.set_output("Bergen.")
        span.set_token_usage(input_tokens=48, output_tokens=2)
    sent = arrived.span()
    assert told(sent)["kind"] == "llm"
    assert prompt(sent) == [(message["role"], message["content"]) for message in MESSAGES]
    assert json.loads(sent["attributes"]["ai.prompt.messages"]) == MESSAGES
    assert model_attributes(sent) == {
        "ai.operationId": "ai.generateText",
        "ai.model.id": "gpt-4o",
        "ai.model.provider": "openai",
        "ai.response.text": "Bergen.",
        "gen_ai.usage.input_tokens": 48,
        "gen_ai.usage.output_tokens": 2,
    }
    assert whose(sent)["event_id"] == interaction.id


def test_model_span_where_messages_win(arrived: Arrived) -> None:
    """LLM spans: of input and messages both, messages are what was asked."""
    raindrop.llm_span("choose", model="gpt-4o", input="Ignored", messages=MESSAGES[:2]).end()
    sent = arrived.span()
    assert prompt(sent) == [("system", "Be brief."), ("user", "Oslo or Bergen?")]
    assert "Ignored" not in str(sent["attributes"])


def test_model_span_that_learns_its_messages(arrived: Arrived) -> None:
    """LLM spans: set_messages() replaces an input, and messages that were there before."""
    span = raindrop.start_span("llm", "choose", model="gpt-4o", messages=MESSAGES)
    span.set_input("Ignored")
    span.set_messages(MESSAGES[1:2])
    span.end()
    sent = arrived.span()
    assert prompt(sent) == [("user", "Oslo or Bergen?")]
    assert "Ignored" not in str(sent["attributes"])


def test_model_span_of_plain_texts(arrived: Arrived) -> None:
    """LLM spans: set_io() says prompt and answer as texts; model and provider may be said late."""
    span = raindrop.start_span("llm", "choose")
    span.set_model("m-1")
    span.set_provider("anthropic")
    span.set_io("Oslo or Bergen?", "Bergen.")
    span.end()
    sent = arrived.span()
    assert told(sent) == {"kind": "llm", "input": "Oslo or Bergen?", "output": "Bergen."}
    assert sent["attributes"]["ai.prompt"] == "Oslo or Bergen?"
    assert model_attributes(sent) == {
        "ai.operationId": "ai.generateText",
        "ai.model.id": "m-1",
        "ai.model.provider": "anthropic",
        "ai.response.text": "Bergen.",
    }


def test_model_span_that_fails_at_a_given_time(arrived: Arrived) -> None:
    """LLM spans: set_error() marks the call, and end_at() says when it was over."""
    started = datetime(2026, 5, 7, 10, tzinfo=UTC)
    span = raindrop.start_span("llm", "choose", model="m-1", start_time=started)
    span.set_error("429 too many requests")
    span.end_at(started + timedelta(seconds=3))
    sent = arrived.span()
    assert sent["status"] == {"code": "ERROR", "message": "429 too many requests"}
    assert sent["end"] - sent["start"] == 3_000_000_000


def test_model_span_with_attributes_of_its_own(arrived: Arrived) -> None:
    """LLM spans: what is said as an attribute stays, where no field of the span says the same."""
    raindrop.llm_span("choose", attributes={"gen_ai.request.model": "m-1", "gen_ai.usage.input_tokens": 9}).end()
    attributes = arrived.span()["attributes"]
    assert (attributes["gen_ai.request.model"], attributes["gen_ai.usage.input_tokens"]) == ("m-1", 9)


# ---- closures and tools ---------------------------------------------------------------------------------------------


def fails() -> None:
    """Work that goes wrong."""
    raise LookupError("no room left")


def test_closure_around_a_span(arrived: Arrived) -> None:
    """Closure helpers: what the closure returns comes back; what it raises marks the span and is raised."""
    interaction = raindrop.begin("dora", "trip", input="Oslo")
    assert interaction.with_span("count_rooms", lambda: 3) == 3
    with pytest.raises(LookupError):
        interaction.with_span("book_room", fails)
    spans = arrived.spans()
    assert told(spans["count_rooms"]) == {"kind": "task", "output": "3"}
    assert told(spans["book_room"]) == {"kind": "task", "error": "no room left"}


def test_closure_around_a_tool(arrived: Arrived) -> None:
    """Tool spans: with_tool() has the closure's result as JSON in its output, sync and async, and marks a failure."""

    async def rooms() -> dict[str, int]:
        await asyncio.sleep(0)
        return {"rooms": 3}

    interaction = raindrop.begin("dora", "trip", input="Oslo")
    assert interaction.with_tool("count_beds", lambda: {"beds": 5}, input="Oslo") == {"beds": 5}
    assert asyncio.run(interaction.with_tool("count_rooms", rooms)) == {"rooms": 3}
    with pytest.raises(LookupError):
        interaction.with_tool("book_room", fails)
    spans = arrived.spans()
    assert {name: told(span) for name, span in spans.items()} == {
        "count_beds": {"kind": "tool", "input": "Oslo", "output": '{"beds":5}'},
        "count_rooms": {"kind": "tool", "output": '{"rooms":3}'},
        "book_room": {"kind": "tool", "error": "no room left"},
    }
    assert all(is_tool_call(span) for span in spans.values())


def test_tool_told_with_all_fields(arrived: Arrived) -> None:
    """Tool spans: start, end, properties and a parent are taken as given."""
    interaction = raindrop.begin("dora", "trip", input="Oslo")
    started = datetime(2026, 5, 7, 10, tzinfo=UTC)
    with interaction.task_span("find_hotel") as parent:
        pass
    interaction.track_tool(
        "ask_hotel",
        input={"city": "Oslo"},
        output={"rooms": 3},
        start_time=started,
        end_time=started + timedelta(milliseconds=250),
        parent=parent,
        properties={"source": "api"},
    )
    spans = arrived.spans()
    assert tree(spans) == {"find_hotel": None, "ask_hotel": "find_hotel"}
    assert told(spans["ask_hotel"]) == {
        "kind": "tool",
        "input": '{"city":"Oslo"}',
        "output": '{"rooms":3}',
        "properties": {"source": "api"},
    }
    assert spans["ask_hotel"]["start"] == int(started.timestamp()) * 1_000_000_000
    assert spans["ask_hotel"]["end"] - spans["ask_hotel"]["start"] == 250_000_000


def test_tool_told_by_its_duration(arrived: Arrived) -> None:
    """Tool spans: with a duration alone it ended now, or when it is said that it ended; an error marks it."""
    interaction = raindrop.begin("dora", "trip", input="Oslo")
    before = datetime.now(UTC)
    interaction.track_tool("until_now", duration_ms=1_000)
    interaction.track_tool("until_then", duration_ms=1_000, end_time="2026-05-07T10:00:01Z", error="504")
    spans = arrived.spans()
    assert [span["end"] - span["start"] for span in spans.values()] == [1_000_000_000, 1_000_000_000]
    ended = datetime.fromtimestamp(spans["until_now"]["end"] / 1e9, UTC)
    assert before - timedelta(milliseconds=1) <= ended <= datetime.now(UTC)
    assert spans["until_then"]["start"] == 1_778_148_000_000_000_000
    assert told(spans["until_then"]) == {"kind": "tool", "error": "504"}


def test_tool_span_in_real_time(arrived: Arrived) -> None:
    """Tool spans: one that is started below a parent, given its output and ended is a tool's call."""
    interaction = raindrop.begin("dora", "trip", input="Oslo")
    parent = interaction.start_span("workflow", "plan_trip")
    span = interaction.start_span("tool", "ask_hotel", parent=parent, input={"city": "Oslo"})
    span.set_output({"rooms": 3})
    span.end()
    parent.end()
    spans = arrived.spans()
    assert tree(spans) == {"plan_trip": None, "ask_hotel": "plan_trip"}
    assert is_tool_call(spans["ask_hotel"])


# ---- tracer and attributes ------------------------------------------------------------------------------------------


def test_standalone_tracer(arrived: Arrived) -> None:
    """Standalone tracer: spans, model spans and tools carry the job's properties and nobody's ids."""
    tracer = raindrop.Tracer({"job": "night-9"})
    with tracer.task_span("enrich"), tracer.llm_span("label", model="m-1"):
        tracer.track_tool("lookup", output="found")
    spans = arrived.spans()
    assert {name: told(span) for name, span in spans.items()} == {
        "enrich": {"kind": "task", "properties": {"job": "night-9"}},
        "label": {"kind": "llm", "properties": {"job": "night-9"}},
        "lookup": {"kind": "tool", "output": "found", "properties": {"job": "night-9"}},
    }
    assert tree(spans) == {"enrich": None, "label": "enrich", "lookup": "label"}
    assert [whose(span) for span in spans.values()] == [{}, {}, {}]


@pytest.mark.parametrize("value", ["text", 7, 2.5, True, ["a", "b"]], ids=lambda value: type(value).__name__)
def test_typed_span_attributes(arrived: Arrived, value: Any) -> None:
    """Span attributes: each type arrives as itself."""
    raindrop.start_span("trace", "work", attributes={"own.key": value}).end()
    sent = arrived.span()
    assert without(told(sent), "kind") == {}
    assert sent["attributes"]["own.key"] == value
    assert type(sent["attributes"]["own.key"]) is type(value)


def test_oversized_payload(arrived: Arrived) -> None:
    """Known limitations: here an event beyond 1 MiB is not dropped, it is shortened and counted."""
    raindrop.track_ai("dora", "chat", input="Hello?", output="x" * 3_000_000)
    event = arrived.event()
    assert event["ai_data"]["input"] == "Hello?"
    assert event["ai_data"]["output"].endswith("...[truncated by raindrop]")
    assert raindrop.stats().truncated == 1
