"""ASGI servers: deliver when the application has shut down, before the server lets its process die.

    app = Starlette(routes=...)
    app.add_middleware(deliver_at_shutdown)             # Starlette, FastAPI
    application = deliver_at_shutdown(application)      # any other

uvicorn, and each of its ``--workers``, ends by the signal that stopped it, raised again: nothing of Python's own end
runs then. The last that an application hears before is `lifespan.shutdown`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from raindrop_logging.handler import shutdown

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]

_ENDS = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed"})


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
        except Exception:
            if self._is_known:
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
