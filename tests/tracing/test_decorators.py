"""@interaction, @task and @tool: a span for each call, and the function as it was."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import raindrop_logging
from raindrop_logging import begin, carry, current_span, interaction, llm_span, task, task_span, tool, tool_span
from tests.arrivals import complete, event_of, failure, is_kept, said
from tests.published_docs.arrived import told, tree
from tests.wire.harness import PATIENCE
from tests.wire.matching import Json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from raindrop_logging import RaindropHandler
    from tests.arrivals import Spans
    from tests.wire.recorder import Recorder

DECORATORS: dict[str, Any] = {"workflow": interaction, "task": task, "tool": tool}


def plain(question: str) -> str:
    """A function."""
    return _answer(question)


async def coroutine(question: str) -> str:
    """A coroutine function."""
    await asyncio.sleep(0)
    return _answer(question)


def generator(question: str) -> Iterator[str]:
    """A generator function."""
    yield _answer(question)


async def async_generator(question: str) -> AsyncIterator[str]:
    """An asynchronous generator function."""
    await asyncio.sleep(0)
    yield _answer(question)


def _answer(question: str) -> str:
    if question == "fail":
        raise FAILURE
    with tool_span("inside"):
        return question.upper()


FAILURE = LookupError("no such order")
CALLED: dict[Callable[..., Any], Callable[[Any], Any]] = {
    plain: lambda result: result,
    coroutine: asyncio.run,
    generator: lambda result: next(iter(list(result))),
    async_generator: lambda result: asyncio.run(_first(result)),
}
"""The four kinds of functions, and how each one's result comes to its caller."""

each_function = pytest.mark.parametrize("function", CALLED, ids=lambda function: function.__name__)
each_decorator = pytest.mark.parametrize("kind", DECORATORS)


async def _first(values: AsyncIterator[str]) -> str:
    (only,) = [value async for value in values]
    return only


def _call(function: Callable[..., Any], kind: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return CALLED[kind](function(*args, **kwargs))


# ---- one span a call ------------------------------------------------------------------------------------------------


@each_function
@each_decorator
def test_each_call_is_a_span_with_its_arguments_and_its_result(spans: Spans, kind: str, function: Any) -> None:
    """Bare it is named after the function, else as it is told; what happens inside is its child."""
    decorate = DECORATORS[kind]
    assert _call(decorate(function), function, "where?") == "WHERE?"
    bare = spans()
    assert told(bare[function.__name__]) == {"kind": kind, "input": '{"question":"where?"}', "output": "WHERE?"}
    assert tree(bare) == {function.__name__: None, "inside": function.__name__}
    assert is_kept(bare[function.__name__])


@each_function
@each_decorator
def test_it_takes_what_a_span_takes(spans: Spans, kind: str, function: Any) -> None:
    """Name, version, properties, attributes and an input in place of the arguments."""
    named = DECORATORS[kind]("named", version=3, properties={"p": 1}, attributes={"own.key": 2}, input="its own")
    assert _call(named(function), function, question="where?") == "WHERE?"
    span = spans()["named"]
    expected = {"kind": kind, "version": 3, "input": "its own", "output": "WHERE?", "properties": {"p": 1}}
    assert told(span) == expected
    assert span["attributes"]["own.key"] == 2


def test_without_a_name_it_is_the_functions_own(spans: Spans) -> None:
    """Called without arguments, with an empty name, and around what has no name of its own."""
    task()(plain)("a")
    task("")(coroutine)
    assert set(spans()) == {"plain", "inside"}
    tool(functools.partial(len, "abc"))()
    assert "partial" in spans()


def test_each_call_is_a_span_of_its_own(recorder: Recorder, handler: RaindropHandler) -> None:
    """A function that calls itself is nested in itself, each call with its own arguments, result and properties."""

    @task
    def countdown(number: int) -> int:
        current_span().set_property("left", number)
        return countdown(number - 1) + 1 if number else 0

    assert countdown(2) == 2
    assert handler.flush(PATIENCE)
    inner, middle, outer = recorder.spans()
    assert [said(span, "input") for span in (inner, middle, outer)] == [f'{{"number":{n}}}' for n in (0, 1, 2)]
    assert [said(span, "output") for span in (inner, middle, outer)] == ["0", "1", "2"]
    assert [told(span)["properties"] for span in (inner, middle, outer)] == [{"left": n} for n in (0, 1, 2)]
    assert (inner["parent_id"], middle["parent_id"], outer["parent_id"]) == (middle["span_id"], outer["span_id"], "")


# ---- arguments ------------------------------------------------------------------------------------------------------


def _given(a: Any, b: Any = 2, *rest: Any, key: Any = None, **more: Any) -> None:
    pass


ARGUMENTS: dict[str, tuple[tuple[Any, ...], dict[str, Any], Any]] = {
    "by position": ((1,), {}, {"a": 1}),
    "by name": ((), {"b": 4, "a": 3}, {"a": 3, "b": 4}),
    "the rest": ((1, 2, 3, 4), {}, {"a": 1, "b": 2, "rest": [3, 4]}),
    "more names": ((1,), {"key": 5, "other": 6}, {"a": 1, "key": 5, "more": {"other": 6}}),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_are_named_after_the_parameters(spans: Spans, name: str) -> None:
    """However they are given; what is left to its default is not said."""
    args, kwargs, expected = ARGUMENTS[name]
    tool("call")(_given)(*args, **kwargs)
    assert said(spans()["call"], "input") == Json(expected)


def test_no_arguments_are_no_input(spans: Spans) -> None:
    """A function without parameters says nothing of them, and one that returns nothing has no output."""
    tool("call")(lambda: None)()
    assert told(spans()["call"]) == {"kind": "tool"}


@each_decorator
def test_a_wrong_call_fails_as_it_would_without(spans: Spans, kind: str) -> None:
    """The TypeError is the function's own; the span says with what it was called."""
    decorated: Any = DECORATORS[kind]("call")(plain)
    with pytest.raises(TypeError, match=r"plain\(\) got an unexpected keyword argument 'wrong'"):
        decorated("a", wrong=1)
    span = spans()["call"]
    assert said(span, "input") == Json({"args": ["a"], "kwargs": {"wrong": 1}})
    assert (failure(span) or {})["type"] == "TypeError"


@pytest.mark.parametrize("function", [generator, async_generator])
def test_a_wrong_call_of_a_generator_is_a_failed_span(spans: Spans, function: Any) -> None:
    """It is found when the first value is asked for, and nothing stays open."""
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        _call(tool("call")(function), function, "a", wrong=1)
    assert (failure(spans()["call"]) or {})["type"] == "TypeError"
    assert current_span().name == "none"


def test_a_callable_without_a_signature_is_named_by_position(spans: Spans) -> None:
    """Some built-in functions do not tell their parameters."""
    with pytest.raises(ValueError, match="signature"):
        inspect.signature(getattr)
    assert tool("call")(getattr)(5, "real", None) == 5
    assert said(spans()["call"], "input") == Json({"args": [5, "real", None], "kwargs": {}})


# ---- methods and other callables ------------------------------------------------------------------------------------


class Shop:
    """Methods of each kind, decorated in either order."""

    @tool
    def method(self, item: str) -> str:
        """Of an object."""
        return f"{type(self).__name__} {item}"

    @tool("coroutine_method")
    async def later(self, item: str) -> str:
        """Of an object, asynchronous."""
        return f"{type(self).__name__} {item}"

    @classmethod
    @tool
    def of_class(cls, item: str) -> str:
        """Of the class."""
        return f"{cls.__name__} {item}"

    @staticmethod
    @tool
    def of_none(item: str) -> str:
        """Of neither."""
        return f"none {item}"

    @tool
    @classmethod
    def of_class_below(cls, item: str) -> str:
        """Of the class, the decorator above."""
        return f"{cls.__name__} {item}"

    @tool("of_none_below")
    @staticmethod
    def of_none_named(item: str) -> str:
        """Of neither, the decorator above."""
        return f"none {item}"


def test_methods_are_functions_too(spans: Spans) -> None:
    """Of an object, a class or neither; the object and the class are no input, and subclasses are themselves."""

    class Branch(Shop):
        pass

    branch = Branch()
    assert branch.method("tea") == "Branch tea"
    assert asyncio.run(branch.later("tea")) == "Branch tea"
    assert branch.of_class("tea") == Branch.of_class_below("tea") == "Branch tea"
    assert branch.of_none("tea") == Shop.of_none_named("tea") == "none tea"
    found = spans()
    names = {"method", "coroutine_method", "of_class", "of_none", "of_class_below", "of_none_below"}
    assert set(found) == names
    assert {said(span, "input") for span in found.values()} == {'{"item":"tea"}'}


class _Callable:
    def __call__(self, text: str) -> str:
        return _answer(text)


class _AsyncCallable:
    async def __call__(self, text: str) -> str:
        await asyncio.sleep(0)
        return _answer(text)


class _Streaming:
    def __call__(self, text: str) -> Iterator[str]:
        yield _answer(text)


OBJECTS: dict[str, tuple[Callable[..., Any], Callable[[Any], Any]]] = {
    "an object": (_Callable(), lambda result: result),
    "an asynchronous object": (_AsyncCallable(), asyncio.run),
    "a streaming object": (_Streaming(), lambda result: next(iter(list(result)))),
    "a partial": (functools.partial(plain), lambda result: result),
    "a partial of a coroutine function": (functools.partial(coroutine), asyncio.run),
    "a lambda around a coroutine": (lambda text: coroutine(question=text), asyncio.run),
    "a class": (str, _answer),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_whatever_can_be_called_can_be_decorated(spans: Spans, name: str) -> None:
    """The span lasts as long as the work, which may be a coroutine that the call only makes."""
    function, result = OBJECTS[name]
    assert result(tool("call")(function)("where?")) == "WHERE?"
    found = spans()
    if name != "a class":
        assert tree(found) == {"call": None, "inside": "call"}
        assert said(found["call"], "output") == "WHERE?"


@each_function
def test_the_function_stays_what_it_was(function: Any) -> None:
    """Name, documentation, signature, annotations and kind are the function's own, and it is to be had beneath."""
    decorated: Any = task("other", version=1)(function)
    for fact in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
        assert getattr(decorated, fact) == getattr(function, fact)
    assert decorated.__wrapped__ is function
    assert inspect.signature(decorated) == inspect.signature(function)
    for is_one in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
        assert is_one(decorated) == is_one(function)


@each_function
def test_calls_at_the_same_time_are_free_of_one_another(
    recorder: Recorder, handler: RaindropHandler, function: Any
) -> None:
    """Each thread's call is nested where the thread is; a function that is never called makes no span."""
    task("never")(function)
    decorated = tool("call")(function)
    start = threading.Barrier(4)

    def work(number: int) -> str:
        start.wait(PATIENCE)
        with task_span("thread", input=number):
            answer: str = _call(decorated, function, f"q{number}")
            return answer

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == ["Q0", "Q1", "Q2", "Q3"]
    assert handler.flush(PATIENCE)
    found = {span["span_id"]: span for span in recorder.spans()}
    assert sorted(span["name"] for span in found.values()) == ["call"] * 4 + ["inside"] * 4 + ["thread"] * 4
    calls = [span for span in found.values() if span["name"] == "call"]
    for call in calls:
        assert said(call, "input") == f'{{"question":"q{said(found[call["parent_id"]], "input")}"}}'
    assert {found[span["parent_id"]]["name"] for span in found.values() if span["name"] == "inside"} == {"call"}


# ---- what is left out -----------------------------------------------------------------------------------------------


@each_function
def test_without_content_the_call_is_told_and_what_went_through_is_not(
    spans: Spans, recorder: Recorder, function: Any
) -> None:
    """trace_content=False keeps arguments, results and yielded values out; kind, version and properties stay."""
    decorated = tool("call", version=1, properties={"p": 1}, trace_content=False)(function)
    assert _call(decorated, function, "secret") == "SECRET"
    assert told(spans()["call"]) == {"kind": "tool", "version": 1, "properties": {"p": 1}}
    assert not any(b"secret" in request.body.lower() for request in recorder.requests)


@pytest.mark.parametrize("around", [False, True], ids=["alone", "inside an interaction"])
@each_function
def test_suppressed_it_leaves_out_the_call_and_all_inside(
    spans: Spans, recorder: Recorder, function: Any, around: bool
) -> None:
    """Nothing of the call is said, by whatever means inside; the work is done and the interaction arrives."""
    if around:
        begin(user_id="u", event="around")

    def everything() -> None:
        turn = begin(user_id="u", event="chat", event_id="e-1", input="q")
        with llm_span("model", model="m"), turn.tool_span("handle"):
            raindrop_logging.start_span("task", "by hand").end()
        turn.track_tool("told")
        turn.with_tool("around", lambda: None)
        task(plain)("nested")
        raindrop_logging.Tracer().track_tool("apart")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(carry(task(plain)), "in a thread").result()
        turn.finish("answer")

    @task(suppress_tracing=True)
    def muted() -> str:
        everything()
        answer: str = _call(tool(function), function, "where?")
        return answer

    assert muted() == "WHERE?"
    assert spans() == {}
    assert [event["event_id"] for event in complete(recorder)] == ["e-1"]
    with task_span("afterwards"):
        pass
    assert set(spans()) == {"afterwards"}


# ---- what goes wrong ------------------------------------------------------------------------------------------------


@each_function
@each_decorator
def test_what_it_raises_marks_it_and_goes_on_unchanged(spans: Spans, kind: str, function: Any) -> None:
    """The caller gets the very exception with nothing added; each span that it leaves recorded it once."""
    decorated = DECORATORS[kind]("call")(function)
    with pytest.raises(LookupError) as caught, task_span("around"):
        _call(decorated, function, "fail")
    assert caught.value is FAILURE
    assert (FAILURE.__cause__, FAILURE.__context__, hasattr(FAILURE, "__notes__")) == (None, None, False)
    found = spans()
    assert set(found) == {"around", "call"}
    for span in found.values():
        recorded = failure(span)
        assert recorded is not None
        assert (recorded["type"], recorded["message"]) == ("LookupError", "no such order")
        assert "raise FAILURE" in recorded["stacktrace"]
    assert said(found["call"], "input") == '{"question":"fail"}'


def test_a_cancelled_call_is_a_failed_one(spans: Spans) -> None:
    """The task is cancelled as it would be without, and its spans are ended."""

    async def serve() -> None:
        running = asyncio.Event()

        @tool
        async def wait() -> None:
            running.set()
            await asyncio.Event().wait()

        work = asyncio.create_task(wait())
        await running.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert work.cancelled()

    asyncio.run(serve())
    assert (failure(spans()["wait"]) or {})["type"] == "CancelledError"


def test_a_coroutine_that_is_never_awaited_is_no_span(spans: Spans) -> None:
    """Calling is not yet working."""
    waiting = tool(coroutine)("where?")
    waiting.close()
    assert spans() == {}


# ---- interactions ---------------------------------------------------------------------------------------------------


@each_function
def test_a_begin_inside_says_whose_the_call_is(spans: Spans, recorder: Recorder, function: Any) -> None:
    """The span that is open already and what comes after are the interaction's, and all share its trace."""

    @interaction
    def handle() -> None:
        with tool_span("before"):
            pass
        turn = begin(user_id="u", event="chat", event_id="e-1", input="q")
        answer: str = _call(task(function), function, "where?")
        turn.finish(answer)

    handle()
    found = spans()
    names = ["before", "handle", function.__name__, "inside"]
    assert {name: event_of(found[name]) for name in names} == {**dict.fromkeys(names, "e-1"), "before": None}
    assert {span["trace_id"] for span in found.values()} == {complete(recorder)[0]["properties"]["trace_id"]}


def test_offered_tools_are_said_by_every_model_span_inside(spans: Spans) -> None:
    """As they were when the function was decorated; what a model span says itself wins, and so does an empty list."""
    search = {"type": "function", "name": "search", "inputSchema": {"type": "object"}}
    tools = [search]

    @interaction(tools=tools)
    def answer() -> None:
        with llm_span("first", model="m"):
            pass
        with llm_span("own", model="m", tools=[{**search, "name": "own"}]):
            pass
        with llm_span("none", model="m", tools=[]):
            pass

    tools.append({**search, "name": "too late"})
    answer()
    with llm_span("outside", model="m"):
        pass
    offered = {name: span["attributes"].get("ai.prompt.tools") for name, span in spans().items()}
    assert offered["first"] == [Json(search)]
    assert offered["own"] == [Json({**search, "name": "own"})]
    assert (offered["none"], offered["outside"]) == ([], None)
