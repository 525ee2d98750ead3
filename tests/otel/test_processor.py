"""`RaindropSpanProcessor`: which spans of a TracerProvider Raindrop gets, whose they are and what they hang on."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

import raindrop_logging as raindrop
from raindrop_logging import bind, otel_context
from raindrop_logging.otel import MAX_SPANS
from tests.arrivals import event_of, whose
from tests.otel.arrived import belongs, tree
from tests.wire.expect import MARKER
from tests.wire.harness import attach, diagnostics, log
from tests.wire.recorder import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.otel.conftest import Watched, Watching

CHAT: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}
REQUEST: dict[str, Any] = {"http.request.method": "GET", "url.path": "/chat"}
QUERY: dict[str, Any] = {"db.system.name": "postgresql"}


# ---- which spans, and what they hang on -----------------------------------------------------------------------------


def test_both_get_the_ai_spans_once_each(watched: Watched) -> None:
    """The other exporter gets what the instrumentation said and no word more; Raindrop gets whose it is as well."""
    turn = raindrop.begin(user_id="u1", event="chat", event_id="e1", input="Hi?")
    with turn.task_span("answer"), watched.tracer.start_as_current_span("openai.chat", attributes=CHAT) as span:
        span.set_attribute("gen_ai.usage.input_tokens", 12)
    (exported,) = watched.exporter.get_finished_spans()
    assert dict(exported.attributes or {}) == {**CHAT, "gen_ai.usage.input_tokens": 12}
    spans = watched.named()
    assert set(spans) == {"answer", "openai.chat"}
    assert belongs(spans["openai.chat"])["event_id"] == "e1"


def test_an_ai_span_hangs_on_its_nearest_ai_ancestor(watched: Watched) -> None:
    """Spans of web servers and databases are left out, whether they end before those inside them or after."""
    tracer = watched.tracer
    with (
        tracer.start_as_current_span("GET /chat", attributes=REQUEST),
        tracer.start_as_current_span("agent", attributes={"gen_ai.operation.name": "invoke_agent"}),
        tracer.start_as_current_span("POST /search", attributes=REQUEST),
        tracer.start_as_current_span("SELECT", attributes=QUERY) as query,
    ):
        inner = tracer.start_span("inner", attributes=CHAT)
        query.end()
        late = tracer.start_span("late", attributes=CHAT)
        inner.end()
    late.end()
    assert tree(watched.arrived()) == {"agent": None, "inner": "agent", "late": "agent"}
    assert {"GET /chat", "POST /search", "SELECT"} < set(watched.exported)


def test_ours_nest_under_theirs_and_theirs_under_ours(watched: Watched) -> None:
    """A span is inside whatever was open around it, whoever opened that."""
    tracer = watched.tracer
    turn = raindrop.begin(user_id="u1", event="chat", input="Hi?")
    with (
        turn.task_span("ours"),
        tracer.start_as_current_span("theirs", attributes={"traceloop.span.kind": "agent"}),
        tracer.start_as_current_span("POST /tool", attributes=REQUEST),
        raindrop.tool_span("our tool"),
        tracer.start_as_current_span("their model", attributes=CHAT),
    ):
        turn.track_tool("our last", output="done")
    spans = watched.arrived()
    assert tree(spans) == {
        "ours": None,
        "theirs": "ours",
        "our tool": "theirs",
        "their model": "our tool",
        "our last": "their model",
    }
    assert {event_of(span) for span in spans} == {turn.id}


def test_our_open_span_is_opentelemetrys_current_one(watched: Watched) -> None:
    """With the ids that it has at Raindrop, for as long as it is open."""
    with raindrop.task_span("ours") as span:
        current = trace.get_current_span().get_span_context()
        assert (f"{current.trace_id:032x}", f"{current.span_id:016x}") == (span.trace_id, span.span_id)
    assert not trace.get_current_span().get_span_context().is_valid
    assert set(watched.named()) == {"ours"}


def test_a_span_of_another_process_is_a_parent_as_it_is(watched: Watched) -> None:
    """Whether it is about AI is not known here, so it is taken to be, and its trace goes on."""
    remote = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    around = set_span_in_context(NonRecordingSpan(remote))
    watched.tracer.start_span("openai.chat", around, attributes=CHAT).end()
    (span,) = watched.arrived()
    assert (span["trace_id"], span["parent_id"]) == (f"{0xABC:032x}", f"{0xDEF:016x}")


def test_everything_takes_the_other_spans_of_an_interaction_too(watching: Watching) -> None:
    """Where it is asked for; what is outside of any interaction and not about AI is nobody's business."""
    watched = watching(everything=True)
    with watched.tracer.start_as_current_span("GET /chat", attributes=REQUEST):
        turn = raindrop.begin(user_id="u1", event="chat", input="Hi?")
        with (
            watched.tracer.start_as_current_span("SELECT", attributes=QUERY),
            watched.tracer.start_as_current_span("openai.chat", attributes=CHAT),
        ):
            pass
        turn.finish(output="Hi.")
    spans = watched.named()
    assert tree(spans.values()) == {"SELECT": None, "openai.chat": "SELECT"}
    assert spans["SELECT"]["attributes"]["traceloop.span.kind"] == "trace"


class Sees(Sampler):
    """A sampler that has traces recorded and not sampled, as for an exporter of metrics."""

    def should_sample(self, *_: Any, **__: Any) -> SamplingResult:
        """Record only."""
        return SamplingResult(Decision.RECORD_ONLY)

    def get_description(self) -> str:
        """What it is called in its own texts."""
        return "Sees"


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, Sees()], ids=["dropped", "recorded only"])
def test_a_trace_that_is_not_sampled_leaves_our_own_spans_alone(watching: Watching, sampler: Sampler) -> None:
    """What the application's sampler leaves out reaches nobody; what is said to us by name does."""
    watched = watching(sampler=sampler)
    with raindrop.task_span("ours"), watched.tracer.start_as_current_span("openai.chat", attributes=CHAT):
        pass
    assert set(watched.named()) == {"ours"}
    assert watched.exported == {}


def test_what_is_suppressed_here_is_not_suppressed_elsewhere(watched: Watched) -> None:
    """Inside a span with suppress_tracing nothing goes to Raindrop, whoever opens it; the other exporter has it."""
    with raindrop.task_span("ours"):
        with (
            raindrop.task_span("secret", suppress_tracing=True),
            watched.tracer.start_as_current_span("secret chat", attributes=CHAT),
            raindrop.tool_span("secret tool"),
        ):
            pass
        with watched.tracer.start_as_current_span("openai.chat", attributes=CHAT):
            pass
    assert tree(watched.arrived()) == {"ours": None, "openai.chat": "ours"}
    assert set(watched.exported) == {"secret chat", "openai.chat"}


# ---- whose they are ------------------------------------------------------------------------------------------------


def test_what_is_bound_goes_with_a_span_outside_of_any_interaction(watched: Watched) -> None:
    """As with a record: the user of the request, and the event that it is about."""
    with bind(user_id="u1", convo_id="c1", event_id="e9", properties={"tenant": "acme"}):
        watched.tracer.start_span("openai.chat", attributes=CHAT).end()
    (span,) = watched.arrived()
    assert belongs(span) == {"user_id": "u1", "convo_id": "c1", "event_id": "e9", "tenant": "acme"}


def test_a_thread_that_has_only_opentelemetrys_context_finds_the_interaction(watched: Watched) -> None:
    """Where an instrumentation of threads has taken nothing else along."""
    turn = raindrop.begin(user_id="u1", event="chat", input="Hi?")
    with turn.task_span("ours"):
        _in_thread_with_their_context(lambda: watched.tracer.start_span("openai.chat", attributes=CHAT).end())
    spans = watched.named()
    assert tree(spans.values()) == {"ours": None, "openai.chat": "ours"}
    assert event_of(spans["openai.chat"]) == turn.id


def _here(work: Callable[[], None]) -> None:
    work()


def _in_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def _in_carried_thread(work: Callable[[], None]) -> None:
    carried = contextvars.copy_context()
    _in_thread(lambda: carried.run(work))


def _in_thread_with_their_context(work: Callable[[], None]) -> None:
    carried = context.get_current()

    def attached() -> None:
        context.attach(carried)
        work()

    _in_thread(attached)


def _in_task(work: Callable[[], None]) -> None:
    async def task() -> None:
        work()

    async def main() -> None:
        await asyncio.create_task(task())

    asyncio.run(main())


PLACES = (_here, _in_thread, _in_carried_thread, _in_thread_with_their_context, _in_task)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_after_the_finish_no_span_is_the_interactions(watched: Watched, place: Callable[..., None]) -> None:
    """In the same thread, in a new one, in one that was given all context or only OpenTelemetry's, and in a task."""
    with raindrop.task_span("root"):
        turn = raindrop.begin(user_id="u1", event="chat", event_id="e1", convo_id="c1", input="Hi?")
        with turn.task_span("inside"):
            turn.finish(output="Hi.")
            place(lambda: watched.tracer.start_span("openai.chat", attributes=CHAT).end())
    span = watched.named()["openai.chat"]
    assert (whose(span), belongs(span)) == ({}, {})


def test_a_span_that_began_before_the_finish_is_the_interactions(watched: Watched) -> None:
    """However late it ends, as with a stream that is read to its end after the answer was shown."""
    turn = raindrop.begin(user_id="u1", event="chat", event_id="e1", input="Hi?")
    span = watched.tracer.start_span("openai.chat", attributes=CHAT)
    turn.finish(output="Hi.")
    span.end()
    assert event_of(watched.named()["openai.chat"]) == "e1"


def test_one_interaction_is_one_trace_at_raindrop(watched: Watched) -> None:
    """Spans that OpenTelemetry has in traces of their own are together; the other exporter has them as they were."""
    turn = raindrop.begin(user_id="u1", event="chat", input="Hi?")
    for name in ("first", "second"):
        watched.tracer.start_span(name, attributes=CHAT).end()
    assert {span["trace_id"] for span in watched.arrived()} == {turn.trace_id}
    assert len({span.context.trace_id for span in watched.exported.values() if span.context}) == 2


# ---- what they are logged on, and what may go wrong -----------------------------------------------------------------


def test_spans_are_records_on_the_logger_that_was_given(watching: Watching) -> None:
    """So that levels and filters of the application decide; without one it is the interaction's own."""
    given, own = logging.getLogger("shop.models"), logging.getLogger("shop.turn")
    watched, other = watching(logger=given), watching()
    given.setLevel(logging.ERROR)
    raindrop.begin(user_id="u1", event="chat", input="Hi?", logger=own)
    with _names(own) as seen:
        watched.tracer.start_span("silenced", attributes=CHAT).end()
        other.tracer.start_span("heard", attributes=CHAT).end()
    assert seen == ["llm heard"]
    assert set(watched.named()) == {"heard"}


class _names:  # noqa: N801 -- used like a function
    """Collects the messages of a logger for a block."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger, self._seen = logger, list[str]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Note it, and let it pass."""
        self._seen.append(record.getMessage())
        return True

    def __enter__(self) -> list[str]:
        self._logger.addFilter(self)
        return self._seen

    def __exit__(self, *_: object) -> None:
        self._logger.removeFilter(self)


def test_a_filter_that_raises_costs_the_instrumentation_nothing(watching: Watching) -> None:
    """A broken filter of the application's is told to the operator, and does not end in the client's code."""
    watched, heard = watching(logger=log), diagnostics()

    def broken(_record: logging.LogRecord) -> bool:
        raise RuntimeError("made up")

    log.addFilter(broken)
    try:
        watched.tracer.start_span("openai.chat", attributes=CHAT).end()
    finally:
        log.removeFilter(broken)
    assert [line for line in heard.lines if "made up" in line] == [
        "a record of the verbs was not logged: RuntimeError: made up"
    ]
    assert set(watched.exported) == {"openai.chat"}


def test_with_tracing_off_they_are_counted_and_go_nowhere(watched: Watched) -> None:
    """As every other span."""
    handler = attach(watched.recorder.endpoint, tracing=False)
    watched.tracer.start_span("openai.chat", attributes=CHAT).end()
    assert handler.flush(5)
    assert handler.stats().dropped == {"tracing_off": 1}
    assert watched.recorder.spans() == []


def test_texts_are_cut_as_those_of_records(watched: Watched) -> None:
    """Spans that come this way take the road of every other, with its limits."""
    handler = attach(watched.recorder.endpoint, max_text_chars=100)
    watched.tracer.start_span("openai.chat", attributes={**CHAT, "gen_ai.prompt.0.content": "x" * 1_000}).end()
    assert handler.flush(5)
    (span,) = watched.recorder.spans()
    text = span["attributes"]["gen_ai.prompt.0.content"]
    assert len(text) == 100
    assert text.endswith(MARKER)


def test_it_knows_a_bounded_number_of_spans(watched: Watched) -> None:
    """Past the bound the oldest is forgotten: it still arrives, without the interaction that it started in."""
    raindrop.begin(user_id="u1", event="chat", event_id="e1", input="Hi?")
    spans = [watched.tracer.start_span(f"chat {number}", attributes=CHAT) for number in range(MAX_SPANS + 2)]
    for number in (0, 1, 2, -1):
        spans[number].end()
    assert [event_of(span) for span in watched.arrived()] == [None, None, "e1", "e1"]


class Seeded(RandomIdGenerator):
    """Makes the same span id again and again, as where an application seeds `random` for each step."""

    def generate_span_id(self) -> int:
        """Always the same."""
        return 7


def test_ids_that_come_twice_hold_nothing_up(watching: Watching) -> None:
    """Spans that seem to be inside themselves arrive as well as they can."""
    watched = watching(id_generator=Seeded())
    tracer = watched.tracer
    for _ in range(2):
        with (
            tracer.start_as_current_span("GET /chat", attributes=REQUEST),
            tracer.start_as_current_span("SELECT", attributes=QUERY) as query,
        ):
            query.end()
            tracer.start_span("openai.chat", attributes=CHAT).end()
            with raindrop.task_span("ours"):
                pass
    assert sorted(span["name"] for span in watched.arrived()) == ["openai.chat", "openai.chat", "ours", "ours"]


# ---- its life ------------------------------------------------------------------------------------------------------


def test_force_flush_sends_what_was_said_until_then(watched: Watched) -> None:
    """The provider's force_flush answers when Raindrop has it."""
    watched.tracer.start_span("openai.chat", attributes=CHAT).end()
    assert watched.provider.force_flush(10_000)
    assert [span["name"] for span in watched.recorder.spans()] == ["openai.chat"]


def test_force_flush_says_so_where_raindrop_does_not_answer(watched: Watched) -> None:
    """It is false, when its time is over and not later."""
    watched.recorder.default = Answer(gate=threading.Event())
    watched.tracer.start_span("openai.chat", attributes=CHAT).end()
    assert not watched.processor.force_flush(50)


def test_after_its_shutdown_our_spans_stand_alone(watched: Watched) -> None:
    """The provider's shutdown takes its open spans out of ours; ours go on to arrive."""
    turn = raindrop.begin(user_id="u1", event="chat", input="Hi?")
    with watched.tracer.start_as_current_span("agent", attributes={"traceloop.span.kind": "agent"}):
        watched.provider.shutdown()
        turn.track_tool("search", output="nothing")
    assert watched.named()["search"]["parent_id"] == ""
    assert not {*otel_context.processors} & {watched.processor}
