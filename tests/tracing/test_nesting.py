"""One trace for one interaction: by context, in tasks and threads, in nested interactions, and over processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging import (
    begin,
    bind,
    carry,
    extra,
    interaction,
    llm_span,
    resume_interaction,
    start_span,
    task,
    task_span,
    tool,
    tool_span,
    traceparent,
)
from tests.arrivals import complete, event_of, the_event, whose
from tests.published_docs.arrived import tree
from tests.wire.expect import about
from tests.wire.harness import PATIENCE, log
from tests.wire.matching import HEX16, HEX32

if TYPE_CHECKING:
    from collections.abc import Callable

    from raindrop_logging import RaindropHandler
    from tests.arrivals import Spans
    from tests.wire.recorder import Recorder

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


# ---- one trace ------------------------------------------------------------------------------------------------------


def test_every_way_to_make_a_span_is_one_tree_and_one_trace(spans: Spans, recorder: Recorder) -> None:
    """Decorators, blocks, spans by hand, told tools, callables and hand-written records; the event names the trace."""

    @tool
    def decorated() -> None:
        start_span("task", "by hand").end()

    @interaction
    def handle() -> str:
        turn = begin(user_id="u", event="chat", event_id="e-1", input="q")
        with task_span("block"):
            decorated()
            turn.track_tool("told")
            turn.with_span("around", lambda: log.info("said", extra=extra.span(kind="tool", name="written")))
            resume_interaction().start_span("llm", "resumed").end()
            resume_interaction("e-1").start_span("llm", "resumed by its id").end()
        turn.finish("answer")
        return turn.trace_id

    trace_id = handle()
    found = spans()
    assert tree(found) == {
        "handle": None,
        "block": "handle",
        "decorated": "block",
        "by hand": "decorated",
        "told": "block",
        "around": "block",
        "written": "around",
        "resumed": "block",
        "resumed by its id": "block",
    }
    assert {span["trace_id"] for span in found.values()} == {trace_id}
    assert the_event(recorder)["properties"]["trace_id"] == trace_id
    assert [whose(span) for span in found.values()] == [about("e-1", "u", "chat")] * 9


def test_an_interaction_without_a_span_around_has_roots(spans: Spans, recorder: Recorder) -> None:
    """All of them in its one trace."""
    turn = begin(user_id="u", event="chat", input="q")
    with task_span("first"), tool_span("inside"):
        pass
    with task_span("second"):
        pass
    turn.finish("answer")
    found = spans()
    assert tree(found) == {"first": None, "inside": "first", "second": None}
    assert {span["trace_id"] for span in found.values()} == {the_event(recorder)["properties"]["trace_id"]}


def test_spans_of_nobody_are_traces_of_their_own(spans: Spans) -> None:
    """Two roots one after the other have nothing in common."""
    with task_span("first"), tool_span("inside"):
        pass
    with task_span("second"):
        pass
    found = spans()
    assert found["first"]["trace_id"] == found["inside"]["trace_id"] != found["second"]["trace_id"]


# ---- tasks and threads ----------------------------------------------------------------------------------------------


def _in_a_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=carry(work))
    thread.start()
    thread.join()


def _in_a_pool(work: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(carry(work)).result()


def _in_a_busy_pool(work: Callable[[], None]) -> None:
    """Whose thread has worked for others before."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_begin_elsewhere).result()
        pool.submit(carry(work)).result()


def _begin_elsewhere() -> None:
    begin(user_id="other", event="other", event_id="e-other")


def _in_a_task(work: Callable[[], None]) -> None:
    async def later() -> None:
        await asyncio.sleep(0)
        work()

    async def serve() -> None:
        await asyncio.create_task(later())

    asyncio.run(serve())


def _in_a_task_group(work: Callable[[], None]) -> None:
    async def later() -> None:
        await asyncio.sleep(0)
        work()

    async def serve() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(later())

    asyncio.run(serve())


def _by_to_thread(work: Callable[[], None]) -> None:
    asyncio.run(asyncio.to_thread(work))


def _in_an_executor(work: Callable[[], None]) -> None:
    async def serve() -> None:
        await asyncio.get_running_loop().run_in_executor(None, carry(work))

    asyncio.run(serve())


def _by_call_soon(work: Callable[[], None]) -> None:
    async def serve() -> None:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.call_soon(work)
        loop.call_soon(done.set)
        await done.wait()

    asyncio.run(serve())


WAYS = [
    _in_a_thread,
    _in_a_pool,
    _in_a_busy_pool,
    _in_a_task,
    _in_a_task_group,
    _by_to_thread,
    _in_an_executor,
    _by_call_soon,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.strip("_"))
def test_work_that_goes_elsewhere_is_a_child_of_where_it_was_given(
    spans: Spans, recorder: Recorder, way: Callable[[Callable[[], None]], None]
) -> None:
    """asyncio takes what is open along by itself, carry takes it to a thread; all is of the interaction."""

    def work() -> None:
        with tool_span("elsewhere"):
            llm_span("deep").end()
        resume_interaction().set_property("from", "elsewhere")

    turn = begin(user_id="u", event="chat", event_id="e-1", input="q")
    with task_span("here"):
        way(work)
        with tool_span("after"):
            pass
    turn.finish("answer")
    found = spans()
    assert tree(found) == {"here": None, "elsewhere": "here", "deep": "elsewhere", "after": "here"}
    assert {event_of(span) for span in found.values()} == {"e-1"}
    assert the_event(recorder)["properties"]["from"] == "elsewhere"


@pytest.mark.parametrize("start", ["thread", "pool", "executor"])
def test_without_carry_a_thread_starts_with_nothing(spans: Spans, start: str) -> None:
    """Its spans are nobody's, in a trace of their own."""

    def work() -> None:
        with tool_span("elsewhere"):
            pass

    async def serve() -> None:
        await asyncio.get_running_loop().run_in_executor(None, work)

    begin(user_id="u", event="chat", event_id="e-1")
    with task_span("here"):
        if start == "thread":
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        elif start == "pool":
            with ThreadPoolExecutor(1) as pool:
                pool.submit(work).result()
        else:
            asyncio.run(serve())
    found = spans()
    assert (event_of(found["here"]), event_of(found["elsewhere"])) == ("e-1", None)
    assert found["elsewhere"]["parent_id"] == ""
    assert found["elsewhere"]["trace_id"] != found["here"]["trace_id"]


def test_what_is_carried_may_be_called_often_and_at_once(recorder: Recorder, handler: RaindropHandler) -> None:
    """Each call starts where it was taken along, and leaves nothing to the next."""

    @task
    def work(number: int) -> int:
        with tool_span("inside", input=number):
            return number

    begin(user_id="u", event="chat", event_id="e-1")
    with task_span("here") as here, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(carry(work), range(20))) == list(range(20))
    assert handler.flush(PATIENCE)
    found = {span["span_id"]: span for span in recorder.spans()}
    calls = [span for span in found.values() if span["name"] == "work"]
    assert [span["parent_id"] for span in calls] == [here.span_id] * 20
    inside = [found[span["parent_id"]] for span in found.values() if span["name"] == "inside"]
    assert sorted(span["span_id"] for span in inside) == sorted(span["span_id"] for span in calls)
    assert {event_of(span) for span in found.values()} == {"e-1"}


def test_tasks_at_the_same_time_nest_each_in_itself(spans: Spans) -> None:
    """Children of one span that take turns are siblings, each with its own children."""

    async def work(number: int) -> None:
        async with tool_span(f"task {number}"):
            await asyncio.sleep(0)
            async with llm_span(f"model {number}"):
                await asyncio.sleep(0)

    async def serve() -> None:
        async with task_span("all"):
            await asyncio.gather(*(work(number) for number in range(5)))

    asyncio.run(serve())
    assert tree(spans()) == {
        "all": None,
        **{f"task {number}": "all" for number in range(5)},
        **{f"model {number}": f"task {number}" for number in range(5)},
    }


# ---- several interactions -------------------------------------------------------------------------------------------


def test_nested_interactions_are_two_traces(spans: Spans, recorder: Recorder) -> None:
    """The inner one is no child of a span of the outer one; each event names its own trace."""
    outer = begin(user_id="u", event="outer", event_id="e-outer", input="q")
    with task_span("of the outer"):
        inner = begin(user_id="u", event="inner", event_id="e-inner", input="q")
        with task_span("of the inner"), tool_span("inside"):
            pass
        inner.finish("answer")
        with tool_span("of the outer again"):
            pass
    outer.finish("answer")
    found = spans()
    traces = {event["event_id"]: event["properties"]["trace_id"] for event in complete(recorder)}
    assert len(set(traces.values())) == 2
    assert {name: (event_of(span), span["trace_id"]) for name, span in found.items()} == {
        "of the outer": ("e-outer", traces["e-outer"]),
        "of the outer again": ("e-outer", traces["e-outer"]),
        "of the inner": ("e-inner", traces["e-inner"]),
        "inside": ("e-inner", traces["e-inner"]),
    }
    assert found["of the inner"]["parent_id"] == ""
    assert found["of the outer again"]["parent_id"] == found["of the outer"]["span_id"]


def test_a_handles_spans_hang_on_its_own_interaction(spans: Spans) -> None:
    """Used inside another interaction, they are children of the innermost span of their own around."""
    outer = begin(user_id="u", event="outer", event_id="e-outer")
    with outer.task_span("of the outer"):
        inner = begin(user_id="u", event="inner", event_id="e-inner")
        with inner.task_span("of the inner"):
            outer.track_tool("told to the outer")
            with outer.tool_span("block of the outer"):
                inner.track_tool("told to the inner")
    found = spans()
    assert {name: event_of(span) for name, span in found.items()} == {
        name: "e-inner" if name.endswith("inner") else "e-outer" for name in found
    }
    parents = {
        "told to the outer": "of the outer",
        "block of the outer": "of the outer",
        "told to the inner": "of the inner",
    }
    assert {name: found[name]["parent_id"] for name in parents} == {
        name: found[parent]["span_id"] for name, parent in parents.items()
    }


def test_five_hundred_interactions_at_once_keep_to_themselves(recorder: Recorder, handler: RaindropHandler) -> None:
    """Tasks that take turns in the middle of their spans: each event has its own trace, with its own spans."""

    @interaction
    async def handle(number: int) -> None:
        turn = begin(user_id=f"u{number}", event="chat", event_id=f"e-{number}", input="q")
        async with tool_span("search", input=number):
            await asyncio.sleep(0)
            async with llm_span("model", model="m"):
                await asyncio.sleep(0)
        turn.finish("answer")

    async def serve() -> None:
        await asyncio.gather(*(handle(number) for number in range(500)))

    asyncio.run(serve())
    assert handler.flush(PATIENCE)
    traces = {event["event_id"]: event["properties"]["trace_id"] for event in complete(recorder)}
    assert len(set(traces.values())) == 500
    by_trace: dict[str, dict[str, dict[str, Any]]] = {}
    for span in recorder.spans():
        by_trace.setdefault(span["trace_id"], {})[span["name"]] = span
    for event_id, trace_id in traces.items():
        own = by_trace[trace_id]
        assert tree(own) == {"handle": None, "search": "handle", "model": "search"}
        assert [event_of(span) for span in own.values()] == [event_id] * 3
    assert handler.stats().dropped == {}


# ---- over processes -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("counting")
def test_a_traceparent_says_where_the_code_is() -> None:
    """Of the open span; else of the interaction, as of a span around all of its own; of nothing there is none."""
    assert traceparent() is None
    turn = begin(user_id="u", event="chat")
    header = traceparent()
    assert header is not None
    version, trace_id, span_id, flags = header.split("-")
    assert (version, trace_id, flags) == ("00", turn.trace_id, "01")
    assert span_id == HEX16
    with task_span("work") as span:
        assert traceparent() == span.traceparent == f"00-{turn.trace_id}-{span.span_id}-01"
    assert traceparent() == header
    turn.finish()
    assert traceparent() is None


def test_an_interaction_goes_on_in_the_trace_that_came_in(spans: Spans, recorder: Recorder) -> None:
    """Its event and all its spans are of that trace, and its outermost ones are children of the span there."""

    @interaction
    def handle() -> None:
        turn = begin(user_id="u", event="chat", input="q")
        with tool_span("inside"):
            pass
        turn.finish("answer")

    with bind(traceparent=f"00-{TRACE}-{PARENT}-01"):
        handle()
        turn = begin(user_id="u", event="second", input="q")
        turn.track_tool("of the second")
        turn.finish("answer")
    with task_span("afterwards"):
        pass
    found = spans()
    after = found.pop("afterwards")
    assert {span["trace_id"] for span in found.values()} == {TRACE}
    assert {event["properties"]["trace_id"] for event in complete(recorder)} == {TRACE}
    assert (found["handle"]["parent_id"], found["of the second"]["parent_id"]) == (PARENT, PARENT)
    assert found["inside"]["parent_id"] == found["handle"]["span_id"]
    assert (after["trace_id"] == TRACE, after["parent_id"]) == (False, "")


def test_a_request_that_came_in_has_nothing_of_the_one_before(spans: Spans) -> None:
    """Where a worker serves a request while an interaction of another is open around it, the header counts."""
    begin(user_id="u", event="chat", event_id="e-1")
    with task_span("around"), bind(traceparent=f"00-{TRACE}-{PARENT}-01"), task_span("served"):
        pass
    found = spans()
    assert (event_of(found["served"]), found["served"]["trace_id"], found["served"]["parent_id"]) == (
        None,
        TRACE,
        PARENT,
    )


SERVICE = """
import sys
import raindrop_logging
from raindrop_logging import begin, bind, interaction, tool_span, traceparent

endpoint, header = sys.argv[1:]
raindrop_logging.init("rk_test", endpoint=endpoint)

@interaction("there")
def handle():
    turn = begin(user_id="u", event="there", event_id="e-there", input="q")
    with tool_span("calls back"):
        print(traceparent())
    turn.finish("answer")

with bind(traceparent=header):
    handle()
raindrop_logging.shutdown(10)
"""


def test_a_trace_goes_to_another_process_and_comes_back(spans: Spans, recorder: Recorder) -> None:
    """Two processes, two interactions, one trace: what each sent the other is the parent of what was done there."""
    turn = begin(user_id="u", event="here", event_id="e-here", input="q")
    with tool_span("calls") as call:
        command = [sys.executable, "-c", SERVICE, recorder.endpoint, traceparent() or ""]
        there = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    turn.finish("answer")
    assert there.stderr == ""
    with bind(traceparent=there.stdout.strip()), task_span("called back"):
        pass
    found = spans()
    assert tree(found) == {"calls": None, "there": "calls", "calls back": "there", "called back": "calls back"}
    assert {name: event_of(span) for name, span in found.items()} == {
        "calls": "e-here",
        "there": "e-there",
        "calls back": "e-there",
        "called back": None,
    }
    assert {event["event_id"]: event["properties"]["trace_id"] for event in complete(recorder)} == {
        "e-here": call.trace_id,
        "e-there": call.trace_id,
    }
    assert call.trace_id == HEX32


def test_a_hand_written_record_is_a_child_of_the_open_span(recorder: Recorder, handler: RaindropHandler) -> None:
    """Also where it says its own ids: those win, and the open span is still its parent."""
    with task_span("open") as span:
        log.info("said", extra=extra.span(kind="tool", name="written", span_id="00000000000000a1"))
    assert handler.flush(PATIENCE)
    written = next(one for one in recorder.spans() if one["name"] == "written")
    assert (written["span_id"], written["parent_id"]) == ("00000000000000a1", span.span_id)
    assert written["trace_id"] == span.trace_id
