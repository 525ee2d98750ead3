"""What the running code is about: bound fields, the open interaction and the open span, for every record made inside.

`bind` is for a request, a job or a turn: what it binds is read when a record is made, on the thread or task that made
it, and never later. `carry` takes it along to an executor or a thread, `traceparent` to another process. `rebind` fills
in what becomes known only while a request is answered, where a middleware of `raindrop_logging.contrib` has bound it.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Generator, ItemsView, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token, copy_context
from logging import Logger, LoggerAdapter
from typing import Any, Final, ParamSpec, Self, TypeVar, cast

from msgspec import Struct

from raindrop_logging._pipeline.entries import ABOUT
from raindrop_logging._pipeline.stats import tell_operator_once
from raindrop_logging.identifiers import mint_bits, span_id, trace_id_of_event, uuid_text
from raindrop_logging.plain import plain, text_of

P = ParamSpec("P")
R = TypeVar("R")

AnyLogger = Logger | LoggerAdapter[Any]
"""Where a verb may be told to log; the fields and attributes of an adapter are in its records as well."""

_DEEPEST = 32
"""Interactions that one context may hold open inside one another; a loop that never finishes its own must not grow."""

MAX_RESUMABLE = 10_000
"""Open interactions that are found by their id; past that the oldest is known by its id alone."""


class Turn:
    """One interaction as the code around it sees it, shared by every context that it reaches.

    It opens with its begin, or with the root span that a begin is expected in, and says its ids until it is finished.
    Attributes are set whole, never changed in place, so that any thread may read them.

    Attributes:
        event_id, user_id, event, convo_id: whose it is; said once it is ``begun``.
        trace_id, parent_id: the one trace of all its spans, and the span of another process that it continues.
        attributes: OpenTelemetry attributes of every span inside.
        logger: where its records and spans go; None for the default one.
        tools: what its model spans were offered unless they say it themselves; None where nobody said.
        finished: it says its ids to nothing new.
        is_apart: it is work of nobody's, and no begin ever makes it somebody's.
    """

    __slots__ = (
        "_unclaimed",
        "about",
        "attributes",
        "begun",
        "convo_id",
        "event",
        "event_id",
        "finished",
        "is_apart",
        "logger",
        "parent_id",
        "tools",
        "trace_id",
        "user_id",
    )

    def __init__(self, *, trace_id: str | None = None, parent_id: str | None = None, is_apart: bool = False) -> None:
        self.event_id = uuid_text(mint_bits(128))
        self.user_id: str | None = None
        self.event: str | None = None
        self.convo_id: str | None = None
        self.trace_id = trace_id or trace_id_of_event(self.event_id)
        self.parent_id = parent_id
        self.attributes: Mapping[str, Any] = {}
        self.tools: tuple[Any, ...] | None = None
        self.logger: AnyLogger | None = None
        self.about: Mapping[str, str] | None = None
        self.begun = False
        self.finished = False
        self.is_apart = is_apart
        self._unclaimed = [] if is_apart else [True]

    def claim(self) -> bool:
        """Whether the caller's begin is the one that says whose it is; one call ever gets it, of whatever thread."""
        try:
            return self._unclaimed.pop()
        except IndexError:
            return False

    def begin(self, *, event_id: str | None, user_id: str | None, event: str | None, convo_id: str | None) -> None:
        """Say from now on whose interaction it is."""
        self.event_id = event_id or self.event_id
        self.user_id, self.event, self.convo_id = user_id, event, convo_id
        self.begun = True
        self._unclaimed.clear()
        said = {**self.ids(), "trace_id": self.trace_id}
        self.about = {key: value for key, value in said.items() if value is not None}

    def ids(self) -> dict[str, str | None]:
        """Event, user and conversation, as every record about it repeats them; nothing before its begin."""
        if not self.begun:
            return {}
        return {"event_id": self.event_id, "user_id": self.user_id, "event": self.event, "convo_id": self.convo_id}


_turns: Final[dict[str, Turn]] = {}


def open_turn(event_id: str | None) -> Turn | None:
    """The interaction of this id that this process has begun and not finished."""
    turn = _turns.get(event_id) if event_id else None
    return None if turn is None or turn.finished else turn


def remember(turn: Turn) -> None:
    """Let an interaction be found by its id, until it is finished."""
    _turns[turn.event_id] = turn
    if len(_turns) > MAX_RESUMABLE:
        with suppress(RuntimeError, StopIteration):  # another thread has just changed it: the next one will tidy up
            _turns.pop(next(iter(_turns)), None)


def finish(turn: Turn) -> None:
    """Have an interaction say its ids to nothing new, in any context."""
    turn.finished = True
    if _turns.get(turn.event_id) is turn:
        _turns.pop(turn.event_id, None)


class Scope(Struct, frozen=True):
    """What one stretch of code is about; an inner one replaces it, nothing changes it.

    ``fields`` are what is bound. ``turn`` and ``span`` are as they were when it began, ``outer`` is what holds again
    once the interaction is finished, and ``depth`` is how many there are of those: ask `now` what holds now.
    """

    fields: Mapping[str, Any] = {}
    turn: Turn | None = None
    span: Any = None
    outer: Scope | None = None
    depth: int = 0

    def bound(self) -> Mapping[str, Any]:
        """The fields as of one moment, where a request around goes on learning them."""
        return self.fields.now() if isinstance(self.fields, _LateFields) else self.fields

    def now(self) -> Scope:
        """The same without the interactions that are finished by now.

        A span that is left of them stays where no other interaction is open: its trace goes on, without their ids.
        """
        scope, span = self, self.span
        while scope.turn is not None and scope.turn.finished:
            if scope.outer is None:
                return Scope(self.fields, None, span)
            scope = scope.outer
            span = scope.span if span is None else span
        if scope is self:
            return self
        if scope.turn is None:
            return Scope(self.fields, None, span)
        return Scope(self.fields, scope.turn, scope.span, scope.outer, scope.depth)

    def open(self) -> tuple[Turn | None, Any]:
        """The innermost interaction that is not finished, and the innermost span; None where there is none."""
        scope = self.now()
        return scope.turn, scope.span

    def inside(self, turn: Turn, span: Any = None) -> Scope:
        """The scope of code in here that is about this interaction and this span."""
        if self.turn is turn:
            return Scope(self.fields, turn, span, self.outer, self.depth)
        outer = self.now()
        if outer.depth >= _DEEPEST or (outer.turn is None and outer.span is None):
            return Scope(self.fields, turn, span)
        return Scope(self.fields, turn, span, outer, outer.depth + 1)


NOWHERE: Final = Scope()
_scope: ContextVar[Scope] = ContextVar("raindrop_scope", default=NOWHERE)
here: Final = _scope.get
enter: Final = _scope.set
"""``here()`` is this context's `Scope`; ``enter(scope)`` makes another the current one until `leave`."""


def leave(token: Token[Scope]) -> bool:
    """Back to the scope before; false where the code has moved to another context meanwhile, which has its own."""
    with suppress(ValueError):
        _scope.reset(token)
        return True
    return False


@contextmanager
def within(scope: Scope) -> Generator[None]:
    """Make a scope the current one for a block."""
    token = enter(scope)
    try:
        yield
    finally:
        leave(token)


def current_scope() -> Mapping[str, Any] | None:
    """What a record made here may take: what is bound, the open span's ids, and under `ABOUT` the interaction's."""
    scope = here()
    fields = scope.bound()
    if scope.turn is None and scope.span is None:
        return fields or None
    turn, span = scope.open()
    said = dict(fields)
    if span is not None and not span.is_muted:
        said |= {"trace_id": span.trace_id, "span_id": span.span_id}
    if turn is not None and turn.about is not None:
        said[ABOUT] = turn.about
    return said


class bind:  # noqa: N801 -- used like a function: `with bind(user_id=...)`, `@bind(user_id=...)`
    """Bind fields for the code inside; a record's own fields win over them, an inner `bind` over an outer one.

    A context manager (``with`` and ``async with``) and a decorator of functions and coroutine functions.

    Args:
        user_id: whose request it is. This and the next three are texts; anything else is bound as its text.
        convo_id: the conversation.
        event_id: the event that the records inside are about, instead of an interaction that is open around them.
        event: name of the event.
        properties: merged with the record's own, key by key.
        traceparent: the W3C header of an incoming request: spans inside continue its trace. A header that is none is
            ignored, as the W3C recommendation on trace context asks.
    """

    def __init__(
        self,
        *,
        user_id: str | None = None,
        convo_id: str | None = None,
        event_id: str | None = None,
        event: str | None = None,
        properties: Mapping[str, Any] | None = None,
        traceparent: str | None = None,
    ) -> None:
        given = {"user_id": user_id, "convo_id": convo_id, "event_id": event_id, "event": event}
        fields: dict[str, Any] = {key: text_of(value, str) for key, value in given.items() if value is not None}
        if properties:
            fields["properties"] = plain(properties)
        self._fields = fields | _continued(traceparent)
        self._tokens: list[Token[Scope]] = []

    def inside(self, scope: Scope) -> Scope:
        """The scope of code that runs in this one with the fields bound."""
        outer = scope.fields
        bound = outer.inside(self._fields) if isinstance(outer, _LateFields) else _over(outer, self._fields)
        if "trace_id" in self._fields:
            return Scope(bound)
        if "event_id" in self._fields:
            return Scope(bound, None, scope.open()[1])
        return Scope(bound, scope.turn, scope.span, scope.outer, scope.depth)

    def __enter__(self) -> Self:
        self._tokens.append(enter(self.inside(_scope.get())))
        return self

    def __exit__(self, *_: object) -> None:
        for token in reversed(self._tokens.copy()):  # one object may be entered by several threads or tasks at once
            if leave(token):
                self._tokens.remove(token)
                return

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, or coroutine function, with the fields bound for each call of it."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def bound_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self._again():
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", bound_coroutine)

        @functools.wraps(function)
        def bound(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._again():
                return function(*args, **kwargs)

        return bound

    def _again(self) -> bind:
        """The same for one call: calls may run at the same time, each with tokens of its own."""
        other = bind()
        other._fields = self._fields
        return other


def _over(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    """Both, the inner one winning, properties key by key; what is no dict there is kept, to be refused by name."""
    both = {**outer, **inner}
    around, own = outer.get("properties"), inner.get("properties")
    if isinstance(around, dict) and isinstance(own, dict):
        both["properties"] = {**around, **own}
    return both


class Request:
    """What one request is about as far as it is known, shared by every context that it reaches, a thread's copy too.

    What `rebind` says wins over what is seen, and that over what was bound when it began; an inner `bind` wins over
    all of it.

    Args:
        began: the scope that it begins in, with what is bound from its beginning.
        look: says what is to be seen of it by now, such as its route. It is asked for every record, and must not raise.
    """

    __slots__ = ("_began", "_look", "_properties", "_said")

    def __init__(self, began: Scope, look: Callable[[], Mapping[str, Any]]) -> None:
        self._began = began
        self._look = look
        self._said: dict[str, Any] = {}
        self._properties: dict[str, Any] = {}

    @property
    def scope(self) -> Scope:
        """The scope of the code that answers it."""
        began = self._began
        return Scope(_LateFields(self, {}), began.turn, began.span, began.outer, began.depth)

    def fields(self) -> dict[str, Any]:
        """All of it, as of now."""
        said = {**self._said, "properties": {**self._properties}} if self._properties else self._said
        return _over(_over(self._began.bound(), self._look()), said)

    def learn(self, fields: Mapping[str, Any]) -> None:
        """Say it from now on; each key is set at once, so that any thread may read meanwhile."""
        said = dict(fields)
        if isinstance(said.get("properties"), dict):
            self._properties.update(said.pop("properties"))
        self._said.update(said)

    def settle(self) -> None:
        """Look for the last time: contexts that outlive the request need not keep alive what was looked at."""
        seen = dict(self._look())
        self._look = lambda: seen


class _LateFields(Mapping[str, Any]):
    """Bound fields inside of a request, read anew whenever they are asked for."""

    __slots__ = ("_own", "request")

    def __init__(self, request: Request, own: Mapping[str, Any]) -> None:
        self.request = request
        self._own = own

    def inside(self, own: Mapping[str, Any]) -> _LateFields:
        """The same with more bound in it."""
        return _LateFields(self.request, _over(self._own, own))

    def now(self) -> dict[str, Any]:
        """One reading."""
        return _over(self.request.fields(), self._own)

    def items(self) -> ItemsView[str, Any]:
        """Of one reading."""
        return self.now().items()

    def __getitem__(self, key: str) -> Any:
        return self.now()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.now())

    def __len__(self) -> int:
        return len(self.now())


def rebind(
    *, user_id: str | None = None, convo_id: str | None = None, properties: Mapping[str, Any] | None = None
) -> None:
    """Say of the request around what has become known since it began: who it is from, once they are authenticated.

    It holds for all of the request from then on, also outside of the function that says it, such as a dependency that
    the framework runs in a thread; where `bind` would end with its block or its thread's context. Only a middleware of
    `raindrop_logging.contrib` (asgi, wsgi, django) makes a request that can be told; without one this does nothing, and
    that is logged once.

    Args:
        user_id, convo_id: as in `bind`; None leaves what is known.
        properties: merged with those that are known, key by key.
    """
    fields = here().fields
    if isinstance(fields, _LateFields):
        told = bind(user_id=user_id, convo_id=convo_id, properties=properties)
        fields.request.learn(told.inside(NOWHERE).fields)
    else:
        tell_operator_once("rebind", f"rebind() outside of a request does nothing: {_NO_REQUEST}")


_NO_REQUEST: Final = "add the RaindropMiddleware of raindrop_logging.contrib.asgi, .wsgi or .django, or use bind()"


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """The function with what is bound here, for an executor or a thread: ``pool.submit(carry(work), item)``."""
    context = copy_context()

    @functools.wraps(function)
    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.copy().run(function, *args, **kwargs)

    return carried


_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")


def _continued(header: str | None) -> dict[str, str]:
    match = _TRACEPARENT.fullmatch(header.strip()) if isinstance(header, str) else None
    return {"trace_id": match[1], "span_id": match[2]} if match else {}


def traceparent() -> str | None:
    """The W3C header that continues this trace in another process.

    Of the open span; else of the open interaction, as if of a span around all of its own; None where there is neither.
    """
    scope = _scope.get()
    turn, span = scope.open()
    if span is not None:
        return str(span.traceparent)
    trace_id, parent_id = scope.fields.get("trace_id"), scope.fields.get("span_id")
    if turn is not None and turn.begun:
        trace_id, parent_id = turn.trace_id, turn.parent_id or root_span_id(turn)
    return f"00-{trace_id}-{parent_id}-01" if trace_id and parent_id else None


def root_span_id(turn: Turn) -> str:
    """A span id that stands for the interaction itself, where a header or another tracer needs one."""
    return span_id(int(turn.trace_id, 16))
