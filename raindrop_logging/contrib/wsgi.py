"""WSGI: bind each request for what is logged while it is answered.

    app.wsgi_app = RaindropMiddleware(app.wsgi_app, user_header="X-User-Id")    # Flask
    application = RaindropMiddleware(application, ...)                          # any other

For Django, `raindrop_logging.contrib.django` knows the user and the route too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from raindrop_logging.contrib.binding import Answer, Binding, present

_Environ = dict[str, Any]
_App = Callable[[_Environ, Callable[..., Any]], Iterable[bytes]]


class RaindropMiddleware:
    """An application that does what ``app`` does, with each request bound until the server closes its response.

    The response's body too, which a generator makes while the server sends it. `raindrop_logging.rebind` says what is
    known only later. Whatever leaves the application goes on up.

    Bound without being asked for are the properties ``method`` and ``route``, such as ``/orders/<int:id>``, where the
    application says it (Flask). Of what the client says nothing is believed but what is named here; name a header only
    where a gateway in front of the service sets or removes it, and both of its spellings: to WSGI, ``X-User-Id`` and
    ``X_User_Id`` are one, unless the server drops the second.

    Args:
        app: the application.
        user, convo: functions of the environ, called when the request begins, that say whose it is and of which
            conversation; None for not known. One that raises binds nothing.
        user_header, convo_header: names of headers that say so, instead.
        request_id_header: name of the header that becomes the property ``request_id``.
        properties: function of the environ that says more properties.
        trust_traceparent: continue the trace that the header ``traceparent`` names.

    Raises:
        SettingsError: an argument that cannot work.
    """

    def __init__(
        self,
        app: _App,
        *,
        user: Callable[[_Environ], object] | None = None,
        convo: Callable[[_Environ], object] | None = None,
        user_header: str | None = None,
        convo_header: str | None = None,
        request_id_header: str | None = None,
        properties: Callable[[_Environ], Mapping[str, Any] | None] | None = None,
        trust_traceparent: bool = False,
    ) -> None:
        self._app = app
        self._binding = Binding[_Environ](
            _header,
            _seen,
            user=user,
            convo=convo,
            user_header=user_header,
            convo_header=convo_header,
            request_id_header=request_id_header,
            properties=properties,
            trust_traceparent=trust_traceparent,
        )

    def __call__(self, environ: _Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        answer = self._binding.answer(environ)
        try:
            with answer.step():
                body = self._app(environ, start_response)
                parts = None if _is_done(body, environ) else iter(body)
        except BaseException:
            answer.end()
            raise
        if parts is None:
            answer.end()
            return body
        return Body(body, parts, answer)


def _is_done(body: Iterable[bytes], environ: _Environ) -> bool:
    """Whether nothing of the application's runs while it is sent: then the server gets it as it is, and can see that.

    A list has a length, from which servers know that of the body; a file they send by themselves.
    """
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(body, list | tuple | bytes) or (isinstance(wrapper, type) and isinstance(body, wrapper))


class Body(Iterator[Any]):
    """A body that is made while it is sent: each part in the request that it answers.

    Args:
        body: what the application has returned; closed with this one, if it can be.
        parts: its iterator.
        answer: the request, which ends when this is closed.
    """

    def __init__(self, body: object, parts: Iterator[Any], answer: Answer) -> None:
        self._body = body
        self._parts = parts
        self._answer = answer

    def __next__(self) -> Any:
        with self._answer.step():
            return next(self._parts)

    def close(self) -> None:
        """What PEP 3333 asks a server to call, however the request has ended."""
        close = getattr(self._body, "close", None)
        try:
            if close is not None:
                with self._answer.step():
                    close()
        finally:
            self._answer.end()


def _header(environ: _Environ, name: str) -> str | None:
    return environ.get(f"HTTP_{name.upper().replace('-', '_')}")


def _seen(environ: _Environ) -> Mapping[str, Any]:
    request = environ.get("werkzeug.request")  # of Flask, which leaves it there
    route = getattr(getattr(request, "url_rule", None), "rule", None)
    return present(method=environ.get("REQUEST_METHOD"), route=route)
