"""Django: bind each request for what is logged while it is answered, under WSGI and ASGI, with its user and its route.

    MIDDLEWARE = [..., "raindrop_logging.contrib.django.RaindropMiddleware"]
    RAINDROP_BIND = {"convo_header": "X-Conversation-Id"}      # or nothing

The user is the one whom Django, or a framework on it, has authenticated: the primary key of `request.user`, once the
application has looked at it (`login_required`, a permission, `request.user.pk`, `await request.auser()`), and never
before: looking costs queries, and a response that varies by its cookie.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

from raindrop_logging.contrib.binding import Answer, Binding, present
from raindrop_logging.contrib.wsgi import Body
from raindrop_logging.errors import RaindropLoggingError, SettingsError, did_you_mean

try:
    from asgiref.sync import iscoroutinefunction, markcoroutinefunction
    from django import conf  # pyright: ignore[reportMissingTypeStubs]
    from django.utils.module_loading import import_string  # pyright: ignore[reportMissingTypeStubs]
except ModuleNotFoundError as error:
    raise RaindropLoggingError("raindrop_logging.contrib.django needs Django: pip install django") from error

_Request = Any  # Django's HttpRequest and HttpResponseBase, which come without types
_Response = Any

FUNCTIONS: Final = ("user", "convo", "properties")
"""Keys of RAINDROP_BIND that are functions of the request, or their dotted names."""

HEADERS: Final = ("user_header", "convo_header", "request_id_header")


class RaindropMiddleware:
    """Django's middleware, sync and async; each request is bound to the end of its body, where that is streamed.

    Anywhere in MIDDLEWARE; what stands before it logs unbound. Bound are the user, as the module says, the properties
    ``method`` and ``route``, such as ``orders/<int:pk>/``, and what RAINDROP_BIND asks for; `raindrop_logging.rebind`
    says what is known only later.

    RAINDROP_BIND may have the keys ``user``, ``convo`` and ``properties``: functions of the request, or their dotted
    names, called when it begins; ``user_header``, ``convo_header`` and ``request_id_header``: names of headers, which
    only a gateway in front of the service makes worth believing; ``trust_traceparent``: continue the trace that the
    header ``traceparent`` names. With ``user`` (None too) or ``user_header`` the authenticated user is not asked.

    Raises:
        SettingsError: RAINDROP_BIND cannot work; when Django starts.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[_Request], Any]) -> None:
        self._get_response = get_response
        self._binding = _binding(getattr(conf.settings, "RAINDROP_BIND", {}))
        self._is_async: bool = iscoroutinefunction(get_response)  # pyright: ignore[reportDeprecated] -- from 3.14 on
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: _Request) -> Any:
        """Answer one request; under ASGI, in a coroutine."""
        answer = self._binding.answer(request)
        if self._is_async:
            return self._answered(answer, self._get_response(request))
        with answer.step():
            response = self._get_response(request)
        return _bound(response, answer)

    async def _answered(self, answer: Answer, response: Awaitable[_Response]) -> _Response:
        with answer.step():
            got = await response
        return _bound(got, answer)


def _bound(response: _Response, answer: Answer) -> _Response:
    """The response, its body's parts made in the request; a file is left to the server."""
    if not response.streaming or getattr(response, "file_to_stream", None) is not None:
        answer.end()
    elif response.is_async:
        response.streaming_content = _parts(response.streaming_content, answer)
    else:
        parts = response.streaming_content
        response.streaming_content = Body(parts, iter(parts), answer)
    return response


async def _parts(parts: AsyncGenerator[Any], answer: Answer) -> AsyncGenerator[Any]:
    try:
        async with aclosing(parts):
            while True:
                with answer.step():
                    try:
                        part = await anext(parts)
                    except StopAsyncIteration:
                        return
                yield part
    finally:
        answer.end()


def _binding(told: Any) -> Binding[_Request]:
    """As RAINDROP_BIND says it."""
    known = {*FUNCTIONS, *HEADERS, "trust_traceparent"}
    if not isinstance(told, Mapping):
        raise SettingsError(f"RAINDROP_BIND is {told!r}: it must be a dict")
    for key in told:
        if key not in known:
            raise SettingsError(f"RAINDROP_BIND has an unknown key {key!r}{did_you_mean(key, known)}")
    return Binding[Any](
        _header,
        _seen if {"user", "user_header"} & told.keys() else _seen_with_user,
        **{key: _function(key, told.get(key)) for key in FUNCTIONS},
        **{key: told.get(key) for key in HEADERS},
        trust_traceparent=told.get("trust_traceparent", False),
    )


def _function(key: str, told: Any) -> Any:
    if not isinstance(told, str):
        return told
    try:
        return import_string(told)
    except ImportError as error:
        raise SettingsError(f"RAINDROP_BIND: {key!r} is {told!r}, which cannot be imported: {error}") from error


def _header(request: _Request, name: str) -> str | None:
    value: str | None = request.headers.get(name)
    return value


def _seen(request: _Request) -> dict[str, Any]:
    return present(method=request.method, route=getattr(request.resolver_match, "route", None))


def _seen_with_user(request: _Request) -> dict[str, Any]:
    seen, user = _seen(request), _user_id(request)
    return seen if user is None else {**seen, "user_id": user}


def _user_id(request: _Request) -> str | None:
    """The authenticated user's primary key, as far as it has been loaded: a lazy user is not asked to load."""
    user = getattr(request, "user", None)
    loaded = getattr(user, "_wrapped", user)  # what Django's lazy object stands for; without a key until it is loaded
    key = getattr(loaded, "pk", None)
    if key is None:
        key = getattr(getattr(request, "_acached_user", None), "pk", None)  # where `await request.auser()` keeps it
    return None if key is None else str(key)
