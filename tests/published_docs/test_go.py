"""The Go SDK's documentation: each of its examples on this package, by its heading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import raindrop_logging as raindrop
from tests.published_docs.arrived import Arrived, is_tool_call, plain_event, told, tree, whose, without
from tests.wire.harness import diagnostics

if TYPE_CHECKING:
    from raindrop_logging.vocabulary import AttachmentDict

# ---- events ---------------------------------------------------------------------------------------------------------


def test_installation(arrived: Arrived) -> None:
    """Installation: a client with a key, closed when the program ends, has sent what it was given."""
    raindrop.init(write_key="rk_go", **arrived.keys)
    raindrop.track_ai("ada", "chat", input="Hello?")
    assert raindrop.shutdown()
    (request,) = arrived.recorder.requests
    assert request.headers["Authorization"] == "Bearer rk_go"


def test_without_a_key_nothing_happens(arrived: Arrived) -> None:
    """Configuration: without a key every call works, nothing is sent, and the operator is told once."""
    heard = diagnostics()
    raindrop.init(**arrived.keys)
    interaction = raindrop.begin("ada", "chat", input="Hello?")
    assert interaction.with_tool("search", lambda: 3) == 3
    interaction.finish(output="Yes?")
    raindrop.shutdown()
    assert arrived.recorder.requests == []
    assert len(heard.lines) == 1


def test_chat_completion(arrived: Arrived) -> None:
    """Quick start: Begin with all of its options, then Finish, is one complete event under the given id."""
    interaction = raindrop.begin(
        event_id="evt-go-1",
        user_id="bruno",
        event="trip_chat",
        input="A quiet Sunday near Lyon?",
        model="gpt-4o",
        convo_id="bruno-3",
        properties={"prompt": "v12"},
    )
    interaction.finish(output="Walk along the Saône.")
    sent = arrived.one("events/track")
    assert sent["event_id"] == interaction.event_id == "evt-go-1"
    assert plain_event(sent) == {
        "user_id": "bruno",
        "event": "trip_chat",
        "properties": {"prompt": "v12"},
        "ai_data": {
            "model": "gpt-4o",
            "input": "A quiet Sunday near Lyon?",
            "output": "Walk along the Saône.",
            "convo_id": "bruno-3",
        },
    }


def test_updating_an_interaction(arrived: Arrived) -> None:
    """Updating: SetProperty, SetProperties, SetInput and AddAttachments are all in the event that Finish sends."""
    interaction = raindrop.begin("bruno", "trip_chat", input="A quiet Sunday?")
    interaction.set_property("stage", "search")
    interaction.set_properties({"surface": "app", "region": "eu"})
    interaction.set_input("A quiet Sunday near Lyon?")
    interaction.add_attachments([{"type": "text", "role": "input", "name": "likes", "value": "Rivers, no museums"}])
    interaction.finish(output="Walk along the Saône.")
    assert arrived.event() == {
        "user_id": "bruno",
        "event": "trip_chat",
        "properties": {"stage": "search", "surface": "app", "region": "eu"},
        "ai_data": {"input": "A quiet Sunday near Lyon?", "output": "Walk along the Saône."},
        "attachments": [{"type": "text", "role": "input", "name": "likes", "value": "Rivers, no museums"}],
    }


def test_resuming_an_interaction(arrived: Arrived) -> None:
    """Resuming: the id finds what this process has begun, with its user, event and input."""
    raindrop.begin("bruno", "trip_chat", event_id="evt-go-2", input="A quiet Sunday?")
    resumed = raindrop.resume_interaction("evt-go-2")
    resumed.set_property("stage", "shorter")
    resumed.finish(output="The river.")
    assert arrived.event() == {
        "user_id": "bruno",
        "event": "trip_chat",
        "properties": {"stage": "shorter"},
        "ai_data": {"input": "A quiet Sunday?", "output": "The river."},
    }


def test_resuming_an_unknown_interaction(arrived: Arrived) -> None:
    """Resuming: an id that is not known here gets a handle of its own, and is sent under that id."""
    unknown = raindrop.resume_interaction("evt-unknown")
    unknown.finish(output="Late.", user_id="bruno", event="trip_chat")
    assert unknown.id == "evt-unknown"
    sent = arrived.one("events/track_partial")
    assert (sent["event_id"], sent["user_id"], sent["is_pending"]) == ("evt-unknown", "bruno", False)


def test_track_ai(arrived: Arrived) -> None:
    """Single-shot tracking: TrackAI is one event, with token counts as properties of numbers."""
    usage = {"ai.usage.prompt_tokens": 11, "ai.usage.completion_tokens": 6}
    raindrop.track_ai(
        user_id="bruno",
        event="quiz",
        input="Who won the regatta?",
        output="The blue boat.",
        model="gpt-4o",
        convo_id="bruno-4",
        properties=usage,
    )
    assert arrived.event() == {
        "user_id": "bruno",
        "event": "quiz",
        "properties": usage,
        "ai_data": {
            "model": "gpt-4o",
            "input": "Who won the regatta?",
            "output": "The blue boat.",
            "convo_id": "bruno-4",
        },
    }


def test_track_event(arrived: Arrived) -> None:
    """Single-shot tracking: TrackEvent is an event without AI data."""
    raindrop.track_event(user_id="bruno", event="app_opened", properties={"from": "widget"})
    assert arrived.event() == {"user_id": "bruno", "event": "app_opened", "properties": {"from": "widget"}}


def test_track_signal(arrived: Arrived) -> None:
    """Signals: a feedback signal with a sentiment and its comment among the properties."""
    raindrop.track_signal(
        event_id="evt-go-1",
        name="thumbs_down",
        signal_type="feedback",
        sentiment="NEGATIVE",
        properties={"comment": "There is no river there"},
    )
    assert arrived.signals() == [
        {
            "event_id": "evt-go-1",
            "signal_name": "thumbs_down",
            "signal_type": "feedback",
            "sentiment": "NEGATIVE",
            "properties": {"comment": "There is no river there"},
        }
    ]


def test_signal_defaults(arrived: Arrived) -> None:
    """Signals: without a type it is a default one; an agent's own type and an attachment's id go along."""
    raindrop.track_signal("evt-go-1", "copied")
    raindrop.track_signal("evt-go-1", "gave_up", "agent", attachment_id="att-1")
    assert arrived.signals() == [
        {"event_id": "evt-go-1", "signal_name": "copied", "signal_type": "default"},
        {"event_id": "evt-go-1", "signal_name": "gave_up", "signal_type": "agent", "attachment_id": "att-1"},
    ]


def test_identify(arrived: Arrived) -> None:
    """Identifying users: name, e-mail and plan are the user's traits."""
    traits = {"name": "Bruno", "email": "bruno@shop.example", "plan": "free"}
    raindrop.identify(user_id="bruno", traits=traits)
    assert arrived.one("users/identify") == {"user_id": "bruno", "traits": traits}


ATTACHMENTS: list[AttachmentDict] = [
    {"type": "code", "role": "input", "language": "go", "name": "main.go", "value": "package main"},
    {"type": "text", "name": "Note", "value": "It must compile", "role": "input"},
    {"type": "image", "value": "https://shop.example/gopher.png", "role": "output"},
    {"type": "iframe", "value": "https://shop.example/play", "role": "output"},
]


def test_attachments_of_an_interaction(arrived: Arrived) -> None:
    """Attachments: all four types, added to an interaction, are in its event as they were given."""
    interaction = raindrop.begin("bruno", "code_help", input="Does it compile?")
    interaction.add_attachments(ATTACHMENTS)
    interaction.finish(output="It does.")
    assert arrived.event()["attachments"] == ATTACHMENTS


def test_attachments_of_a_single_event(arrived: Arrived) -> None:
    """Attachments: they work with TrackAI as they do with Begin."""
    raindrop.track_ai("bruno", "code_help", input="Does it compile?", attachments=ATTACHMENTS)
    assert arrived.event()["attachments"] == ATTACHMENTS


# ---- configuration --------------------------------------------------------------------------------------------------


def test_service_of_traces(arrived: Arrived) -> None:
    """Configuration: service name and version are the traces' resource."""
    raindrop.init("rk_docs", service_name="shop.agent", service_version="4.2", **arrived.keys)
    with raindrop.task_span("work"):
        pass
    assert arrived.span()["resource"] == {"service.name": "shop.agent", "service.version": "4.2"}


def test_batches_of_traces(arrived: Arrived) -> None:
    """Configuration: no trace request has more spans than the batch size, and none leaves before its interval."""
    raindrop.init("rk_docs", trace_batch_size=2, trace_queue_size=4, **arrived.keys)
    for number in range(3):
        raindrop.Tracer().track_tool(f"lookup_{number}")
    assert arrived.recorder.requests == []
    assert set(arrived.spans()) == {"lookup_0", "lookup_1", "lookup_2"}
    assert sorted(len(request.spans) for request in arrived.recorder.requests) == [1, 2]


def test_debug(arrived: Arrived) -> None:
    """Configuration: WithDebug makes the diagnostics name the line they are about."""
    heard = diagnostics()
    raindrop.init("rk_docs", debug=True, **arrived.keys)
    raindrop.identify("bruno")
    assert arrived.all("users/identify") == []
    assert any("test_go.py:" in line for line in heard.lines)


# ---- tracing --------------------------------------------------------------------------------------------------------


def test_with_span(arrived: Arrived) -> None:
    """WithSpan: a task around a callable, of the interaction's event; an attribute is set from inside it."""

    def embed() -> list[float]:
        raindrop.current_span().set_attributes({"ai.model.id": "embed-3"})
        return [0.1, 0.2]

    interaction = raindrop.begin("bruno", "agent_run", event_id="evt-go-3", convo_id="bruno-5", input="Find me a walk")
    assert interaction.with_span("write_answer", lambda: None) is None
    assert interaction.with_span("embed", embed, properties={"model": "embed-3"}) == [0.1, 0.2]
    spans = arrived.spans()
    assert told(spans["write_answer"]) == {"kind": "task"}
    assert told(spans["embed"]) == {"kind": "task", "output": "[0.1,0.2]", "properties": {"model": "embed-3"}}
    assert spans["embed"]["attributes"]["ai.model.id"] == "embed-3"
    ids = {"event_id": "evt-go-3", "user_id": "bruno", "event": "agent_run", "convo_id": "bruno-5"}
    assert [whose(span) for span in spans.values()] == [ids, ids]
    assert tree(spans) == {"write_answer": None, "embed": None}


def test_with_span_that_fails(arrived: Arrived) -> None:
    """WithSpan: what the callable raises marks the span and goes on to the caller."""

    def fails() -> None:
        raise ConnectionError("model is away")

    interaction = raindrop.begin("bruno", "agent_run", input="Find me a walk")
    with pytest.raises(ConnectionError):
        interaction.with_span("write_answer", fails)
    assert told(arrived.span()) == {"kind": "task", "error": "model is away"}


def test_with_tool(arrived: Arrived) -> None:
    """WithTool: the callable's own result comes back, and input and output are captured."""
    interaction = raindrop.begin("bruno", "agent_run", input="Find me a walk")
    found = interaction.with_tool("search_walks", lambda: {"best": "Saône"}, input={"query": "river"})
    assert found == {"best": "Saône"}
    span = arrived.span()
    assert told(span) == {"kind": "tool", "input": '{"query":"river"}', "output": '{"best":"Saône"}'}
    assert is_tool_call(span)


def test_track_tool(arrived: Arrived) -> None:
    """TrackTool: calls that are over, one that worked and one that failed, each as long as was said, until now."""
    interaction = raindrop.begin("bruno", "agent_run", event_id="evt-go-4", input="Will it rain?")
    interaction.track_tool(
        "ask_radar",
        input={"place": "Lyon"},
        output={"days": ["dry", "dry"]},
        duration_ms=150,
        properties={"engine": "radar"},
    )
    interaction.track_tool(
        "read_archive", input={"sql": "SELECT 1"}, duration_ms=50, error=TimeoutError("archive is away")
    )
    interaction.finish(output="It will not.")
    spans = arrived.spans()
    assert {name: told(span) for name, span in spans.items()} == {
        "ask_radar": {
            "kind": "tool",
            "input": '{"place":"Lyon"}',
            "output": '{"days":["dry","dry"]}',
            "properties": {"engine": "radar"},
        },
        "read_archive": {"kind": "tool", "input": '{"sql":"SELECT 1"}', "error": "archive is away"},
    }
    assert [span["end"] - span["start"] for span in spans.values()] == [150_000_000, 50_000_000]
    assert {whose(span)["event_id"] for span in spans.values()} == {"evt-go-4"}
    assert arrived.event()["ai_data"] == {"input": "Will it rain?", "output": "It will not."}


def test_track_tool_at_given_times(arrived: Arrived) -> None:
    """TrackTool: start and end are taken as given; a start with a duration ends after it."""
    interaction = raindrop.begin("bruno", "agent_run", input="Will it rain?")
    interaction.track_tool("both", start_time="2026-05-07T10:00:00Z", end_time="2026-05-07T10:00:02Z")
    interaction.track_tool("start", start_time="2026-05-07T10:00:00Z", duration_ms=500)
    spans = arrived.spans()
    assert spans["both"]["end"] - spans["both"]["start"] == 2_000_000_000
    assert spans["start"]["end"] - spans["start"]["start"] == 500_000_000
    assert spans["start"]["start"] == spans["both"]["start"] == 1_778_148_000_000_000_000


@pytest.mark.parametrize("answer", [{"items": 2}, None], ids=["works", "fails"])
def test_start_tool_span(arrived: Arrived, answer: dict[str, int] | None) -> None:
    """StartToolSpan: input first, then an output or an error, and the end when it is said."""
    interaction = raindrop.begin("bruno", "agent_run", input="Will it rain?")
    span = interaction.start_span("tool", "call_api", input={"method": "GET"}, properties={"path": "/rain"})
    if answer is None:
        span.set_error(ConnectionError("502"))
    else:
        span.set_output(answer)
    assert arrived.spans() == {}
    span.end()
    expected: dict[str, Any] = {"kind": "tool", "input": '{"method":"GET"}', "properties": {"path": "/rain"}}
    expected |= {"output": '{"items":2}'} if answer is not None else {"error": "502"}
    assert told(arrived.span()) == expected


def test_start_tool_span_that_learns_its_input(arrived: Arrived) -> None:
    """StartToolSpan: SetInput says a text as it is and an object as JSON."""
    interaction = raindrop.begin("bruno", "agent_run", input="Will it rain?")
    for name, value in (("text", "rain?"), ("object", {"q": 1})):
        span = interaction.start_span("tool", name)
        span.set_input(value)
        span.end()
    assert {name: told(span)["input"] for name, span in arrived.spans().items()} == {
        "text": "rain?",
        "object": '{"q":1}',
    }


def test_standalone_tracer(arrived: Arrived) -> None:
    """Tracer: spans and tools of a batch job carry its properties beside their own, and belong to no event."""
    tracer = raindrop.Tracer({"job_id": "night-9"})
    tracer.with_span(
        "enrich", lambda: raindrop.current_span().set_attributes({"job.kind": "night"}), properties={"step": "embed"}
    )
    tracer.track_tool("lookup", input={"query": "walk"}, output={"best": "Saône"}, properties={"step": "fetch"})
    spans = arrived.spans()
    assert {name: told(span) for name, span in spans.items()} == {
        "enrich": {"kind": "task", "properties": {"job_id": "night-9", "step": "embed"}},
        "lookup": {
            "kind": "tool",
            "input": '{"query":"walk"}',
            "output": '{"best":"Saône"}',
            "properties": {"job_id": "night-9", "step": "fetch"},
        },
    }
    assert spans["enrich"]["attributes"]["job.kind"] == "night"
    assert [whose(span) for span in spans.values()] == [{}, {}]
    assert {request.route for request in arrived.recorder.requests} == {"traces"}


def test_span_attributes(arrived: Arrived) -> None:
    """Span attributes: texts, whole numbers, fractions, truth values and lists of texts keep their type."""
    given = {
        "ai.model.id": "gpt-4o",
        "ai.usage.prompt_tokens": 150,
        "ai.latency_seconds": 1.25,
        "ai.stream": True,
        "ai.tools": ["search", "rank"],
    }
    with raindrop.task_span("work") as span:
        span.set_attributes(given)
    sent = {key: value for key, value in arrived.span()["attributes"].items() if key in given}
    assert sent == given
    assert {key: type(value) for key, value in sent.items()} == {key: type(value) for key, value in given.items()}
    assert without(told(arrived.span()), "kind") == {}
