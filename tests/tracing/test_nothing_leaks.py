"""After finish nothing that starts later is the interaction's: wherever it starts, and however the work was nested."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

import raindrop_logging
from raindrop_logging import (
    Interaction,
    begin,
    bind,
    carry,
    current_span,
    extra,
    identify,
    interaction,
    llm_span,
    resume_interaction,
    start_span,
    task,
    task_span,
    tool_span,
    track_ai,
    track_event,
    track_signal,
)
from raindrop_logging.context import Turn
from tests.arrivals import complete, event_of, partials, whose
from tests.wire.expect import BATCHED
from tests.wire.harness import PATIENCE, attach, log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from raindrop_logging import RaindropHandler
    from tests.arrivals import Spans
    from tests.wire.recorder import Recorder

ID, USER, CONVO = "e-secret", "u-secret", "c-secret"


def _open(**more: Any) -> Interaction:
    return begin(user_id=USER, event="secret", event_id=ID, convo_id=CONVO, input="q", **more)


# ---- whatever is said afterwards ------------------------------------------------------------------------------------


def _say_everything() -> None:
    """A span in each way, and a record of each type."""
    with task_span("block"), llm_span("deep", model="m"):
        pass
    start_span("tool", "by hand").end()
    raindrop_logging.Tracer().track_tool("told")
    task(lambda: None)()
    resume_interaction().track_tool("resumed")
    log.info("said", extra=extra.span(kind="tool", name="written"))
    log.info("said", extra=extra.signal(name="written"))
    track_ai("later", "ai", input="q")
    track_event("later", "event")
    track_signal("e-later", "signal")
    identify("later", {"plan": "paid"})
    begin(user_id="later", event="chat", input="q").finish("answer")


def _here(work: Callable[[], None]) -> None:
    work()


def _in_a_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def _in_a_carried_thread(work: Callable[[], None]) -> None:
    _in_a_thread(carry(work))


def _in_a_task(work: Callable[[], None]) -> None:
    async def later() -> None:
        await asyncio.sleep(0)
        work()

    async def serve() -> None:
        await asyncio.create_task(later())

    asyncio.run(serve())


def _by_to_thread(work: Callable[[], None]) -> None:
    asyncio.run(asyncio.to_thread(work))


def _in_a_bind(work: Callable[[], None]) -> None:
    with bind(properties={"p": 1}):
        work()


def _in_an_open_span(work: Callable[[], None]) -> None:
    with task_span("open"):
        work()


PLACES = [
    _here,
    _in_a_thread,
    _in_a_carried_thread,
    _in_a_task,
    _by_to_thread,
    _in_a_bind,
    _in_an_open_span,
]
each_place = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__.strip("_"))


def _by_its_handle() -> None:
    _open().finish("answer")


def _by_another_handle() -> None:
    _open()
    resume_interaction(ID).finish("answer")


def _by_the_handle_around() -> None:
    _open()
    resume_interaction().finish("answer")


def _by_its_block() -> None:
    with _open():
        pass


def _by_an_exception() -> None:
    with pytest.raises(OSError, match="gone"), _open():
        raise OSError("gone")


def _by_another_thread() -> None:
    _in_a_thread(_open().finish)


def _twice() -> None:
    turn = _open()
    turn.finish("answer")
    turn.finish("another")
    turn.set_property("late", 1)


def _with_a_refused_word() -> None:
    _open().finish({"no": "text"})  # type: ignore[arg-type]


ENDS = [
    _by_its_handle,
    _by_another_handle,
    _by_the_handle_around,
    _by_its_block,
    _by_an_exception,
    _by_another_thread,
    _twice,
    _with_a_refused_word,
]


@each_place
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__.strip("_"))
def test_nothing_that_is_said_afterwards_is_the_interactions(
    recorder: Recorder, handler: RaindropHandler, place: Callable[..., None], end: Callable[[], None]
) -> None:
    """Neither event, user and conversation nor its trace are on a span or a record of any kind."""
    end()
    assert handler.flush(PATIENCE)
    traces = {event["properties"]["trace_id"] for event in [*complete(recorder), *partials(recorder)]}
    before = len(recorder.requests)
    place(_say_everything)
    assert handler.flush(PATIENCE)
    later = recorder.requests[before:]
    assert {request.route for request in later} >= {"events/track", "traces", "signals/track", "users/identify"}
    for request in later:
        for secret in (ID, USER, CONVO, *traces, *(bytes.fromhex(trace) for trace in traces)):
            assert (secret if isinstance(secret, bytes) else secret.encode()) not in request.body


@each_place
def test_work_inside_a_span_that_is_still_open_has_no_ids(spans: Spans, place: Callable[..., None]) -> None:
    """The span is the interaction's, since it began in it; what starts inside it afterwards is only its child."""

    @interaction("handle")
    def handle() -> None:
        _open()
        with task_span("still open"):
            resume_interaction().finish("answer")
            place(lambda: start_span("tool", "later").end())

    handle()
    found = spans()
    later = found.pop("later")
    found.pop("open", None)
    assert {name: event_of(span) for name, span in found.items()} == {"handle": ID, "still open": ID}
    assert whose(later) == {}


@pytest.mark.parametrize("function", ["coroutine", "generator", "async generator"])
def test_after_a_finish_a_decorated_function_goes_on_without_ids(spans: Spans, function: str) -> None:
    """In each kind of function, over its waits and its yields."""

    @interaction("handle")
    async def coroutine() -> None:
        _open().finish("answer")
        await asyncio.sleep(0)
        start_span("tool", "later").end()

    @interaction("handle")
    def generator() -> Iterator[int]:
        _open().finish("answer")
        yield 1
        start_span("tool", "later").end()

    @interaction("handle")
    async def async_generator() -> AsyncIterator[int]:
        _open().finish("answer")
        yield 1
        start_span("tool", "later").end()

    async def read() -> None:
        async for _ in async_generator():
            pass

    ways: dict[str, Callable[[], object]] = {
        "coroutine": lambda: asyncio.run(coroutine()),
        "generator": lambda: list(generator()),
        "async generator": lambda: asyncio.run(read()),
    }
    ways[function]()
    found = spans()
    assert (event_of(found["handle"]), whose(found["later"])) == (ID, {})
    assert found["later"]["parent_id"] == found["handle"]["span_id"]


def test_a_task_that_outlives_the_interaction_goes_on_without_ids(spans: Spans) -> None:
    """What it did before the finish is the interaction's, what it does after is not."""

    async def serve() -> None:
        finished = asyncio.Event()

        async def background() -> None:
            with tool_span("before"):
                pass
            await finished.wait()
            with tool_span("after"):
                pass

        turn = _open()
        work = asyncio.create_task(background())
        await asyncio.sleep(0)
        turn.finish("answer")
        finished.set()
        await work

    asyncio.run(serve())
    found = spans()
    assert event_of(found["before"]) == ID
    assert whose(found["after"]) == {}


def test_a_thread_that_outlives_the_interaction_goes_on_without_ids(spans: Spans) -> None:
    """Also one that took everything along before the finish, and a pool's that is used again."""
    finished, started = threading.Event(), threading.Event()

    def background() -> None:
        with tool_span("before"):
            started.set()
        assert finished.wait(PATIENCE)
        with tool_span("after"):
            pass

    with ThreadPoolExecutor(1) as pool:
        turn = _open()
        work = pool.submit(carry(background))
        again = carry(lambda: start_span("tool", "again").end())
        assert started.wait(PATIENCE)
        turn.finish("answer")
        finished.set()
        work.result()
        pool.submit(again).result()
        pool.submit(lambda: start_span("tool", "of the next").end()).result()
    found = spans()
    assert event_of(found["before"]) == ID
    assert [whose(found[name]) for name in ("after", "again", "of the next")] == [{}, {}, {}]


def test_a_span_that_began_before_the_finish_is_the_interactions(spans: Spans) -> None:
    """It ends later, and says whose it is; the same as long as nothing else says otherwise."""
    turn = _open()
    span = start_span("tool", "long")
    turn.finish("answer")
    span.end()
    assert event_of(spans()["long"]) == ID


# ---- nested, and in another order -----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_the_innermost_that_is_open_is_the_current_one(spans: Spans, order: tuple[int, ...]) -> None:
    """Three interactions inside one another, finished in every order: what is left goes on as it was."""
    turns = [begin(user_id=f"u{number}", event="chat", event_id=f"e-{number}") for number in range(3)]
    expected: dict[str, str | None] = {}
    for step, number in enumerate(order):
        turns[number].finish("answer")
        start_span("tool", f"step {step}").end()
        left = [f"e-{other}" for other in range(3) if other not in order[: step + 1]]
        expected[f"step {step}"] = left[-1] if left else None
    found = spans()
    assert {name: event_of(span) for name, span in found.items()} == expected
    assert found["step 2"]["trace_id"] not in {turn.trace_id for turn in turns}


def test_the_outer_interaction_comes_back_with_its_span_and_what_is_bound(spans: Spans) -> None:
    """After an inner one, however it ends, records and spans are the outer one's again, inside the span around."""
    outer = begin(user_id="ada", event="outer", event_id="e-outer")
    with bind(properties={"p": 1}), task_span("around") as around:
        _open().finish("answer")
        assert current_span() is around
        with tool_span("after a finish"):
            pass
        with pytest.raises(OSError, match="gone"), _open():
            raise OSError("gone")
        with tool_span("after an exception"):
            pass
        track_signal(name="after all")
    outer.finish("answer")
    found = spans()
    for name in ("after a finish", "after an exception"):
        assert event_of(found[name]) == "e-outer"
        assert found[name]["parent_id"] == around.span_id
        assert found[name]["attributes"]["traceloop.association.properties.p"] == 1


def test_contexts_that_finish_in_another_order_than_they_began(spans: Spans) -> None:
    """Threads that each finish what another one began: none is left with an interaction."""
    turns = [begin(user_id=f"u{number}", event="chat", event_id=f"e-{number}") for number in range(4)]

    def finish(number: int) -> None:
        turns[number].finish("answer")
        start_span("tool", f"after {number}").end()

    for number in (2, 0, 3, 1):
        _in_a_carried_thread(lambda number=number: finish(number))  # type: ignore[misc]
    start_span("tool", "at last").end()
    found = {name: event_of(span) for name, span in spans().items()}
    assert found == {"after 2": "e-3", "after 0": "e-3", "after 3": "e-1", "after 1": None, "at last": None}


# ---- handlers of requests -------------------------------------------------------------------------------------------


def test_eight_tasks_that_take_turns_keep_to_themselves(recorder: Recorder, handler: RaindropHandler) -> None:
    """Each serves three requests one after the other, and turns are taken after every step."""

    async def serve_one(number: int) -> None:
        for request in range(3):
            name = f"{number}.{request}"
            turn = begin(user_id=f"u-{name}", event="chat", event_id=f"e-{name}", input="q")
            await asyncio.sleep(0)
            async with tool_span(f"inside {name}"):
                await asyncio.sleep(0)
                track_signal(name=f"inside {name}")
            await asyncio.sleep(0)
            turn.finish("answer")
            await asyncio.sleep(0)
            async with tool_span(f"after {name}"):
                await asyncio.sleep(0)
            log.info("said", extra=extra.span(kind="task", name=f"written after {name}"))

    async def serve() -> None:
        await asyncio.gather(*(serve_one(number) for number in range(8)))

    asyncio.run(serve())
    assert handler.flush(PATIENCE)
    names = [f"{number}.{request}" for number in range(8) for request in range(3)]
    found = {span["name"]: span for span in recorder.spans()}
    assert {name: event_of(span) for name, span in found.items()} == {
        **{f"inside {name}": f"e-{name}" for name in names},
        **{f"after {name}": None for name in names},
        **{f"written after {name}": None for name in names},
    }
    signals = {signal["signal_name"]: signal["event_id"] for signal in recorder.items("signals/track")}
    assert signals == {f"inside {name}": f"e-{name}" for name in names}
    assert len({span["trace_id"] for span in found.values()}) == 3 * len(names)
    assert handler.stats().dropped == {}


def test_a_worker_that_serves_one_request_after_the_other_starts_anew(spans: Spans, recorder: Recorder) -> None:
    """In one thread without a new context: the next request has neither ids, trace nor user of the one before."""

    def serve(number: int) -> None:
        with task_span(f"request {number}"):
            turn = begin(user_id=f"u{number}", event="chat", event_id=f"e-{number}", input="q")
            with tool_span(f"tool {number}"):
                pass
            turn.finish("answer")

    with ThreadPoolExecutor(1) as pool:
        for number in range(3):
            pool.submit(serve, number).result()
    found = spans()
    assert {name: event_of(span) for name, span in found.items()} == {
        f"{part} {number}": f"e-{number}" for number in range(3) for part in ("request", "tool")
    }
    assert len({span["trace_id"] for span in found.values()}) == 3
    assert {event["user_id"] for event in complete(recorder)} == {"u0", "u1", "u2"}


def _stream(user: str) -> Iterator[str]:
    """A request's handler that streams, not decorated: its interaction is open in whoever reads it."""
    with begin(user_id=user, event="chat", event_id=f"e-{user}", input="q"):
        yield "a"
        with tool_span(f"tool of {user}"):
            yield "b"


def test_a_handler_that_streams_leaves_nothing_to_its_reader(spans: Spans) -> None:
    """Read to its end, closed early, or failing: afterwards its reader is in no interaction."""
    assert list(_stream("ada")) == ["a", "b"]
    start_span("tool", "after ada").end()
    made = _stream("bruno")
    next(made)
    made.close()  # type: ignore[attr-defined]
    start_span("tool", "after bruno").end()
    failing = _stream("chen")
    next(failing)
    with pytest.raises(OSError, match="gone"):
        failing.throw(OSError("gone"))  # type: ignore[attr-defined]
    start_span("tool", "after chen").end()
    found = {name: event_of(span) for name, span in spans().items()}
    assert found == {"tool of ada": "e-ada", "after ada": None, "after bruno": None, "after chen": None}


def test_handlers_that_stream_in_turn_leave_nothing_to_their_reader(spans: Spans, recorder: Recorder) -> None:
    """Whichever began first and whichever ends first, all of them are over when the last one is."""
    assert list(zip(_stream("ada"), _stream("bruno"), _stream("chen"), strict=True)) == [("a",) * 3, ("b",) * 3]
    assert current_span().name == "none"
    start_span("tool", "after all").end()
    found = spans()
    assert whose(found["after all"]) == {}
    assert found["after all"]["parent_id"] == ""
    assert {event["event_id"] for event in complete(recorder)} == {"e-ada", "e-bruno", "e-chen"}


# ---- what stays in memory -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("counting")
def test_nothing_keeps_an_interaction_that_is_finished() -> None:
    """Not the context it was open in, once that goes on with other work; not the registry of those to resume."""
    for number in range(3):
        with task_span("request"):
            turn = begin(user_id="u", event="chat", event_id=f"e-{number}")
            with tool_span("tool"):
                pass
            turn.finish("answer")
    del turn
    gc.collect()
    held = [one for one in gc.get_objects() if type(one) is Turn and one.event_id.startswith("e-")]
    assert held == []


def test_five_hundred_open_spans_cost_no_thread(recorder: Recorder) -> None:
    """Spans that are open at the same time are values; all of them arrive when they are ended."""
    handler = attach(recorder.endpoint, **BATCHED)
    start_span("task", "first").end()
    before = threading.active_count()
    opened = [start_span("tool", f"tool {number}") for number in range(500)]
    assert threading.active_count() <= before
    for span in opened:
        span.end()
    assert handler.flush(PATIENCE)
    assert len(recorder.spans()) == 501
    assert handler.stats().dropped == {}
