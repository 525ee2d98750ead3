"""What the middlewares bind of a request, and for how long; asgi, wsgi and django say how theirs is read.

Whatever a client sends it may have made up. So no header is believed unless the service names it, and none is worth
naming but where something in front of the service, such as its gateway, sets or removes it. What is bound without
being asked for is no claim of the client's: the method, and the route as the application spells it, never the path.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

from raindrop_logging.context import Request, bind, enter, here, leave
from raindrop_logging.errors import SettingsError
from raindrop_logging.plain import text_of
from raindrop_logging.record import tell_aside

R = TypeVar("R")

_NOTHING: Final[Mapping[str, Any]] = {}

LONGEST: Final = 1_024
"""Characters of a header that is taken as an id; a longer one is none."""

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Answer:
    """One request while it is answered, in one step or, where its body is made while it is sent, in many."""

    __slots__ = ("_request", "_scope")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._scope = request.scope

    @contextmanager
    def step(self) -> Generator[None]:
        """Code of the application's runs in the block; what it has bound or begun there holds in its next step too."""
        token = enter(self._scope)
        try:
            yield
        finally:
            self._scope = here()
            leave(token)

    def end(self) -> None:
        """It is answered: nothing of the server's is kept alive by contexts that outlive it."""
        self._request.settle()


class Binding(Generic[R]):
    """What to bind of every request of one kind.

    Args:
        header: the value of a header, by its name; None where the request has none.
        look: what is to be seen of a request by now, without being asked for; see `context.Request`.
        user, convo: say whose request it is, and of which conversation, when it begins; None where that is not known.
        user_header, convo_header, request_id_header: names of headers that say so. A request id is a property.
        properties: says more properties, when the request begins.
        trust_traceparent: continue the trace that the header `traceparent` names.

    Raises:
        SettingsError: two ways to say one thing, what is no name of a header, what cannot be called, or is a coroutine
            function.
    """

    def __init__(
        self,
        header: Callable[[R, str], str | None],
        look: Callable[[R], Mapping[str, Any]],
        *,
        user: Callable[[R], object] | None,
        convo: Callable[[R], object] | None,
        user_header: str | None,
        convo_header: str | None,
        request_id_header: str | None,
        properties: Callable[[R], Mapping[str, Any] | None] | None,
        trust_traceparent: bool,
    ) -> None:
        self._header = header
        self._look = look
        self._ids = {
            "user_id": self._source("user", user, user_header),
            "convo_id": self._source("convo", convo, convo_header),
            "traceparent": self._source("traceparent", None, "traceparent" if trust_traceparent else None),
        }
        self._properties = self._source("properties", properties, None)
        self._request_id = self._source("request_id", None, request_id_header)

    def answer(self, request: R) -> Answer:
        """A request that begins here and now."""
        ids = {key: _asked(key, source, request) for key, source in self._ids.items()}
        request_id = _asked("request_id", self._request_id, request)
        began = bind(**ids, properties=_asked("properties", self._properties, request)).inside(here())
        if request_id is not None:
            began = bind(properties={"request_id": request_id}).inside(began)

        def look() -> Mapping[str, Any]:
            seen: Mapping[str, Any] | None = _asked("request", self._look, request)
            return _NOTHING if seen is None else seen

        return Answer(Request(began, look))

    def _source(self, key: str, ask: Any, header: Any) -> Callable[[R], Any]:
        if ask is not None and header is not None:
            raise SettingsError(f"'{key}' and '{key}_header' both say what to bind: give one of them")
        if header is not None:
            if not isinstance(header, str) or not _NAME.fullmatch(header):
                raise SettingsError(f"'{key}_header' is {header!r}: it must be the name of a header")
            return lambda request: _id(self._header(request, header))
        if ask is None:
            return lambda _: None
        if not callable(ask) or inspect.iscoroutinefunction(ask):
            raise SettingsError(f"'{key}' is {ask!r}: it must be a function, and not a coroutine function")
        source: Callable[[R], Any] = ask
        return source


def _id(text: str | None) -> str | None:
    """A header's value where it may be an id."""
    text = text.strip() if text is not None else ""
    return text if 0 < len(text) <= LONGEST else None


def _asked(key: str, ask: Callable[[R], Any], request: R) -> Any:
    """What a function says of a request; nothing, which the operator hears of once, where it raises."""
    try:
        said = ask(request)
    except Exception as error:  # noqa: BLE001 -- the application's own, and no request fails for what is logged of it
        line = f"{key!r} is not bound: what should say it raised {type(error).__name__}: {text_of(error, str)}"
        tell_aside(f"bind {key}", line)
        return None
    return None if isinstance(said, str) and not said else said


def present(**properties: object) -> dict[str, Any]:
    """Those that are known, as the properties of a request."""
    return {"properties": {key: value for key, value in properties.items() if value is not None}}
