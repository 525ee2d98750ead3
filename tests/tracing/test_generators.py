"""Decorated generators of both kinds: to their consumer they are the plain ones, and their span is theirs alone."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Generator
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging import begin, bind, current_span, extra, interaction, llm_span, task_span, tool, tool_span
from tests.arrivals import complete, event_of, failure, said
from tests.published_docs.arrived import told, tree
from tests.wire.harness import Heard, log
from tests.wire.matching import Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.arrivals import Spans
    from tests.wire.recorder import Recorder

# ---- to its consumer it is the plain one ----------------------------------------------------------------------------


def talk(first: str) -> Generator[Any, Any, str]:
    """Answers what it is sent, survives what it is told of, and says at its end what it has heard."""
    heard = [first]
    while True:
        try:
            heard.append((yield f"after {heard[-1]}"))
        except LookupError as error:
            heard.append(f"caught {error}")
        if heard[-1] == "fail":
            raise ValueError("as asked")
        if heard[-1] == "end":
            return f"heard {len(heard)}"


async def async_talk(first: str) -> AsyncGenerator[Any, Any]:
    """The same, and turns are taken after every step."""
    heard = [first]
    while True:
        await asyncio.sleep(0)
        try:
            heard.append((yield f"after {heard[-1]}"))
        except LookupError as error:
            heard.append(f"caught {error}")
        if heard[-1] == "fail":
            raise ValueError("as asked")
        if heard[-1] == "end":
            return


def stubborn(_first: str) -> Generator[Any, Any, str]:
    """Says something when it is closed."""
    try:
        yield "one"
    except GeneratorExit:
        return "closed"
    return "read"


def unclosable(_first: str) -> Generator[Any, Any, None]:
    """Goes on when it is closed, which Python refuses."""
    try:
        yield "one"
    except GeneratorExit:
        yield "two"


async def async_unclosable(_first: str) -> AsyncGenerator[Any, Any]:
    """As `unclosable`."""
    try:
        yield "one"
    except GeneratorExit:
        yield "two"


Step = tuple[str, Any]
SCRIPTS: dict[str, list[Step]] = {
    "read": [("next", None), ("next", None), ("next", None)],
    "sent to": [("next", None), ("send", "a"), ("send", "b"), ("send", "end"), ("next", None)],
    "thrown into and caught": [("next", None), ("throw", LookupError("x")), ("send", "a")],
    "thrown into and not caught": [("next", None), ("throw", OSError("x")), ("next", None)],
    "thrown into before its start": [("throw", OSError("x")), ("next", None)],
    "thrown an end into": [("next", None), ("throw", StopIteration("x"))],
    "thrown an asynchronous end into": [("next", None), ("throw", StopAsyncIteration("x"))],
    "thrown its close into": [("next", None), ("throw", GeneratorExit("x")), ("next", None)],
    "failing": [("next", None), ("send", "fail"), ("next", None)],
    "closed": [("next", None), ("close", None), ("next", None), ("close", None)],
    "closed before its start": [("close", None), ("next", None)],
    "closed after its end": [("next", None), ("send", "end"), ("close", None)],
    "sent to before its start": [("send", "too early"), ("next", None)],
}


def _played(made: Generator[Any, Any, Any], script: list[Step]) -> list[Any]:
    """What the consumer of a generator sees, step by step."""
    ways: dict[str, Callable[[Any], Any]] = {
        "next": lambda _: next(made),
        "send": made.send,
        "throw": made.throw,
        "close": lambda _: close(),
    }
    close: Any = made.close  # since 3.13 it says what the generator has returned
    seen: list[Any] = []
    for way, value in script:
        try:
            seen.append(ways[way](value))
        except BaseException as error:  # noqa: BLE001 -- whatever it is, it is compared
            seen.append((type(error), error.args))
    return seen


async def _async_played(made: AsyncGenerator[Any, Any], script: list[Step]) -> list[Any]:
    ways: dict[str, Callable[[Any], Any]] = {
        "next": lambda _: anext(made),
        "send": made.asend,
        "throw": made.athrow,
        "close": lambda _: made.aclose(),
    }
    seen: list[Any] = []
    for way, value in script:
        try:
            seen.append(await ways[way](value))
        except BaseException as error:  # noqa: BLE001 -- whatever it is, it is compared
            seen.append((type(error), error.args))
    return seen


def _rows(willing: list[Any], unwilling: Any) -> pytest.MarkDecorator:
    """Every script for a generator that can be closed; one that cannot is only asked to close."""
    rows = {f"{one.__name__}, {name}": (one, script) for one in willing for name, script in SCRIPTS.items()}
    rows[f"{unwilling.__name__}, closed"] = (unwilling, SCRIPTS["closed"])
    return pytest.mark.parametrize(("function", "script"), rows.values(), ids=rows)


@pytest.mark.usefixtures("counting")
@_rows([talk, stubborn], unclosable)
def test_a_generator_behaves_as_the_plain_one(function: Any, script: list[Step]) -> None:
    """Values, what is sent and thrown, the close and the returned value: its consumer can see no difference."""
    decorated: Any = tool(function)
    assert _played(decorated("hello"), script) == _played(function("hello"), script)


@pytest.mark.usefixtures("counting")
@_rows([async_talk], async_unclosable)
def test_an_asynchronous_generator_behaves_as_the_plain_one(function: Any, script: list[Step]) -> None:
    """The same with asend, athrow and aclose."""

    decorated: Any = tool(function)

    async def both() -> list[list[Any]]:
        return [await _async_played(made("hello"), script) for made in (decorated, function)]

    first, second = asyncio.run(both())
    assert first == second


def test_what_is_thrown_in_comes_out_as_it_is(spans: Spans) -> None:
    """The same object with nothing chained to it, once on the span; caught inside it is no failure."""
    error, caught = OSError("x"), LookupError("y")
    failing, surviving = tool("failing")(talk)("a"), tool("surviving")(talk)("a")
    for made in (failing, surviving):
        next(made)
    surviving.throw(caught)
    surviving.close()
    with pytest.raises(OSError, match="x") as raised:
        failing.throw(error)
    assert raised.value is error
    assert (error.__cause__, error.__context__) == (None, None)
    found = spans()
    assert (failure(found["failing"]) or {})["type"] == "OSError"
    assert failure(found["surviving"]) is None


def test_a_generator_in_a_generator_is_delegated_to(spans: Spans) -> None:
    """``yield from`` passes values and the result through, and its span is the child of the one that asks."""

    @tool
    def inner() -> Generator[int, Any, str]:
        heard = yield 1
        return f"heard {heard}"

    @tool
    def outer() -> Generator[int, Any, str]:
        return (yield from inner())

    made = outer()
    assert next(made) == 1
    with pytest.raises(StopIteration, match="heard me"):
        made.send("me")
    assert tree(spans()) == {"outer": None, "inner": "outer"}


# ---- what its span says ---------------------------------------------------------------------------------------------


def _values(*values: Any) -> Iterator[Any]:
    yield from values


async def _async_values(*values: Any) -> AsyncGenerator[Any, None]:
    for value in values:
        yield value


def _read(function: Any, *args: Any) -> list[Any]:
    made = function(*args)
    if isinstance(made, Generator):
        return list(made)

    async def read() -> list[Any]:
        return [value async for value in made]

    return asyncio.run(read())


each_kind = pytest.mark.parametrize("function", [_values, _async_values], ids=["generator", "async generator"])


@each_kind
def test_its_output_is_what_it_has_put_out(spans: Spans, function: Any) -> None:
    """Texts are one text, anything else is a list, and nothing is an empty list."""
    rows = {"texts": ("Hel", "", "lo"), "others": (1, "a", {"b": 2}), "nothing": ()}
    for name, values in rows.items():
        _read(tool(name)(function), *values)
    found = spans()
    assert said(found["texts"], "output") == "Hello"
    assert said(found["others"], "output") == Json([1, "a", {"b": 2}])
    assert said(found["nothing"], "output") == "[]"


@each_kind
def test_a_value_is_told_as_it_was_put_out(spans: Spans, function: Any) -> None:
    """What its consumer changes afterwards is not the generator's word."""
    row = {"n": 1}

    def growing() -> Iterator[dict[str, int]]:
        for number in (1, 2):
            row["n"] = number
            yield row

    for value in tool("growing")(growing)():
        value["n"] = 99
    _read(tool("call")(function), row)
    found = spans()
    assert said(found["growing"], "output") == Json([{"n": 1}, {"n": 2}])
    assert said(found["call"], "output") == Json([{"n": 99}])


@each_kind
def test_a_long_answer_is_told_whole_and_an_endless_list_is_not(spans: Spans, function: Any) -> None:
    """A stream of words may be long; of other values the first thousand are told, and how many came after."""
    _read(tool("words")(function), *(f"word{number} " for number in range(5_000)))
    _read(tool("numbers")(function), *range(1_500))
    found = spans()
    assert said(found["words"], "output") == "".join(f"word{number} " for number in range(5_000))
    assert said(found["numbers"], "output") == Json([*range(1_000), "<and 500 more>"])


def test_a_generator_that_is_closed_early_has_not_failed(spans: Spans) -> None:
    """By close, by a consumer that stops and by one that lets it go: it is ended, with what it has put out."""

    def read_one(name: str) -> Any:
        made = tool(name)(_values)("a", "b", "c")
        for _ in made:
            return made
        return None

    read_one("closed").close()
    read_one("let go")
    gc.collect()
    found = spans()
    assert {name: told(span) for name, span in found.items()} == {
        name: {"kind": "tool", "input": '{"values":["a","b","c"]}', "output": "a"} for name in ("closed", "let go")
    }


def test_an_asynchronous_generator_that_is_closed_early_has_not_failed(spans: Spans) -> None:
    """By aclose, and by the event loop at its end for one that was left; its own clean-up runs inside its span."""
    heard, left = Heard("asyncio"), []

    async def stream(number: int) -> AsyncGenerator[str, None]:
        try:
            yield "a"
            yield "b"
        finally:
            await asyncio.sleep(0)
            with task_span(f"clean-up {number}"):
                pass

    async def work() -> None:
        made = [tool(f"stream {number}")(stream)(number) for number in range(5)]
        left.extend(made)
        for each in made:
            assert await anext(each) == "a"
        await made[0].aclose()

    asyncio.run(work())
    found = spans()
    for number in range(5):
        own = found[f"stream {number}"]
        assert (said(own, "output"), failure(own)) == ("a", None)
        assert found[f"clean-up {number}"]["parent_id"] == own["span_id"]
    assert heard.lines == []


def test_a_generator_that_is_never_read_is_no_span(spans: Spans) -> None:
    """Calling it does no work."""
    tool("sync")(_values)("a")
    tool("async")(_async_values)("a")
    gc.collect()
    assert spans() == {}


# ---- its span is current while its own code runs --------------------------------------------------------------------


@pytest.mark.usefixtures("counting")
def test_its_span_is_current_only_while_its_own_code_runs() -> None:
    """Not before its first step, not in its consumer between two, not after its end, however it ends."""
    seen: list[str] = []

    @tool
    def stream() -> Iterator[int]:
        for number in range(2):
            seen.append(current_span().name)
            yield number

    with task_span("consumer") as consumer:
        for _ in stream():
            assert current_span() is consumer
        made = stream()
        assert current_span() is consumer
        next(made)
        assert current_span() is consumer
        made.close()  # type: ignore[attr-defined]
        assert current_span() is consumer
    assert seen == ["stream"] * 3


@pytest.mark.usefixtures("counting")
def test_an_asynchronous_ones_span_is_current_only_while_its_own_code_runs() -> None:
    """Its consumer and the tasks that run meanwhile have their own."""
    seen: list[str] = []

    @tool
    async def stream() -> AsyncGenerator[int, None]:
        for number in range(3):
            await asyncio.sleep(0)
            seen.append(current_span().name)
            yield number

    async def consume(name: str) -> None:
        async with task_span(name) as consumer:
            async for _ in stream():
                assert current_span() is consumer
                await asyncio.sleep(0)
                assert current_span() is consumer

    async def serve() -> None:
        await asyncio.gather(*(consume(f"consumer {number}") for number in range(4)))
        assert current_span().name == "none"

    asyncio.run(serve())
    assert seen == ["stream"] * 12


def test_what_is_open_inside_stays_open_over_its_steps(spans: Spans) -> None:
    """A block around a yield holds what comes after it; the consumer never sees it."""

    @interaction
    def answer() -> Iterator[str]:
        with llm_span("model", model="m"):
            yield "a"
            with tool_span("while the model speaks"):
                yield "b"
            with tool_span("and again"):
                pass
        yield "c"
        with tool_span("afterwards"):
            pass

    for _ in answer():
        assert current_span().name == "none"
    assert tree(spans()) == {
        "answer": None,
        "model": "answer",
        "while the model speaks": "model",
        "and again": "model",
        "afterwards": "answer",
    }


def test_what_is_open_inside_an_asynchronous_one_stays_open_over_its_steps(spans: Spans) -> None:
    """The same where streams of several requests take turns in one thread."""

    async def answer(number: int) -> AsyncGenerator[str, None]:
        async with llm_span(f"model {number}", model="m"):
            yield "a"
            await asyncio.sleep(0)
            async with tool_span(f"tool {number}"):
                yield "b"

    async def consume(number: int) -> None:
        async for _ in interaction(f"answer {number}")(answer)(number):
            await asyncio.sleep(0)

    async def serve() -> None:
        await asyncio.gather(*(consume(number) for number in range(4)))

    asyncio.run(serve())
    found = spans()
    for number in range(4):
        own = {name: span for name, span in found.items() if name.endswith(str(number))}
        names = [f"answer {number}", f"model {number}", f"tool {number}"]
        assert tree(own) == {names[0]: None, names[1]: names[0], names[2]: names[1]}


def test_what_is_bound_inside_stays_bound_over_its_steps(spans: Spans) -> None:
    """A bind around a yield holds for what comes after it, and for nothing of the consumer's."""

    @tool
    def stream() -> Iterator[int]:
        with bind(user_id="inside", convo_id="c"):
            yield 1
            log.info("said", extra=extra.span(kind="task", name="inside"))
        yield 2
        log.info("said", extra=extra.span(kind="task", name="after"))

    for number in stream():
        log.info("said", extra=extra.span(kind="task", name=f"consumer {number}"))
    users = {name: span["attributes"].get("raindrop.user.id") for name, span in spans().items()}
    assert users == {"stream": None, "inside": "inside", "after": None, "consumer 1": None, "consumer 2": None}


def test_an_interaction_begun_inside_goes_on_over_its_steps(spans: Spans, recorder: Recorder) -> None:
    """Also the second one of the same generator; its consumer is in neither."""

    @interaction
    def serve() -> Iterator[str]:
        for name in ("first", "second"):
            turn = begin(user_id="u", event="chat", event_id=name, input="q")
            yield "..."
            with tool_span(f"tool of {name}"):
                yield "..."
            turn.finish("answer")

    for number, _ in enumerate(serve()):
        with task_span(f"consumer {number}"):
            pass
    found = {name: event_of(span) for name, span in spans().items()}
    assert found["tool of first"] == "first"
    assert found["tool of second"] == "second"
    assert {found[f"consumer {number}"] for number in range(4)} == {None}
    assert [event["event_id"] for event in complete(recorder)] == ["first", "second"]


def test_generators_that_take_turns_keep_to_themselves(spans: Spans) -> None:
    """Request handlers that stream, read in turn by one thread: each span is of its own handler's interaction."""

    def handle(user: str) -> Iterator[str]:
        turn = begin(user_id=user, event="chat", event_id=f"e-{user}", input="q")
        for number in range(3):
            with tool_span(f"{user} {number}"):
                yield "..."
        turn.finish("answer")

    users = ("ada", "bruno", "chen")
    handlers = [interaction(f"{user} all")(handle)(user) for user in users]
    for _ in zip(*handlers, strict=True):
        assert current_span().name == "none"
    found = spans()
    assert {name: event_of(span) for name, span in found.items()} == {
        f"{user} {part}": f"e-{user}" for user in users for part in ("all", 0, 1, 2)
    }
    for user in users:
        own = {name: span for name, span in found.items() if name.startswith(user)}
        assert tree(own) == {f"{user} all": None, **{f"{user} {n}": f"{user} all" for n in range(3)}}


def test_a_generator_may_be_read_in_another_context_at_each_step(spans: Spans) -> None:
    """As servers do that read a response in their threads, each step in a copy of the request's context."""

    @interaction
    def stream() -> Iterator[int]:
        begin(user_id="u", event="chat", event_id="e-1")
        with llm_span("model", model="m"):
            yield 1
            with tool_span("inside"):
                yield 2
        with tool_span("after"):
            yield 3

    made = stream()
    steps = [copy_context().run(partial(next, made, None)) for _ in range(4)]
    assert steps == [1, 2, 3, None]
    assert current_span().name == "none"
    found = spans()
    assert tree(found) == {"stream": None, "model": "stream", "inside": "model", "after": "stream"}
    assert {event_of(span) for span in found.values()} == {"e-1"}
