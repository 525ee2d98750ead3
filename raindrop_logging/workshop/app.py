"""The Workshop as one ASGI application: the only module that knows all its parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from raindrop_logging.workshop.api import openapi
from raindrop_logging.workshop.api.events import Events
from raindrop_logging.workshop.api.health import HealthCheck
from raindrop_logging.workshop.api.lists import Lists
from raindrop_logging.workshop.api.responses import answer
from raindrop_logging.workshop.api.saved_filters import SavedFilters
from raindrop_logging.workshop.api.search import Search
from raindrop_logging.workshop.api.signals import Signals, refusal
from raindrop_logging.workshop.api.streams import Streams
from raindrop_logging.workshop.guard import LocalOnly
from raindrop_logging.workshop.limits import DEFAULT, Intake
from raindrop_logging.workshop.pages.pages import Pages
from raindrop_logging.workshop.receiving.receiver import Receiver
from raindrop_logging.workshop.refusals import QuestionError, Refused, RefusedError, invalid
from raindrop_logging.workshop.route_table import Row, routes
from raindrop_logging.workshop.signals.rules import SignalError
from raindrop_logging.workshop.store import Store, StoreError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.live import LiveFeed

UNREAD: Final = frozenset({408, 413})
"""What is answered while the body may still be coming: nothing else can be asked on that connection."""

NOT_FOUND: Final = 404
HTTP_ERRORS: Final = {NOT_FOUND: "not_found", 405: "method_not_allowed"}


def build(store: Store, feed: LiveFeed, intake: Intake = DEFAULT) -> Starlette:
    """Routes, guard and error answers over this store."""
    own_version = version("raindrop-logging")
    pages = Pages(store, own_version)
    return Starlette(
        routes=[*routes(described(store, feed, intake, own_version)), *pages.routes()],
        middleware=[Middleware(LocalOnly)],
        exception_handlers={
            RefusedError: _answering(_refused),
            QuestionError: _answering(lambda error: _refused(invalid(error.field, str(error)))),
            SignalError: _answering(lambda error: _refused(refusal(error))),
            StoreError: _answering(_not_stored),
            HTTPException: _answering_http(pages),
        },
    )


def described(store: Store, feed: LiveFeed, intake: Intake, own_version: str) -> list[Row]:
    """Every route but the pages, and the document that describes them: a part of the Workshop adds its rows here."""
    receiver = Receiver(store, feed, intake)
    rows = [
        *receiver.rows(),
        *Lists(store).rows(),
        *SavedFilters(store, intake).rows(),
        *Search(store).rows(),
        *Signals(store, intake).rows(),
        *HealthCheck(store, receiver, own_version).rows(),
        *Events(store).rows(),
        *Streams(store, feed).rows(),
    ]
    return [*rows, openapi.row(rows, own_version)]


def _answering(said: Callable[[Any], Response]) -> Callable[[Request, Exception], Awaitable[Response]]:
    """An error's answer as Starlette calls it."""

    async def handler(request: Request, error: Exception) -> Response:
        del request
        return said(error)

    return handler


def _answering_http(pages: Pages) -> Callable[[Request, Exception], Awaitable[Response]]:
    """As JSON; what a reader's browser asked for in vain as a page."""

    async def handler(request: Request, error: Any) -> Response:
        if (
            error.status_code == NOT_FOUND
            and request.method == "GET"
            and "text/html" in request.headers.get("accept", "")
        ):
            return pages.missing(request.url.path)
        return _http_error(error)

    return handler


def _refused(error: RefusedError) -> Response:
    said = Refused(error=error.error, message=error.message, field=error.field, **error.more)
    response = answer(said, error.status)
    if error.status in UNREAD:
        response.headers["Connection"] = "close"
    return response


def _not_stored(error: StoreError) -> Response:
    return _refused(RefusedError(503, "unavailable", str(error)))


def _http_error(error: HTTPException) -> Response:
    response = _refused(RefusedError(error.status_code, HTTP_ERRORS.get(error.status_code, "refused"), error.detail))
    response.headers.update(error.headers or {})
    return response
