"""start_span, end and end_at, an explicit parent, a named event, work around a callable, and tools that are over."""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, get_args

import pytest

import raindrop_logging
from raindrop_logging import Tracer, begin, bind, current_span, llm_span, start_span, task_span, tool_span
from raindrop_logging.vocabulary import SpanKind
from tests.arrivals import PREFIX, event_of, failure, is_kept, said, the_event, whose
from tests.published_docs.arrived import told, tree
from tests.wire.expect import about
from tests.wire.harness import PATIENCE, Heard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raindrop_logging import RaindropHandler
    from tests.arrivals import Spans
    from tests.wire.recorder import Recorder

SECOND = 1_000_000_000
TEN = 1_778_148_000
"""2026-05-07, ten o'clock, in seconds since 1970."""


# ---- started and ended ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", get_args(SpanKind))
def test_a_span_of_any_kind_is_started_here_and_ended_there(spans: Spans, kind: SpanKind) -> None:
    """It is not current for being started, nothing is sent before its end, and its kind lets it pass the server."""
    span = start_span(kind, "work", version=4, input="in", properties={"a": 1})
    assert current_span().name == "none"
    assert spans() == {}

    def elsewhere() -> None:
        span.record_output("out")
        span.end()

    _in_a_thread(elsewhere)
    found = spans()["work"]
    assert told(found) == {"kind": kind, "version": 4, "input": "in", "output": "out", "properties": {"a": 1}}
    assert is_kept(found)
    assert (found["trace_id"], found["span_id"]) == (span.trace_id, span.span_id)


def test_it_ends_once(spans: Spans) -> None:
    """Of many ends, in whatever form and from however many threads, the first is the end, and there is one record."""
    heard, start = Heard("raindrop"), threading.Barrier(8)
    span = start_span("tool", "raced")

    def end() -> None:
        start.wait(PATIENCE)
        span.end()

    _at_once(end)
    span.end()
    span.end(ValueError("late"))
    span.end_at(TEN)
    with span:
        pass
    assert len(heard.records) == 1
    assert failure(spans()["raced"]) is None


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("counting", "switching")
def test_it_may_be_ended_while_others_still_speak_of_it() -> None:
    """A thread that sets a value just as another ends the span disturbs neither."""

    def speak(span: raindrop_logging.LlmSpan, start: threading.Barrier) -> None:
        start.wait(PATIENCE)
        span.set_model("m")
        span.set_token_usage(1, 1)
        span.set_provider("p")
        span.set_tools([], source="catalogue")
        span.set_property("p", 1)
        span.set_attributes({"a": 1})
        span.record_output("out")

    with ThreadPoolExecutor(4) as pool:
        for _ in range(100):
            span, start = start_span("llm", "work"), threading.Barrier(4)
            speaking = [pool.submit(speak, span, start) for _ in range(3)]
            start.wait(PATIENCE)
            span.end()
            for each in speaking:
                each.result()


ERRORS: dict[str, tuple[Any, dict[str, str]]] = {
    "an exception": (TimeoutError("no answer"), {"type": "TimeoutError", "message": "no answer"}),
    "a text": ("no answer", {"message": "no answer"}),
    "parts": ({"type": "Gone", "message": "no answer"}, {"type": "Gone", "message": "no answer"}),
    "a type alone": ({"type": "Gone"}, {"type": "Gone", "message": "Gone"}),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_end_says_what_failed(spans: Spans, name: str) -> None:
    """end, end_at and track_tool take the same forms, and what was put out before stays."""
    error, expected = ERRORS[name]
    for way in ("end", "end_at"):
        span = start_span("tool", way)
        span.record_output("half")
        if way == "end":
            span.end(error=error)
        else:
            span.end_at(datetime.now(UTC), error)
    Tracer().track_tool("track_tool", output="half", error=error)
    for sent in spans().values():
        assert said(sent, "output") == "half"
        recorded = failure(sent) or {}
        assert {key: recorded.get(key) for key in expected} == expected
        assert set(recorded) - set(expected) <= {"stacktrace"}


# ---- times ----------------------------------------------------------------------------------------------------------

TIMES: dict[str, Any] = {
    "seconds": TEN,
    "a fraction": float(TEN),
    "ISO 8601": "2026-05-07T10:00:00Z",
    "ISO 8601 of another zone": "2026-05-07T12:00:00+02:00",
    "ISO 8601 without a zone": "2026-05-07T10:00:00",
    "a datetime": datetime(2026, 5, 7, 10, tzinfo=UTC),
    "a datetime of another zone": datetime(2026, 5, 7, 5, tzinfo=timezone(-timedelta(hours=5))),
    "a datetime without a zone": datetime(2026, 5, 7, 10),  # noqa: DTZ001 -- it is what is tested
}


@pytest.mark.parametrize("name", TIMES)
def test_times_are_taken_in_each_form(spans: Spans, name: str) -> None:
    """As a start and as an end, by hand and for a tool that is over; without a zone they are UTC."""
    start_span("task", "started", start_time=TIMES[name]).end_at(TEN + 1)
    start_span("task", "ended", start_time=TEN - 1).end_at(TIMES[name])
    Tracer().track_tool("told", start_time=TIMES[name], end_time=TIMES[name])
    found = {key: (span["start"] // SECOND - TEN, span["end"] // SECOND - TEN) for key, span in spans().items()}
    assert found == {"started": (0, 1), "ended": (-1, 0), "told": (0, 0)}


def test_an_end_before_its_start_is_its_start(spans: Spans) -> None:
    """No span is shorter than nothing."""
    start_span("task", "work", start_time=TEN).end_at(TEN - 60)
    span = spans()["work"]
    assert (span["start"], span["end"]) == (TEN * SECOND, TEN * SECOND)
    assert span["attributes"]["traceloop.entity.duration_ms"] == 0


def test_an_end_without_a_time_is_now(spans: Spans) -> None:
    """Between the moments before and after, and after its start, whatever was said of that."""
    before = datetime.now(UTC).timestamp() - 0.001
    start_span("task", "both").end()
    start_span("task", "started long ago", start_time=TEN).end()
    after = datetime.now(UTC).timestamp() + 0.001
    found = spans()
    assert before * SECOND <= found["both"]["start"] <= found["both"]["end"] <= after * SECOND
    assert found["started long ago"]["start"] == TEN * SECOND
    assert before * SECOND <= found["started long ago"]["end"] <= after * SECOND


GIVEN = ("start_time", "end_time", "duration_ms")
OVER: dict[tuple[str, ...], tuple[float | None, float | None]] = {
    (): (None, None),
    ("start_time",): (0, None),
    ("end_time",): (5, 5),
    ("duration_ms",): (None, None),
    ("start_time", "end_time"): (0, 5),
    ("start_time", "duration_ms"): (0, 2),
    ("end_time", "duration_ms"): (3, 5),
    GIVEN: (0, 5),
}
"""Which of the three is said, and the start and the end in seconds after ten; None is now."""


@pytest.mark.parametrize("error", [None, "no answer"], ids=["ok", "failed"])
@pytest.mark.parametrize("given", OVER, ids=lambda given: " ".join(given) or "nothing")
def test_a_tool_that_is_over_was_when_it_is_said_to_be(spans: Spans, given: tuple[str, ...], error: str | None) -> None:
    """Start, end and duration in every combination, whether it went well or not; start and end win."""
    values: dict[str, Any] = dict(zip(GIVEN, (TEN, TEN + 5, 2_000.0), strict=True))
    before = datetime.now(UTC).timestamp() - 0.001
    raindrop_logging.resume_interaction("e-1").track_tool(
        "search", input="in", output="out", error=error, **{key: values[key] for key in given}
    )
    after = datetime.now(UTC).timestamp() + 0.001
    span = spans()["search"]
    start, end = OVER[given]
    for moment, expected in ((span["start"], start), (span["end"], end)):
        if expected is not None:
            assert moment == (TEN + expected) * SECOND
    if end is None:
        assert before * SECOND <= span["end"] <= after * SECOND
    if start is None:
        assert span["end"] - span["start"] == (2 * SECOND if given else 0)
    assert span["attributes"]["traceloop.entity.duration_ms"] == round((span["end"] - span["start"]) / 1e6)
    assert told(span) == {"kind": "tool", "input": "in", "output": "out"} | ({"error": error} if error else {})


# ---- parents --------------------------------------------------------------------------------------------------------


def test_an_explicit_parent_overrules_what_is_open(spans: Spans) -> None:
    """By every way to make a span; also one that has ended, and one of another thread."""
    root = start_span("workflow", "root")
    with task_span("open around"):
        start_span("task", "started", parent=root).end()
        with tool_span("block", parent=root), llm_span("inside the block"):
            pass
        root.end()
        Tracer().track_tool("told", parent=root)
        raindrop_logging.tracing._anywhere.with_span("around", lambda: None, parent=root)
        raindrop_logging.tool("decorated", parent=root)(lambda: None)()
    _in_a_thread(lambda: start_span("task", "in a thread", parent=root).end())
    found = spans()
    around = found.pop("open around")
    assert around["parent_id"] == ""
    assert around["trace_id"] != root.trace_id
    children = ("started", "block", "told", "around", "decorated", "in a thread")
    assert tree(found) == {"root": None, "inside the block": "block", **dict.fromkeys(children, "root")}


def test_a_child_is_of_its_parents_interaction(spans: Spans) -> None:
    """Whichever interaction is open where the child is made."""
    ada = begin(user_id="ada", event="chat", event_id="e-ada")
    parent = ada.start_span("task", "of ada")
    begin(user_id="bruno", event="chat", event_id="e-bruno")
    start_span("tool", "child", parent=parent).end()
    start_span("tool", "of bruno").end()
    parent.end()
    found = spans()
    assert {name: event_of(span) for name, span in found.items()} == {
        "of ada": "e-ada",
        "child": "e-ada",
        "of bruno": "e-bruno",
    }
    assert found["child"]["parent_id"] == parent.span_id


def test_a_parent_that_is_suppressed_suppresses(spans: Spans) -> None:
    """A child cannot hang on a span that never arrives."""
    parent = start_span("task", "suppressed", suppress_tracing=True)
    with tool_span("child", parent=parent), llm_span("grandchild"):
        pass
    parent.end()
    assert spans() == {}


def test_the_current_span_of_nowhere_is_no_parent(spans: Spans) -> None:
    """parent=current_span() where none is open makes a root, and inside an interaction one of its spans."""
    start_span("task", "outside", parent=current_span()).end()
    begin(user_id="u", event="chat", event_id="e-1")
    start_span("task", "inside", parent=current_span()).end()
    found = spans()
    assert [(span["parent_id"], event_of(span)) for span in found.values()] == [("", None), ("", "e-1")]


# ---- the event that is named ----------------------------------------------------------------------------------------


def test_a_named_event_is_whose_the_span_is(spans: Spans) -> None:
    """With user, event and conversation as they are given; children by parent or by context are of it too."""
    whose_it_is = {"event_id": "e-1", "user_id": "u", "event": "chat", "convo_id": "c"}
    with start_span("workflow", "root", **whose_it_is) as root, tool_span("inside"):  # type: ignore[call-overload]
        start_span("task", "again", event_id="e-1").end()
    start_span("task", "below", parent=root).end()
    found = spans()
    assert {name: whose(span) for name, span in found.items()} == dict.fromkeys(found, about("e-1", "u", "chat", "c"))
    assert tree(found) == {"root": None, "inside": "root", "again": "inside", "below": "root"}


def test_a_named_event_that_is_open_here_has_one_trace(spans: Spans, recorder: Recorder) -> None:
    """From any thread the span is in the trace of the interaction, wherever that began, and says all of its ids."""

    @raindrop_logging.interaction("handle")
    def handle() -> None:
        turn = begin(user_id="u", event="chat", event_id="e-1", convo_id="c", input="q")
        start_span("tool", "here", event_id="e-1").end()
        _in_a_thread(lambda: start_span("tool", "elsewhere", event_id="e-1").end())
        turn.finish("answer")

    handle()
    found = spans()
    assert {span["trace_id"] for span in found.values()} == {the_event(recorder)["properties"]["trace_id"]}
    assert [whose(span) for span in found.values()] == [about("e-1", "u", "chat", "c")] * 3
    assert (found["here"]["parent_id"], found["elsewhere"]["parent_id"]) == (found["handle"]["span_id"], "")


def test_a_named_event_is_in_the_trace_that_came_in(spans: Spans) -> None:
    """Where another process has sent its traceparent along, that is the trace and the parent."""
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with bind(traceparent=f"00-{trace}-{parent}-01"):
        start_span("tool", "work", event_id="begun-there").end()
    span = spans()["work"]
    assert (span["trace_id"], span["parent_id"], event_of(span)) == (trace, parent, "begun-there")


def test_ids_that_are_numbers_are_said_as_text(spans: Spans) -> None:
    """A database key is what services have at hand."""
    start_span("tool", "work", event_id=7, user_id=8, event=9, convo_id=10).end()  # type: ignore[call-overload]
    assert whose(spans()["work"]) == about("7", "8", "9", "10")


# ---- around a callable ----------------------------------------------------------------------------------------------

CALLERS: dict[str, Callable[[], Any]] = {
    "an interaction": lambda: begin(user_id="u", event="chat"),
    "a tracer": Tracer,
}


def _find() -> str:
    with task_span("inside"):
        return "found"


async def _fetch(answer: str = "found") -> str:
    await asyncio.sleep(0)
    with task_span("inside"):
        return answer


CALLABLES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "a function": (_find, lambda result: result),
    "a coroutine function": (_fetch, asyncio.run),
    "a lambda around a coroutine": (lambda: _fetch("found"), asyncio.run),
    "a partial": (functools.partial(_fetch, "found"), asyncio.run),
}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("way", ["with_span", "with_tool"])
@pytest.mark.parametrize("name", CALLABLES)
def test_work_around_a_callable_is_a_span(spans: Spans, caller: str, way: str, name: str) -> None:
    """What it returns comes back, what it makes inside is a child, and the span lasts until a coroutine is done."""
    function, result = CALLABLES[name]
    call = getattr(CALLERS[caller](), way)
    assert result(call("work", function, input="in", version=2, properties={"a": 1})) == "found"
    found = spans()
    kind = "task" if way == "with_span" else "tool"
    expected = {"kind": kind, "version": 2, "input": "in", "output": "found", "properties": {"a": 1}}
    assert told(found["work"]) == expected
    assert tree(found) == {"work": None, "inside": "work"}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("way", ["with_span", "with_tool"])
def test_what_a_callable_raises_marks_the_span_and_goes_on(spans: Spans, caller: str, way: str) -> None:
    """The very exception, of functions and of coroutines."""
    error = ConnectionError("away")
    call = getattr(CALLERS[caller](), way)

    def fail() -> str:
        raise error

    async def fail_later() -> str:
        await asyncio.sleep(0)
        raise error

    for name, function, run in (("now", fail, lambda result: result), ("later", fail_later, asyncio.run)):
        with pytest.raises(ConnectionError) as caught:
            run(call(name, function))
        assert caught.value is error
    assert [(failure(span) or {})["message"] for span in spans().values()] == ["away", "away"]
    assert current_span().name == "none"


# ---- where a record goes --------------------------------------------------------------------------------------------


def test_a_span_is_one_record_of_its_logger(handler: RaindropHandler, recorder: Recorder) -> None:
    """Of the logger it is given, else of its interaction's, else of `raindrop`; at INFO, in words for people."""
    heard = {name: Heard(name) for name in ("shop.own", "shop.turn", "raindrop")}
    own, of_turn = logging.getLogger("shop.own"), logging.getLogger("shop.turn")
    with task_span("of none"):
        pass
    turn = begin(user_id="u", event="chat", logger=of_turn)
    with turn.tool_span("of the turn"), tool_span("around"):
        pass
    start_span("llm", "of its own", logger=own).end("gone")
    Tracer(logger=own).track_tool("of the tracer")
    raindrop_logging.tool("decorated", logger=own)(lambda: None)()
    lines = {name: [line for line in each.lines if "begin" not in line] for name, each in heard.items()}
    assert lines == {
        "raindrop": ["task of none"],
        "shop.turn": ["tool around", "tool of the turn"],
        "shop.own": ["llm of its own failed", "tool of the tracer", "tool decorated"],
    }
    assert {record.levelno for each in heard.values() for record in each.records} == {logging.INFO}
    assert handler.flush(PATIENCE)
    assert len(recorder.spans()) == 6


# ---- where there is none --------------------------------------------------------------------------------------------


def test_where_no_span_is_open_the_current_one_takes_everything_and_says_nothing(spans: Spans) -> None:
    """Code that speaks of its current span runs anywhere."""
    span = current_span()
    span.set_io("in", "out")
    span.set_property("a", 1)
    span.set_attributes({"a": 1})
    span.set_error("gone")
    span.end()
    assert (span.event_id, current_span() is span) == (None, False)
    assert spans() == {}


@pytest.mark.parametrize("caller", CALLERS)
def test_the_current_span_is_what_inner_code_speaks_of(spans: Spans, caller: str) -> None:
    """A function that does not know its caller says more of the work it is part of."""

    def deep() -> None:
        current_span().set_properties({"deep": True})

    CALLERS[caller]().with_tool("work", deep)
    assert spans()["work"]["attributes"][f"{PREFIX}deep"] is True


def _in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def _at_once(work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
