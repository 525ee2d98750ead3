"""task_span, tool_span and llm_span as blocks: what a span says of its block, and what the block gets from it."""

from __future__ import annotations

import asyncio
import gc
import math
import weakref
from contextlib import AsyncExitStack, ExitStack, suppress
from copy import deepcopy
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging import begin, current_span, llm_span, start_span, task_span, tool_span
from tests.arrivals import failure, is_kept, said, whose
from tests.published_docs.arrived import told, tree
from tests.wire.expect import about
from tests.wire.harness import Heard
from tests.wire.matching import Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.arrivals import Spans

OPENED: dict[str, Callable[..., Any]] = {"task": task_span, "tool": tool_span, "llm": llm_span}


def _fail(error: Exception) -> None:
    raise error


# ---- a block is a span ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OPENED)
def test_a_block_is_a_span_of_its_kind(spans: Spans, kind: str) -> None:
    """With with and with async with, it says version, content and properties, and lasts as long as the block."""

    async def work() -> None:
        async with OPENED[kind]("async", version=2, input="in", properties={"a": 1}) as span:
            await asyncio.sleep(0)
            span.record_output("out")

    with OPENED[kind]("sync", version=2, input="in", properties={"a": 1}) as span:
        span.record_output("out")
    asyncio.run(work())
    found = spans()
    expected = {"kind": kind, "version": 2, "input": "in", "output": "out", "properties": {"a": 1}}
    assert [told(found[name]) for name in ("sync", "async")] == [expected, expected]
    assert all(span["end"] >= span["start"] for span in found.values())
    assert all(is_kept(span) for span in found.values())


def test_a_block_inside_a_block_is_its_child(spans: Spans) -> None:
    """Sync and async blocks nest in one another, and siblings have the same parent."""

    async def work() -> None:
        async with task_span("async outer"):
            with tool_span("first"):
                pass
            async with tool_span("second"), llm_span("deep"):
                pass

    with task_span("root"):
        asyncio.run(work())
        with tool_span("last"):
            pass
    assert tree(spans()) == {
        "root": None,
        "async outer": "root",
        "first": "async outer",
        "second": "async outer",
        "deep": "second",
        "last": "root",
    }


@pytest.mark.usefixtures("counting")
def test_inside_its_block_it_is_the_current_span() -> None:
    """Before, between and after the blocks it is what it was, whichever way a block is left."""
    outside = current_span()
    with task_span("outer") as outer:
        assert current_span() is outer
        with suppress(KeyError), tool_span("inner") as inner:
            assert current_span() is inner
            _fail(KeyError())
        assert current_span() is outer
    assert (outside.name, current_span().name) == ("none", "none")


@pytest.mark.parametrize("kind", OPENED)
def test_a_span_of_an_interaction_says_whose_it_is_in_every_name(spans: Spans, kind: str) -> None:
    """Each attribute by which a reader finds the event, the user and the conversation is on each kind of span."""
    begin(user_id="u", event="chat", event_id="e-1", convo_id="c")
    with OPENED[kind]("work"):
        pass
    assert whose(spans()["work"]) == about("e-1", "u", "chat", "c")


# ---- what is said inside --------------------------------------------------------------------------------------------


def test_what_is_said_later_is_added_or_replaces(spans: Spans) -> None:
    """Content replaces, properties and attributes merge key by key; None leaves the content as it is."""
    with tool_span("work", input="first", properties={"a": 1, "b": 1}, attributes={"x": 1, "y": 1}) as span:
        span.record_input("second")
        span.set_input(None)
        span.set_io(output="out")
        span.set_io("third")
        span.set_output(None)
        span.set_properties({"b": 2})
        span.set_property("c", [3])
        span.set_attributes({"y": 2})
    found = spans()["work"]
    assert told(found) == {
        "kind": "tool",
        "input": "third",
        "output": "out",
        "properties": {"a": 1, "b": 2, "c": [3]},
    }
    assert (found["attributes"]["x"], found["attributes"]["y"]) == (1, 2)


def test_what_is_false_or_empty_is_content_too(spans: Spans) -> None:
    """Zero, False and empty values were put in and came out; only None says nothing."""
    for name, value in {"zero": 0, "false": False, "text": "", "list": [], "dict": {}}.items():
        with task_span(name, input=value) as span:
            span.record_output(value)
    with task_span("none", input=None) as span:
        span.record_output(None)
    found = spans()
    assert {name: (said(span, "input"), said(span, "output")) for name, span in found.items()} == {
        "zero": ("0", "0"),
        "false": ("false", "false"),
        "text": ("", ""),
        "list": ("[]", "[]"),
        "dict": ("{}", "{}"),
        "none": (None, None),
    }


def test_values_are_taken_at_the_call(spans: Spans) -> None:
    """What the caller changes afterwards is not sent, nested values included."""
    value: dict[str, Any] = {"items": [1]}
    with tool_span("work", input=value, properties={"p": value}, attributes={"a": value}) as span:
        span.record_output(value)
        span.set_property("q", value)
        value["items"].append(2)
    found = spans()["work"]
    first = Json({"items": [1]})
    assert told(found) == {"kind": "tool", "input": first, "output": first, "properties": {"p": first, "q": first}}
    assert found["attributes"]["a"] == first


def test_after_its_end_nothing_changes_it(spans: Spans) -> None:
    """Whatever is said of a span that has ended, neither what is sent nor the record that others hold becomes it."""
    heard = Heard("raindrop")
    with llm_span("work", model="m", properties={"a": 1}, attributes={"x": 1}) as span:
        span.record_output("out")
    before = deepcopy(vars(heard.records[0])["raindrop"])
    span.set_io("late", "late")
    span.set_properties({"a": 2, "b": 2})
    span.set_property("c", 2)
    span.set_attributes({"x": 2})
    span.set_model("late")
    span.set_provider("late")
    span.set_messages([{"role": "user", "content": "late"}])
    span.set_token_usage(1, 1)
    span.set_tools([])
    span.set_error("late")
    span.end("late")
    assert len(heard.records) == 1
    assert vars(heard.records[0])["raindrop"] == before
    assert told(spans()["work"]) == {"kind": "llm", "output": "out", "properties": {"a": 1}}


ATTRIBUTES: dict[str, tuple[Any, Any]] = {
    "whole numbers": ([1, 2], [1, 2]),
    "fractions": ([0.5, 1.5], [0.5, 1.5]),
    "truth values": ([True, False], [True, False]),
    "a tuple": (("a", "b"), ["a", "b"]),
    "an empty list": ([], "[]"),
    "a mixed list": ([1, "a"], '[1,"a"]'),
    "numbers of two types": ([1, 0.5], "[1,0.5]"),
    "truth among numbers": ([True, 1], "[true,1]"),
    "a nested list": ([[1]], "[[1]]"),
    "a dict": ({"a": 1}, '{"a":1}'),
    "the largest": (2**63 - 1, 2**63 - 1),
    "the smallest": (-(2**63), -(2**63)),
    "one beyond": (2**63, str(2**63)),
    "infinity": (math.inf, math.inf),
    "a date": (date(2026, 5, 7), "2026-05-07"),
    "bytes": (b"abc", "abc"),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_keeps_its_type_or_becomes_text(spans: Spans, name: str) -> None:
    """Lists of one plain type stay lists; what OpenTelemetry has no type for becomes JSON, or its text."""
    value, expected = ATTRIBUTES[name]
    with task_span("work") as span:
        span.set_attributes({"own.key": value, "absent": None})
    sent = spans()["work"]["attributes"]
    assert sent["own.key"] == expected
    assert type(sent["own.key"]) is type(expected)
    assert "absent" not in sent


@pytest.mark.parametrize("say", ["attributes", "properties"])
def test_nothing_of_ones_own_takes_the_place_of_the_interaction(spans: Spans, say: str) -> None:
    """An attribute or a property that is named like an id of the association leaves whose span it is alone."""
    prefix = "" if say == "properties" else "traceloop.association.properties."
    begin(user_id="u", event="chat", event_id="e-1", convo_id="c")
    others = {f"{prefix}{key}": "other" for key in ("event_id", "user_id", "event", "event_name", "convo_id")}
    with task_span("work", **{say: others}):  # type: ignore[arg-type]
        pass
    assert whose(spans()["work"]) == about("e-1", "u", "chat", "c")


# ---- what goes wrong inside -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OPENED)
def test_an_exception_is_recorded_once_and_goes_on(spans: Spans, kind: str) -> None:
    """Type, message and stack are on the span as one event; the caller gets the very exception, nothing added."""
    error = ValueError("no such parcel")

    async def work() -> None:
        async with OPENED[kind]("async"):
            raise error

    with pytest.raises(ValueError, match="no such parcel") as caught, OPENED[kind]("sync"):
        raise error
    assert caught.value is error
    with pytest.raises(ValueError, match="no such parcel") as caught:
        asyncio.run(work())
    assert (caught.value, error.__cause__, error.__context__) == (error, None, None)
    assert not hasattr(error, "__notes__")
    for span in spans().values():
        recorded = failure(span)
        assert recorded is not None
        assert (recorded["type"], recorded["message"]) == ("ValueError", "no such parcel")
        assert "raise error" in recorded["stacktrace"]
        assert recorded["stacktrace"].endswith("ValueError: no such parcel\n")


def test_an_exception_marks_every_block_that_it_leaves(spans: Spans) -> None:
    """Those inside which it is caught are well."""
    with task_span("outer"), suppress(LookupError), task_span("middle"), tool_span("inner"):
        _fail(LookupError("gone"))
    found = spans()
    assert failure(found["outer"]) is None
    for name in ("middle", "inner"):
        assert (failure(found[name]) or {})["message"] == "gone"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError(), StopIteration(5)])
def test_whatever_leaves_a_block_is_its_failure(spans: Spans, error: BaseException) -> None:
    """An interrupt, an exit, a cancellation and an empty iterator as well; an error without a text has an empty one."""
    with pytest.raises(type(error)) as caught, task_span("work"):
        raise error
    assert caught.value is error
    recorded = failure(spans()["work"])
    assert recorded is not None
    assert (recorded["type"], recorded["message"]) == (type(error).__name__, str(error))


def test_a_failure_that_is_said_by_hand_stands_beside_the_output(spans: Spans) -> None:
    """set_error marks a block that raises nothing, in each of its forms; what is raised after it wins."""
    forms: dict[str, Any] = {
        "a text": "over quota",
        "an exception": OSError("over quota"),
        "parts": {"message": "over quota"},
    }
    for name, error in forms.items():
        with tool_span(name) as span:
            span.record_output("half of it")
            span.set_error(error)
    with suppress(OSError), tool_span("raised") as span:
        span.set_error("first")
        _fail(OSError("over quota"))
    found = spans()
    assert {name: (failure(span) or {})["message"] for name, span in found.items()} == dict.fromkeys(
        [*forms, "raised"], "over quota"
    )
    assert said(found["a text"], "output") == "half of it"
    assert (failure(found["an exception"]) or {})["type"] == "OSError"


def test_an_exception_group_is_one_failure(spans: Spans) -> None:
    """Its text says how many there were, its stack names each."""
    with pytest.raises(ExceptionGroup), task_span("work"):
        raise ExceptionGroup("two went wrong", [ValueError("first"), OSError("second")])
    recorded = failure(spans()["work"]) or {}
    assert recorded["type"] == "ExceptionGroup"
    assert "ValueError: first" in recorded["stacktrace"]
    assert "OSError: second" in recorded["stacktrace"]


# ---- left in another order, or elsewhere ----------------------------------------------------------------------------


def _stream(name: str) -> Iterator[int]:
    with task_span(name):
        yield 1
        yield 2


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 2, 1), (1, 0, 2), (1, 2, 0), (0, 1, 2)])
def test_blocks_that_are_left_in_another_order_leave_nothing(order: tuple[int, ...]) -> None:
    """As in generators that are read in turn: when the last one is over, no span is current any more."""
    with task_span("around") as around:
        streams = [_stream(f"s{number}") for number in order]
        for stream in streams:
            next(stream)
        for number in order:
            streams[number].close()  # type: ignore[attr-defined]
        assert current_span() is around
    assert current_span().name == "none"


@pytest.mark.usefixtures("counting")
def test_generators_that_are_zipped_leave_nothing() -> None:
    """The first one ends before the second, inside which it never was."""
    assert list(zip(_stream("a"), _stream("b"), strict=True)) == [(1, 1), (2, 2)]
    gc.collect()
    assert current_span().name == "none"


def test_an_interaction_begun_inside_a_block_that_is_left_early_leaves_nothing(spans: Spans) -> None:
    """A block that ends while one inside is open, with an interaction begun between them, is over with it."""
    outer, inner = task_span("outer"), task_span("inner")
    outer.__enter__()
    turn = begin(user_id="u", event="chat")
    begin(user_id="u", event="second")
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert current_span() is inner
    inner.__exit__(None, None, None)
    assert current_span().name == "none"
    turn.finish("answer")
    with task_span("later"):
        pass
    found = spans()
    assert found["later"]["trace_id"] not in {found["outer"]["trace_id"], found["inner"]["trace_id"]}
    assert whose(found["later"]) == {}


def test_stacks_of_blocks_nest_as_blocks_do(spans: Spans) -> None:
    """ExitStack and AsyncExitStack close what they opened, innermost first."""

    async def work() -> None:
        async with AsyncExitStack() as stack:
            for name in ("d", "e"):
                await stack.enter_async_context(task_span(name))

    with ExitStack() as stack:
        for name in ("a", "b", "c"):
            stack.enter_context(task_span(name))
        asyncio.run(work())
    assert tree(spans()) == {"a": None, "b": "a", "c": "b", "d": "c", "e": "d"}


def test_a_block_that_is_left_in_another_task_ends_there(spans: Spans) -> None:
    """As a fixture or a dependency of a framework is: the span arrives, and the task where it ends is unharmed."""
    span = task_span("work")

    async def enter() -> None:
        await span.__aenter__()

    async def leave() -> None:
        with tool_span("around"):
            await span.__aexit__(None, None, None)
            assert current_span().name == "around"

    async def serve() -> None:
        await asyncio.create_task(enter())
        await asyncio.create_task(leave())
        assert current_span().name == "none"

    asyncio.run(serve())
    assert set(spans()) == {"work", "around"}


# ---- what it costs --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("counting")
def test_nothing_keeps_a_span_or_what_it_was_given() -> None:
    """Once its block is over and its record is made, span, exception and values can be collected."""

    class SeenError(Exception):
        """An object that can be seen to go."""

    value, error = SeenError(), SeenError("gone")
    held: list[weakref.ref[object]] = [weakref.ref(value), weakref.ref(error)]
    with suppress(SeenError), task_span("work", input=value) as span:
        span.record_output({"nested": [value]})
        held.append(weakref.ref(span))
        _fail(error)
    del value, error, span
    gc.collect()
    assert [ref() for ref in held] == [None, None, None]


@pytest.mark.usefixtures("counting")
def test_a_span_that_is_never_ended_is_let_go() -> None:
    """What was started and forgotten costs no more than itself, and is not sent."""
    held = weakref.ref(start_span("task", "forgotten"))
    gc.collect()
    assert held() is None
