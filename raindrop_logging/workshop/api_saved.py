"""The JSON API's saved filters: list, save, delete.

In: GET, PUT and DELETE requests.  Out: JSON.  Touches: the store.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import parse_qsl

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from raindrop_logging.workshop import body as bodies
from raindrop_logging.workshop.answers import SavedFilter
from raindrop_logging.workshop.api import answer
from raindrop_logging.workshop.event_filter import parse
from raindrop_logging.workshop.payloads import locate
from raindrop_logging.workshop.refusals import RefusedError, invalid

if TYPE_CHECKING:
    from starlette.requests import Request

    from raindrop_logging.workshop.store import Store

MAX_NAME_CHARS: Final = 100
MAX_QUERY_CHARS: Final = 4_000


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    query: Annotated[str, msgspec.Meta(max_length=MAX_QUERY_CHARS)]


class SavedFilters:
    """The routes below `/api/filters`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """All of them."""
        path = "/api/filters/{name:path}"
        return [
            Route("/api/filters", self._list),
            Route(path, self._save, methods=["PUT"]),
            Route(path, self._delete, methods=["DELETE"]),
        ]

    async def _list(self, request: Request) -> Response:
        del request
        return answer({"filters": await run_in_threadpool(self._store.saved_filters)})

    async def _save(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not 0 < len(name) <= MAX_NAME_CHARS:
            raise invalid("name", f"a name has 1 to {MAX_NAME_CHARS} characters, not {len(name)}")
        try:
            said = msgspec.convert(bodies.decoded(await bodies.received(request)), _Body)
        except msgspec.ValidationError as error:
            raise locate(error) from None
        try:
            parse(parse_qsl(said.query, keep_blank_values=True, strict_parsing=bool(said.query)))
        except ValueError as error:
            raise invalid("query", str(error)) from None
        await asyncio.wrap_future(self._store.save_filter(SavedFilter(name=name, query=said.query)))
        return answer({"name": name, "query": said.query})

    async def _delete(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not await asyncio.wrap_future(self._store.delete_filter(name)):
            raise RefusedError(404, "not_found", f"no filter is saved as {name!r}")
        return Response(status_code=204)
