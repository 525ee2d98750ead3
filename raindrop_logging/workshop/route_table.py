"""One row for each route: what Starlette serves and what the OpenAPI document says of it.

In: rows.  Out: Starlette's routes.  Touches: nothing.
A part of the Workshop that answers requests has a `rows()`; `app.build` puts them together, and nothing else knows a
path. A row is read by `api.openapi.document`, so a route that is served is described.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from raindrop_logging.wire import JSON

EVENT_STREAM: Final = "text/event-stream"

_CONVERTER: Final = re.compile(r":[a-z]+}")


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A query parameter; `type` is any type that msgspec can describe, `many` when it may be given often."""

    name: str
    says: str
    type: Any = str
    many: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A route.

    `name` is the operation's, unique. `says` is one sentence. `body` and `answer` are types that msgspec can describe;
    an `answer` of None is an empty one. `medias` are the content types that the body may have beside JSON, as bytes.
    `refusals` are the statuses it may answer beside 403, which every route may.
    """

    method: str
    path: str
    name: str
    says: str
    endpoint: Callable[[Request], Awaitable[Response]]
    answer: Any = None
    status: int = 200
    media: str = JSON
    body: Any = None
    medias: tuple[str, ...] = ()
    queries: tuple[Query, ...] = ()
    headers: tuple[Query, ...] = ()
    refusals: tuple[int, ...] = ()

    @property
    def template(self) -> str:
        """The path without Starlette's converters, as OpenAPI writes it."""
        return _CONVERTER.sub("}", self.path)

    def route(self) -> Route:
        """The row as Starlette serves it; GET brings HEAD."""
        return Route(self.path, self.endpoint, methods=[self.method], name=self.name)


def routes(rows: Iterable[Row]) -> list[Route]:
    """In the order of the rows: of two that match, the first answers."""
    return [row.route() for row in rows]
