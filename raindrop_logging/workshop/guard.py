"""The door: who may ask, and what a browser may do with the answer.

In: every request.  Out: the same request, or a 403.  Touches: response headers.
The Workshop holds private conversations and has no log-in. It listens on loopback only; a web page on the internet
could still reach it through the visitor's browser, by naming it (DNS rebinding) or by posting to it. So the Host must
be a local name, and an Origin must be the Workshop's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from raindrop_logging.wire import JSON

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_HOST: Final = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?", re.IGNORECASE)

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class LocalOnly:
    """ASGI middleware that lets only this machine's own requests pass."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        problem = _problem(Headers(scope=scope))
        app = _refusal(problem) if problem else self._app

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        await app(scope, receive, send_guarded)


def _problem(headers: Headers) -> str | None:
    host, origin = headers.get("host", ""), headers.get("origin")
    if not LOCAL_HOST.fullmatch(host):
        return f"Host {host[:100]!r} is not this machine: use 127.0.0.1 or localhost"
    if origin is not None and origin.lower() != f"http://{host.lower()}":
        return f"Origin {origin[:100]!r} may not talk to the Workshop"
    return None


def _refusal(message: str) -> ASGIApp:
    body = msgspec.json.encode({"error": "forbidden", "message": message, "field": None})
    return Response(body, status_code=403, media_type=JSON)
