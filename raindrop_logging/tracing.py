"""Ways to open spans: context managers, by hand, decorators, around a callable, after the fact.

with tool_span("search", input={"q": question}) as span:      # async with does as well
    span.record_output(search(question))                      # an exception marks it failed and goes on up

@tool("search")                                                # functions, coroutines, generators of both kinds
def search(question): ...
"""

from __future__ import annotations

import functools
import inspect
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, ParamSpec, Self, TypeVar, Unpack, cast, overload

from raindrop_logging._pipeline.stats import tell_operator_once
from raindrop_logging.context import AnyLogger, Scope, Turn, here, open_turn
from raindrop_logging.plain import frozen
from raindrop_logging.span import Failure, LlmOptions, LlmSpan, Span, SpanOptions, Time, as_text, root_turn, turn_around
from raindrop_logging.vocabulary import SpanKind, instant

P = ParamSpec("P")
R = TypeVar("R")

MAX_YIELDED = 1_000_000
"""Characters of a generator's texts that its span's output holds; any other value takes the room of a thousand."""


class Spans:
    """Opens spans: of the interaction around, of a given one, or of none.

    Each method takes the keys of `SpanOptions` as well.
    """

    def __init__(
        self, turn_of: Callable[[Scope], Turn] = turn_around, shared: Callable[[Any], SpanOptions] | None = None
    ) -> None:
        """``turn_of`` says whose spans they are, ``shared`` adds what they have in common to a span's options."""
        self._turn_of = turn_of
        self._shared = shared

    def _open(self, made: type[SpanT], kind: SpanKind, name: str, options: SpanOptions) -> SpanT:
        scope = here()
        parent = _parent(options.get("parent"))
        turn = self._turn_of(scope) if parent is None else parent.turn
        given = options if self._shared is None else self._shared(options)
        return made(kind, name, turn, scope, {**given, "parent": parent})

    @overload
    def start_span(self, kind: Literal["llm"], name: str, **options: Unpack[LlmOptions]) -> LlmSpan: ...
    @overload
    def start_span(self, kind: SpanKind, name: str, **options: Unpack[SpanOptions]) -> Span: ...
    def start_span(self, kind: SpanKind, name: str, **options: Any) -> Span:
        """A span that is ended by hand, maybe elsewhere: ``span.end()``, ``span.end(error=error)``."""
        made = LlmSpan if as_text(kind) == "llm" else Span
        return self._open(made, kind, name, cast("LlmOptions", options))

    def task_span(self, name: str, **options: Unpack[SpanOptions]) -> Span:
        """A step of the work; use it with ``with`` or ``async with``."""
        return self._open(Span, "task", name, options)

    def tool_span(self, name: str, **options: Unpack[SpanOptions]) -> Span:
        """A tool's call; use it with ``with`` or ``async with``."""
        return self._open(Span, "tool", name, options)

    def llm_span(self, name: str, **options: Unpack[LlmOptions]) -> LlmSpan:
        """A model's call; use it with ``with`` or ``async with``."""
        return self._open(LlmSpan, "llm", name, options)

    def with_span(self, name: str, function: Callable[[], R], **options: Unpack[SpanOptions]) -> R:
        """What the function returns, called inside a task span; where that is a coroutine, the span ends with it.

        `current_span` is that span while it runs.
        """
        return self._call("task", name, function, options)

    def with_tool(self, name: str, function: Callable[[], R], **options: Unpack[SpanOptions]) -> R:
        """As `with_span`, inside a tool span."""
        return self._call("tool", name, function, options)

    def _call(self, kind: SpanKind, name: str, function: Callable[[], R], options: SpanOptions) -> R:
        return traced(function, lambda _args, _kwargs: self._open(Span, kind, name, options))()

    def track_tool(
        self,
        name: str,
        *,
        output: Any = None,
        error: Failure | None = None,
        duration_ms: float | None = None,
        end_time: Time | None = None,
        **options: Unpack[SpanOptions],
    ) -> None:
        """Say a tool's call that is over.

        Args:
            name: of the tool.
            output: what it returned.
            error: what failed, if it did.
            duration_ms: how long it took; from ``start_time`` on, else until ``end_time``, which is now.
            end_time: when it ended.
            options: its input, properties, start_time and the rest.
        """
        start, end, length = _times(options.get("start_time"), end_time, duration_ms)
        given: SpanOptions = {**options, "start_time": start}
        self._open(Span, "tool", name, given).tell(output, error, duration_ms=length, end_time=end)


def _times(start: Time | None, end: Time | None, duration_ms: float | None) -> tuple[Any, Any, float | None]:
    """Start and end where a duration says one by the other, for OpenTelemetry's side as well; else all as given."""
    if duration_ms is None or (start is not None and end is not None):
        return start, end, duration_ms
    try:
        seconds = duration_ms / 1_000
        if start is not None:
            return start, round(instant("start_time", start), 6) + seconds, None
        last = round(time.time() if end is None else instant("end_time", end), 6)  # as fine as the wire says it
        return (last - seconds, last, None) if seconds >= 0 else (start, end, duration_ms)
    except Exception:  # noqa: BLE001 -- a value that the record will be refused for, by its name
        return start, end, duration_ms


SpanT = TypeVar("SpanT", bound=Span)


class Tracer(Spans):
    """Spans of a batch job, or of other work that is no interaction: they carry these properties and nobody's ids.

    Args:
        properties: of every span, such as ``{"job_id": "batch-123"}``.
        logger: to log them on.
    """

    def __init__(self, properties: Mapping[str, Any] | None = None, *, logger: AnyLogger | None = None) -> None:
        own = frozen(properties)

        def shared(options: SpanOptions) -> SpanOptions:
            return {"logger": logger, **options, "properties": _merged(own, options.get("properties"))}

        super().__init__(_apart, shared)


def _merged(own: Any, given: Any) -> Any:
    """Properties key by key; what is no dict stays as it is, for the record to be refused by name."""
    said = [{} if properties is None else frozen(properties) for properties in (own, given)]
    odd = [properties for properties in said if not isinstance(properties, dict)]
    return odd[0] if odd else said[0] | said[1]


def _apart(scope: Scope) -> Turn:
    """Nobody's: of a tracer's own work around, else of none, within the trace around unless that is somebody's."""
    turn, span = scope.open()
    if turn is not None and turn.is_apart:
        return turn
    if turn is not None and turn.begun:
        return Turn(is_apart=True)
    around = turn_around(scope)
    return Turn(trace_id=around.trace_id, parent_id=around.parent_id if span is None else span.span_id, is_apart=True)


_anywhere: Final = Spans()
task_span: Final = _anywhere.task_span
tool_span: Final = _anywhere.tool_span
llm_span: Final = _anywhere.llm_span


@overload
def start_span(kind: Literal["llm"], name: str, **options: Unpack[LlmOptions]) -> LlmSpan: ...
@overload
def start_span(
    kind: SpanKind,
    name: str,
    *,
    event_id: str | None = None,
    user_id: str | None = None,
    event: str | None = None,
    convo_id: str | None = None,
    **options: Unpack[SpanOptions],
) -> Span: ...
def start_span(
    kind: SpanKind,
    name: str,
    *,
    event_id: str | None = None,
    user_id: str | None = None,
    event: str | None = None,
    convo_id: str | None = None,
    **options: Any,
) -> Span:
    """A span that is ended by hand, maybe elsewhere; of the interaction around, or of the event that is named.

    Args:
        kind, name: of the span.
        event_id, user_id, event, convo_id: whose it is, where that is not the interaction around.
        options: see `SpanOptions`.
    """
    if event_id is None:
        return _anywhere.start_span(kind, name, **options)
    named = as_text(event_id)
    turn = _turn_of_event(named)
    if not turn.begun:
        turn.begin(event_id=named, user_id=_text(user_id), event=_text(event), convo_id=_text(convo_id))
    return Spans(lambda _scope: turn).start_span(kind, name, **options)


def _turn_of_event(event_id: str) -> Turn:
    """The interaction of this id that is open here, or that this process knows; else a new one that is yet to begin."""
    scope = here()
    around = scope.open()[0]
    known = around if around is not None and around.event_id == event_id else open_turn(event_id)
    return root_turn(scope, event_id) if known is None else known


def _text(value: Any) -> str | None:
    return None if value is None else as_text(value)


class _Nowhere(Span):
    """Stands for a span where there is none; as a parent it is none either."""


def current_span() -> Span:
    """The innermost span that is open here; where there is none, one that goes nowhere."""
    span: Span | None = here().now().span
    return span if span is not None else _Nowhere("trace", "none", Turn(), Scope(), {"suppress_tracing": True})


def _parent(given: Any) -> Span | None:
    """The parent that was named; what is no span is told to the operator, and named none."""
    if given is None or isinstance(given, _Nowhere):
        return None
    if isinstance(given, Span):
        return given
    tell_operator_once("parent", f"parent= takes a span, not a {type(given).__name__}")
    return None


# ---- decorators ----------------------------------------------------------------------------------------------------


class _Decorates:
    """One of the decorators: bare, or with a name and what `SpanOptions` say."""

    def __init__(self, kind: SpanKind, doc: str) -> None:
        self._kind: SpanKind = kind
        self.__doc__ = doc

    @overload
    def __call__(self, name: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def __call__(
        self, name: str | None = None, *, tools: Sequence[Any] | None = None, **options: Unpack[SpanOptions]
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def __call__(self, name: Any = None, *, tools: Sequence[Any] | None = None, **options: Any) -> Any:
        given, known = cast("SpanOptions", options), offered(tools)
        if callable(name) or isinstance(name, _BOUND_LATER):
            return self._decorate(name, None, known, given)

        def decorate(function: Any) -> Any:
            return self._decorate(function, name, known, given)

        return decorate

    def _decorate(self, function: Any, name: Any, tools: tuple[Any, ...] | None, options: SpanOptions) -> Any:
        if isinstance(function, _BOUND_LATER):
            return type(function)(self._decorate(function.__func__, name, tools, options))
        own = name if isinstance(name, str) and name else _name_of(function)
        named = _arguments_of(function)
        kind: Any = self._kind

        def opened(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Span:
            given: SpanOptions = {"input": named(args, kwargs), **options}
            span: Span = _anywhere.start_span(kind, own, **given)
            if tools is not None:
                span.turn.tools = tools
            return span

        return traced(function, opened)


interaction: Final = _Decorates("workflow", "Each call is a whole interaction's work; a `begin` inside says whose.")
task: Final = _Decorates("task", "Each call is a step of the work.")
tool: Final = _Decorates("tool", "Each call is a tool's call.")


_BOUND_LATER: Final = (classmethod, staticmethod)
"""What a class makes methods of; the function inside is what is called."""


def offered(tools: Any) -> tuple[Any, ...] | None:
    """Definitions of tools, as they are now; what is no list is told to the operator, and offers nothing."""
    said = frozen(tools)
    if said is None or isinstance(said, list):
        return None if said is None else tuple(said)
    tell_operator_once("tools", f"tools take a list of definitions, not a {type(tools).__name__}")
    return None


def _name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _arguments_of(function: Callable[..., Any]) -> Callable[[tuple[Any, ...], dict[str, Any]], dict[str, Any] | None]:
    """How to name the arguments of a call; a method's own object is none of them, and no arguments are no input."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return lambda args, kwargs: {"args": list(args), "kwargs": kwargs}

    def named(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
        try:
            found = dict(signature.bind(*args, **kwargs).arguments)
        except TypeError:  # the call itself will say it
            return {"args": list(args), "kwargs": kwargs}
        return {name: value for name, value in found.items() if name not in _OWN_OBJECT} or None

    return named


_OWN_OBJECT: Final = frozenset({"self", "cls"})


# ---- a span around each call ---------------------------------------------------------------------------------------

Opened = Callable[[tuple[Any, ...], dict[str, Any]], Span]


def traced(function: Callable[P, R], opened: Opened) -> Callable[P, R]:
    """The function with a span around each call: it is current while the function's own code runs, and has its output.

    Args:
        function: a function, coroutine function, generator function or asynchronous generator function.
        opened: makes the span of one call from its arguments.
    """
    called = type(function).__call__  # an object may be called as a coroutine function
    for is_one, wrapped in _WRAPPERS:
        if is_one(function) or is_one(called):
            return cast("Callable[P, R]", functools.wraps(function)(wrapped(function, opened)))
    return functools.wraps(function)(_function(function, opened))


def _function(function: Callable[..., R], opened: Opened) -> Callable[..., R]:
    def called(*args: Any, **kwargs: Any) -> R:
        span = opened(args, kwargs)
        try:
            with span.current():
                result = function(*args, **kwargs)
        except BaseException as error:
            span.end(error)
            raise
        if inspect.iscoroutine(result):  # the work is yet to be done, such as that of a lambda around a call
            return cast("R", _awaited(result, span))
        span.record_output(result)
        span.end()
        return result

    return called


async def _awaited(work: Coroutine[Any, Any, R], span: Span) -> R:
    async with span:
        result = await work
        span.record_output(result)
        return result


def _coroutine(function: Callable[..., Coroutine[Any, Any, Any]], opened: Opened) -> Callable[..., Any]:
    async def called(*args: Any, **kwargs: Any) -> Any:
        async with opened(args, kwargs) as span:
            result = await function(*args, **kwargs)
            span.record_output(result)
            return result

    return called


def _generator(function: Callable[..., Generator[Any, Any, Any]], opened: Opened) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with _Yielding(opened(args, kwargs)) as output:
            with output.running():
                inner = function(*args, **kwargs)
            step: Callable[[], Any] = functools.partial(next, inner)
            while True:
                try:
                    with output.running():
                        item = output.add(step())
                except StopIteration as stop:
                    return stop.value
                try:
                    step = functools.partial(inner.send, (yield item))
                except BaseException as error:  # noqa: BLE001 -- whatever is thrown in is the generator's to handle
                    step = functools.partial(inner.throw, error)

    return called


def _async_generator(function: Callable[..., AsyncGenerator[Any, Any]], opened: Opened) -> Callable[..., Any]:
    async def called(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with _Yielding(opened(args, kwargs)) as output:
            with output.running():
                inner = function(*args, **kwargs)
            step: Callable[[], Any] = functools.partial(_first_step, inner)
            while True:
                try:
                    with output.running():
                        item = output.add(await step())
                except StopAsyncIteration:
                    return
                try:
                    step = functools.partial(inner.asend, (yield item))
                except GeneratorExit:
                    with output.running():
                        await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 -- as in _generator
                    step = functools.partial(inner.athrow, error)

    return called


def _first_step(inner: AsyncGenerator[R, Any]) -> Awaitable[R]:
    """The first step of a generator that is ours to close: the event loop, which closes ours, is not told of it."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return inner.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)


class _Yielding:
    """A generator at work: its span, what it has put out, and what was current when it last stopped.

    The output is one text where all values are texts, else a list, within a bound.
    """

    def __init__(self, span: Span) -> None:
        self._span = span
        self._values: list[Any] = []
        self._room = MAX_YIELDED
        self._left_out = 0
        self._scope: Scope | None = None

    @contextmanager
    def running(self) -> Generator[None]:
        """Its own code runs: the span, and what was opened inside and is still open, are current."""
        with self._span.current(self._scope):
            try:
                yield
            finally:
                self._scope = here()

    def add(self, value: R) -> R:
        """Keep a value as it is now; its consumer may change it."""
        if self._room > 0:
            said = frozen(value)
            self._room -= len(said) + 1 if isinstance(said, str) else 1_000
            self._values.append(said)
        else:
            self._left_out += 1
        return value

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        said = self._values + [f"<and {self._left_out} more>"] * bool(self._left_out)
        is_text = said and all(isinstance(value, str) for value in said)
        self._span.record_output("".join(said) if is_text else said)
        self._span.end(error)


_WRAPPERS: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any, Opened], Callable[..., Any]]], ...]] = (
    (inspect.iscoroutinefunction, _coroutine),
    (inspect.isgeneratorfunction, _generator),
    (inspect.isasyncgenfunction, _async_generator),
)
