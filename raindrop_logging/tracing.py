"""Ways to open spans: context managers, by hand, decorators, around a callable, after the fact.

with tool_span("search", input={"q": question}) as span:      # async with does as well
    span.record_output(search(question))                      # an exception marks it failed and goes on up

@tool("search")                                                # functions, coroutines, generators of both kinds
def search(question): ...
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from typing import Any, Final, Literal, ParamSpec, TypeVar, Unpack, cast, overload

from raindrop_logging.context import Scope, Turn, here
from raindrop_logging.identifiers import trace_id_of_event
from raindrop_logging.span import Failure, LlmOptions, LlmSpan, Span, SpanOptions, Time, turn_around
from raindrop_logging.vocabulary import SpanKind

P = ParamSpec("P")
R = TypeVar("R")

MAX_YIELDED = 1_000
"""Values of a generator that its span's output holds."""


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
        parent = options.get("parent")
        turn = self._turn_of(scope) if parent is None else parent.turn
        return made(kind, name, turn, scope, options if self._shared is None else self._shared(options))

    @overload
    def start_span(self, kind: Literal["llm"], name: str, **options: Unpack[LlmOptions]) -> LlmSpan: ...
    @overload
    def start_span(self, kind: SpanKind, name: str, **options: Unpack[SpanOptions]) -> Span: ...
    def start_span(self, kind: SpanKind, name: str, **options: Any) -> Span:
        """A span that is ended by hand, maybe elsewhere: ``span.end()``, ``span.end(error=error)``."""
        given = cast("LlmOptions", options)
        return self._open(LlmSpan if kind == "llm" else Span, kind, name, given)

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
        """What the function returns, called inside a task span; of a coroutine function, what to await.

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
        self._open(Span, "tool", name, options).tell(output, error, duration_ms=duration_ms, end_time=end_time)


SpanT = TypeVar("SpanT", bound=Span)


class Tracer(Spans):
    """Spans of a batch job, or of other work that is no interaction: they carry these properties and nobody's ids.

    Args:
        properties: of every span, such as ``{"job_id": "batch-123"}``.
        logger: to log them on.
    """

    def __init__(self, properties: Mapping[str, Any] | None = None, *, logger: logging.Logger | None = None) -> None:
        own = dict(properties or {})

        def shared(options: SpanOptions) -> SpanOptions:
            return {"logger": logger, **options, "properties": {**own, **(options.get("properties") or {})}}

        super().__init__(_apart, shared)


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
    turn = Turn(trace_id=trace_id_of_event(event_id))
    turn.begin(event_id=event_id, user_id=user_id, event=event, convo_id=convo_id)
    return Spans(lambda _scope: turn).start_span(kind, name, **options)


def current_span() -> Span:
    """The innermost span that is open here; where there is none, one that goes nowhere."""
    span = here().now().span
    return span if span is not None else Span("trace", "none", Turn(), Scope(), {"suppress_tracing": True})


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
        given = cast("SpanOptions", options)
        if callable(name):
            return self._decorate(name, _name_of(name), tools, given)

        def decorate(function: Callable[..., Any]) -> Any:
            return self._decorate(function, name or _name_of(function), tools, given)

        return decorate

    def _decorate(
        self, function: Callable[P, R], name: str, tools: Sequence[Any] | None, options: SpanOptions
    ) -> Callable[P, R]:
        named = _arguments_of(function)
        kind: Any = self._kind

        def opened(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Span:
            given: SpanOptions = {"input": named(args, kwargs), **options}
            span: Span = _anywhere.start_span(kind, name, **given)
            if tools is not None:
                span.turn.tools = tuple(tools)
            return span

        return traced(function, opened)


interaction: Final = _Decorates("workflow", "Each call is a whole interaction's work; a `begin` inside says whose.")
task: Final = _Decorates("task", "Each call is a step of the work.")
tool: Final = _Decorates("tool", "Each call is a tool's call.")


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
    for is_one, wrapped in _WRAPPERS:
        if is_one(function):
            return cast("Callable[P, R]", functools.wraps(function)(wrapped(function, opened)))
    return functools.wraps(function)(_function(function, opened))


def _function(function: Callable[..., R], opened: Opened) -> Callable[..., R]:
    def called(*args: Any, **kwargs: Any) -> R:
        with opened(args, kwargs) as span:
            result = function(*args, **kwargs)
            span.record_output(result)
            return result

    return called


def _coroutine(function: Callable[..., Any], opened: Opened) -> Callable[..., Any]:
    async def called(*args: Any, **kwargs: Any) -> Any:
        async with opened(args, kwargs) as span:
            result = await function(*args, **kwargs)
            span.record_output(result)
            return result

    return called


def _generator(function: Callable[..., Generator[Any, Any, Any]], opened: Opened) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        output = _Yielded(opened(args, kwargs))
        with output.span.current():
            inner = function(*args, **kwargs)
        step: Callable[[], Any] = functools.partial(next, inner)
        with output:
            while True:
                try:
                    with output.span.current():
                        item = output.add(step())
                except StopIteration as stop:
                    return stop.value
                try:
                    step = functools.partial(inner.send, (yield item))
                except GeneratorExit:
                    with output.span.current():
                        inner.close()
                    raise
                except BaseException as error:  # noqa: BLE001 -- whatever is thrown in is the generator's to handle
                    step = functools.partial(inner.throw, error)

    return called


def _async_generator(function: Callable[..., AsyncGenerator[Any, Any]], opened: Opened) -> Callable[..., Any]:
    async def called(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        output = _Yielded(opened(args, kwargs))
        with output.span.current():
            inner = function(*args, **kwargs)
        step: Callable[[], Any] = inner.__anext__
        with output:
            while True:
                try:
                    with output.span.current():
                        item = output.add(await step())
                except StopAsyncIteration:
                    return
                try:
                    step = functools.partial(inner.asend, (yield item))
                except GeneratorExit:
                    with output.span.current():
                        await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 -- as in _generator
                    step = functools.partial(inner.athrow, error)

    return called


class _Yielded:
    """What a generator has put out, for its span: texts as one text, anything else as a list, within a bound."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self._values: list[Any] = []

    def add(self, value: R) -> R:
        if len(self._values) < MAX_YIELDED:
            self._values.append(value)
        return value

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        texts = self._values and all(isinstance(value, str) for value in self._values)
        self.span.record_output("".join(self._values) if texts else self._values)
        self.span.end(error)


_WRAPPERS: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any, Opened], Callable[..., Any]]], ...]] = (
    (inspect.iscoroutinefunction, _coroutine),
    (inspect.isgeneratorfunction, _generator),
    (inspect.isasyncgenfunction, _async_generator),
)
