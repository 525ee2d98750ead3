"""Fields bound to the running code, so that every record made inside carries them.

`bind` is for a request, a job or a turn: what it binds is read when a record is made, on the thread or task that made
it, and never later. `carry` takes it along to an executor or a thread, `traceparent` to another process.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token, copy_context
from typing import Any, Final, ParamSpec, Self, TypeVar, cast

from raindrop_logging.plain import plain, text_of

P = ParamSpec("P")
R = TypeVar("R")

Scope = Mapping[str, Any]

_scope: ContextVar[Scope | None] = ContextVar("raindrop_scope", default=None)
current_scope: Final = _scope.get
"""The bound fields of this context, or None; the mapping is never changed once bound."""


class bind:  # noqa: N801 -- used like a function: `with bind(user_id=...)`, `@bind(user_id=...)`
    """Bind fields for the code inside; a record's own fields win over them, an inner `bind` over an outer one.

    A context manager (``with`` and ``async with``) and a decorator of functions and coroutine functions.

    Args:
        user_id: whose request it is. This and the next three are texts; anything else is bound as its text.
        convo_id: the conversation.
        event_id: the event that the records inside are about.
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
        self._fields = fields | _continued(traceparent)
        self._properties = plain(properties) if properties else None
        self._tokens: list[Token[Scope | None]] = []

    def __enter__(self) -> Self:
        outer = _scope.get() or {}
        bound = {**outer, **self._fields}
        if self._properties is not None:
            bound["properties"] = _merged(outer.get("properties", {}), self._properties)
        self._tokens.append(_scope.set(bound))
        return self

    def __exit__(self, *_: object) -> None:
        _scope.reset(self._tokens.pop())

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
        other._fields, other._properties = self._fields, self._properties
        return other


def _merged(outer: Any, inner: Any) -> Any:
    """Properties key by key; what is no dict is kept as it is, for the record to be refused by name."""
    return {**outer, **inner} if isinstance(outer, dict) and isinstance(inner, dict) else inner


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
    """The W3C header that continues the bound trace in another process; None where no trace is bound."""
    scope = _scope.get() or {}
    trace_id, span_id = scope.get("trace_id"), scope.get("span_id")
    return f"00-{trace_id}-{span_id}-01" if trace_id and span_id else None
