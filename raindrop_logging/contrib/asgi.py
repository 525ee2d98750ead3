"""ASGI: bind each request for what is logged while it is answered, and deliver when the application has shut down.

    app.add_middleware(RaindropMiddleware, user_header="X-User-Id")             # Starlette, FastAPI
    app.add_middleware(deliver_at_shutdown)
    application = deliver_at_shutdown(RaindropMiddleware(application, ...))     # any other

uvicorn, and each of its ``--workers``, ends by the signal that stopped it, raised again: nothing of Python's own end
runs then. The last that an application hears before is `lifespan.shutdown`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from raindrop_logging.contrib.binding import Binding, present
from raindrop_logging.handler import shutdown

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]

_ENDS: Final = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed"})
_REQUESTS: Final = frozenset({"http", "websocket"})


class RaindropMiddleware:
    """An application that does what ``app`` does, with each request and each WebSocket bound for as long as it lasts.

    To the end of its body, where that is streamed, and of its background tasks; in tasks and threads that it starts
    too, as far as these copy their context. `raindrop_logging.rebind` says what is known only later. Whatever leaves
    the application goes on up.

    Bound without being asked for are the properties ``method`` and ``route``, such as ``/orders/{id}``, where the
    router says it (FastAPI, Starlette 1). Of what the client says nothing is believed but what is named here; name a
    header only where a gateway in front of the service sets or removes it.

    Args:
        app: the application.
        user, convo: functions of the ASGI scope, called when the request begins, that say whose it is and of which
            conversation; None for not known. One that raises binds nothing.
        user_header, convo_header: names of headers that say so, instead. One that comes twice is joined by a comma.
        request_id_header: name of the header that becomes the property ``request_id``.
        properties: function of the ASGI scope that says more properties.
        trust_traceparent: continue the trace that the header ``traceparent`` names.

    Raises:
        SettingsError: an argument that cannot work. Starlette makes its middlewares with the first request.
    """

    def __init__(
        self,
        app: _App,
        *,
        user: Callable[[_Message], object] | None = None,
        convo: Callable[[_Message], object] | None = None,
        user_header: str | None = None,
        convo_header: str | None = None,
        request_id_header: str | None = None,
        properties: Callable[[_Message], Mapping[str, Any] | None] | None = None,
        trust_traceparent: bool = False,
    ) -> None:
        self._app = app
        self._binding = Binding[_Message](
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

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Answer one request, or live through one lifespan."""
        if scope["type"] not in _REQUESTS:
            await self._app(scope, receive, send)
            return
        answer = self._binding.answer(scope)
        try:
            with answer.step():
                await self._app(scope, receive, send)
        finally:
            answer.end()


def _header(scope: _Message, name: str) -> str | None:
    wanted = name.lower().encode("ascii")
    values = [value for key, value in scope["headers"] if key.lower() == wanted]
    return b",".join(values).decode("latin-1") if values else None


def _seen(scope: _Message) -> Mapping[str, Any]:
    return present(method=scope.get("method"), route=getattr(scope.get("route"), "path", None))


def deliver_at_shutdown(app: _App) -> _App:
    """An application that does what ``app`` does, and delivers what was logged when it has shut down.

    All of it, what it logs while it shuts down too, within the handlers' `shutdown_timeout`; the event loop stands
    still for that time, in which nobody is served any more. An application that knows no lifespan gets one. The server
    has to speak ASGI 3 and to have the lifespan protocol on, which is uvicorn's default.
    """

    async def delivering(scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "lifespan":
            await _Lifespan(receive, send).of(app, scope)
        else:
            await app(scope, receive, send)

    return delivering


class _Lifespan:
    """One run of the lifespan protocol between a server and an application, seen from between them."""

    def __init__(self, receive: _Receive, send: _Send) -> None:
        self._receive = receive
        self._send = send
        self._is_known = False

    async def of(self, app: _App, scope: _Message) -> None:
        """Have the application live through it; one that ends without having asked for a message does not know it."""
        try:
            await app(scope, self._received, self._sent)
        except BaseException as error:
            if self._is_known:
                shutdown()  # what the server does with it is to end
            if self._is_known or not isinstance(error, Exception):
                raise
        if not self._is_known:
            await self._instead()

    async def _received(self) -> _Message:
        self._is_known = True
        return await self._receive()

    async def _sent(self, message: _Message) -> None:
        if message["type"] in _ENDS:
            shutdown()
        await self._send(message)

    async def _instead(self) -> None:
        for phase in ("startup", "shutdown"):
            await self._receive()
            await self._sent({"type": f"lifespan.{phase}.complete"})
