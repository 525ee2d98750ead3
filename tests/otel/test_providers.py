"""The application's own global TracerProvider: its exporters get our spans as well, and nothing of it is in our way.

The global provider is set once in a process, so each program below runs in one of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult, TraceIdRatioBased

import raindrop_logging as raindrop
from raindrop_logging.otel import RaindropSpanProcessor
from tests.arrivals import by_name, the_event
from tests.otel.apart import apart, provided
from tests.otel.arrived import Span, exported_by, is_marked, tree
from tests.wire.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

CHAT: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}
SPOKEN_OF = "only for Raindrop"
AN_HOUR_AGO, QUARTER = 1_790_000_000, 250_000_000


def application(*processors: SpanProcessor, sampler: Sampler | None = None) -> InMemorySpanExporter:
    """Set up one with a provider, which has these processors and then ours, and with our handler; its own exporter."""
    raindrop.init()
    return provided(*processors, RaindropSpanProcessor(), sampler=sampler)


def instrumentation() -> trace.Tracer:
    """A tracer of somebody else's, of the global provider."""
    return trace.get_tracer("stands.for.any.instrumentation")


# ---- both get our spans --------------------------------------------------------------------------------------------


def chatting() -> list[Span]:
    """A request with spans of a web server, of an instrumentation and of ours; what the other exporter has got."""
    exporter = application()
    with instrumentation().start_as_current_span("GET /chat", attributes={"url.path": "/chat"}):
        turn = raindrop.begin(user_id="u1", event="chat", event_id="e1", convo_id="c1", input=SPOKEN_OF)
        with turn.task_span("answer", input=SPOKEN_OF, properties={"tenant": "acme"}) as answer:
            answer.record_output(SPOKEN_OF)
            answer.set_attributes({"shop.tries": [1, 2], "shop.basket": {"teapots": 3}})
            with instrumentation().start_as_current_span("openai.chat", attributes=CHAT):
                searching(turn)
        turn.track_tool("orders", input=SPOKEN_OF, output=SPOKEN_OF, start_time=AN_HOUR_AGO, duration_ms=QUARTER / 1e6)
        messages = [{"role": "user", "content": SPOKEN_OF}]
        with turn.llm_span("own model", model="m1", messages=messages, tools=[{"name": SPOKEN_OF}]) as call:
            call.record_output(SPOKEN_OF)
        turn.finish(output=SPOKEN_OF)
    return exported_by(exporter)


def searching(turn: raindrop.Interaction) -> None:
    """A tool that fails; the application makes do without."""
    with pytest.raises(LookupError), turn.tool_span("search", input=SPOKEN_OF):
        raise LookupError("no such shop")


@dataclass(frozen=True)
class Both:
    """One program's spans, by name, as Raindrop and as the other exporter has got them."""

    recorder: Recorder
    raindrop: dict[str, Span]
    exporter: dict[str, Span]

    @property
    def measured(self) -> list[tuple[Span, Span]]:
        """Pairs of the same span, as Raindrop and as the other has it, of those that were not told of later."""
        return [(self.raindrop[name], self.exporter[name]) for name in ("answer", "openai.chat", "search", "own model")]


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    """The request, served once."""
    with Recorder() as recorder:
        ended = apart(chatting, recorder=recorder)
        assert ended.told == []
        assert Counter(span["name"] for span in ended.said).most_common(1)[0][1] == 1
        yield Both(recorder, by_name(recorder), {span["name"]: span for span in ended.said})


def test_both_have_the_same_nesting(both: Both) -> None:
    """Ours and theirs inside one another; the web server's span is the other's alone."""
    raindrops = {"answer": None, "openai.chat": "answer", "search": "openai.chat", "orders": None, "own model": None}
    assert tree(both.raindrop.values()) == raindrops
    assert tree(both.exporter.values()) == {
        "GET /chat": None,
        **{name: parent or "GET /chat" for name, parent in raindrops.items()},
    }


def test_both_have_the_same_ids(both: Both) -> None:
    """So that a span is found in the one by what the other says; the event names the same trace."""
    ids = [
        {name: (span["trace_id"], span["span_id"]) for name, span in spans.items()}
        for spans in (both.raindrop, both.exporter)
    ]
    assert ids[0].items() < ids[1].items()
    assert the_event(both.recorder)["properties"]["trace_id"] == both.exporter["GET /chat"]["trace_id"]


def test_both_have_the_same_times(both: Both) -> None:
    """To the microsecond."""
    for ours, theirs in both.measured:
        assert abs(ours["start"] - theirs["start"]) <= 1_000
        assert abs(ours["end"] - theirs["end"]) <= 1_000


def test_both_have_the_times_that_were_told(both: Both) -> None:
    """Of a tool that is over, however long ago that was."""
    start, end = AN_HOUR_AGO * 10**9, AN_HOUR_AGO * 10**9 + QUARTER
    assert (both.raindrop["orders"]["start"], both.raindrop["orders"]["end"]) == (start, end)
    assert (both.exporter["orders"]["start"], both.exporter["orders"]["end"]) == (start, end)


def test_both_have_the_same_errors(both: Both) -> None:
    """Status, message, type and stack of what was raised, once; all else went well."""
    ours, theirs = both.raindrop["search"], both.exporter["search"]
    assert theirs["status"] == ours["status"] == {"code": "ERROR", "message": "no such shop"}
    assert theirs["events"] == ours["events"]
    (exception,) = theirs["events"]
    assert exception["attributes"]["exception.type"] == "LookupError"
    assert "in searching" in exception["attributes"]["exception.stacktrace"]
    failed = [name for name, span in both.exporter.items() if span["status"]["code"] == "ERROR" or span["events"]]
    assert failed == ["search"]


def test_the_other_has_kinds_names_and_attributes_of_ours(both: Both) -> None:
    """What a reader of traces looks for, in OpenTelemetry's own types."""
    kinds = {name: span["attributes"].get("traceloop.span.kind") for name, span in both.exporter.items()}
    ours = {"answer": "task", "search": "tool", "orders": "tool", "own model": "llm"}
    assert kinds == {"GET /chat": None, "openai.chat": None, **ours}
    assert both.exporter["answer"]["attributes"] == {
        "traceloop.span.kind": "task",
        "traceloop.entity.name": "answer",
        "tenant": "acme",
        "shop.tries": [1, 2],
        "shop.basket": '{"teapots":3}',
    }


def test_the_other_has_no_inputs_and_outputs(both: Both) -> None:
    """What users, models and tools said goes to Raindrop alone."""
    assert SPOKEN_OF not in repr(both.exporter)
    assert all(SPOKEN_OF in repr(span) for name, span in both.raindrop.items() if name != "openai.chat")


def test_the_others_spans_of_third_parties_are_as_they_were(both: Both) -> None:
    """Nothing of an interaction is added to them; at Raindrop it is."""
    assert both.exporter["openai.chat"]["attributes"] == CHAT
    assert both.exporter["GET /chat"]["attributes"] == {"url.path": "/chat"}
    assert is_marked(both.raindrop["openai.chat"]["attributes"])


# ---- what is hard to say --------------------------------------------------------------------------------------------


def odd() -> dict[str, Any]:
    """Spans named and described by what an exporter may have no word for; what its encoding holds of them."""
    exporter = application()
    for name in ("\ud800", "x" * 5_000, 7):
        unchecked: Any = name
        with raindrop.task_span(unchecked) as span:
            span.set_attributes({"huge": 2**63, "many": [1, 2**64], "mixed": [1, "a"], "odd": object, "text": "\ud800"})
    message = ExportTraceServiceRequest()
    message.ParseFromString(encode_spans(exporter.get_finished_spans()).SerializeToString())
    (resource,) = message.resource_spans
    (scope,) = resource.scope_spans
    return {span.name[:9]: len(span.attributes) for span in scope.spans}


def test_no_value_of_ours_costs_the_other_exporter_its_batch(recorder: Recorder) -> None:
    """Names and attributes that OTLP cannot say are said as texts that it can."""
    assert apart(odd, recorder=recorder).said == {"\ufffd" * 3: 7, "x" * 9: 7, "7": 7}


# ---- sampling ------------------------------------------------------------------------------------------------------


def sampled() -> list[list[str]]:
    """64 interactions without a request around, at one half; for each, what of its trace the other exporter has got."""
    exporter = application(sampler=TraceIdRatioBased(0.5))
    turns = []
    for number in range(64):
        with raindrop.begin(user_id="u1", event="chat", event_id=f"e{number}", input="Hi?") as turn:
            turns.append(turn)
            with turn.task_span("ours"), instrumentation().start_as_current_span("theirs", attributes=CHAT):
                pass
            turn.track_tool("last", output="done")
    found = exported_by(exporter)
    return [[span["name"] for span in found if span["trace_id"] == turn.trace_id] for turn in turns]


def test_the_applications_sampler_takes_a_trace_whole_or_not_at_all(recorder: Recorder) -> None:
    """An interaction is one trace there too; Raindrop has all of ours, and of theirs what is sampled."""
    traces = [tuple(names) for names in apart(sampled, recorder=recorder).said]
    assert set(traces) == {(), ("theirs", "ours", "last")}
    names = Counter(span["name"] for span in recorder.spans())
    assert names == {"ours": 64, "last": 64, "theirs": traces.count(("theirs", "ours", "last"))}


# ---- what raises, and what does nothing ----------------------------------------------------------------------------


class BrokenSampler(Sampler):
    """One that raises."""

    def should_sample(self, *_: Any, **__: Any) -> SamplingResult:
        """Raise."""
        raise RuntimeError("made up")

    def get_description(self) -> str:
        """What it is called in its own texts."""
        return "BrokenSampler"


class BrokenStart(SpanProcessor):
    """One that raises when a span starts."""

    def on_start(self, *_: Any, **__: Any) -> None:
        """Raise."""
        raise RuntimeError("made up")


class BrokenEnd(SpanProcessor):
    """One that raises when a span ends."""

    def on_end(self, *_: Any) -> None:
        """Raise."""
        raise RuntimeError("made up")


class BrokenExporter(SpanExporter):
    """One that raises."""

    def export(self, *_: Any) -> SpanExportResult:
        """Raise."""
        raise RuntimeError("made up")


def broken(what: str) -> str:
    """An interaction with two spans, in an application of which one part raises whenever it is asked."""
    parts: dict[str, Any] = {
        "sampler": lambda: application(sampler=BrokenSampler()),
        "start": lambda: application(BrokenStart()),
        "end": lambda: application(BrokenEnd()),
        "exporter": lambda: application(SimpleSpanProcessor(BrokenExporter())),
    }
    parts[what]()
    return answering()


def answering() -> str:
    """An interaction with two spans."""
    with raindrop.begin(user_id="u1", event="chat", event_id="e1", input="Hi?") as turn:
        with turn.task_span("outer"), turn.tool_span("inner") as span:
            span.record_output("found")
        turn.finish(output="Hi.")
    return "answered"


OURS = "OpenTelemetry does not take our spans: RuntimeError: made up"


@pytest.mark.parametrize(("what", "lines"), [("sampler", [OURS]), ("start", [OURS]), ("end", [OURS]), ("exporter", [])])
def test_a_part_of_the_applications_that_raises_costs_nothing_else(
    recorder: Recorder, what: str, lines: list[str]
) -> None:
    """Our spans and the interaction arrive as ever, and the operator is told once; an exporter's error is theirs."""
    ended = apart(broken, what, recorder=recorder)
    assert ended.said == "answered"
    assert tree(recorder.spans()) == {"outer": None, "inner": "outer"}
    assert the_event(recorder)["ai_data"]["output"] == "Hi."
    assert [line for line in ended.told if "our spans" in line] == lines


def without_tracing(provider: str) -> str:
    """The same with a provider that makes no spans."""
    made = trace.NoOpTracerProvider() if provider == "none" else TracerProvider()
    trace.set_tracer_provider(made)
    raindrop.init()
    return answering()


@pytest.mark.parametrize(
    ("provider", "environ"),
    [("none", {}), ("disabled", {"OTEL_SDK_DISABLED": "true"})],
    ids=["a provider of nothing", "OTEL_SDK_DISABLED"],
)
def test_a_provider_that_makes_no_spans_is_no_loss(recorder: Recorder, provider: str, environ: dict[str, str]) -> None:
    """Where OpenTelemetry is switched off our own spans arrive as without it."""
    ended = apart(without_tracing, provider, recorder=recorder, **environ)
    assert (ended.said, ended.told) == ("answered", [])
    assert tree(recorder.spans()) == {"outer": None, "inner": "outer"}
