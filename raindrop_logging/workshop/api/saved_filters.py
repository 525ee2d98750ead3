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

from raindrop_logging.workshop.answers import SavedFilter
from raindrop_logging.workshop.api.responses import answer
from raindrop_logging.workshop.api.schemas.filters import FilterList, ToldFilter
from raindrop_logging.workshop.event_filter import parse
from raindrop_logging.workshop.receiving import body as bodies
from raindrop_logging.workshop.refusals import RefusedError, converted, invalid
from raindrop_logging.workshop.route_table import Row

if TYPE_CHECKING:
    from starlette.requests import Request

    from raindrop_logging.workshop.limits import Intake
    from raindrop_logging.workshop.store import Store

MAX_NAME_CHARS: Final = 100
MAX_QUERY_CHARS: Final = 4_000


class FilterBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a filter is saved from: its conditions, as in an address."""

    query: Annotated[str, msgspec.Meta(max_length=MAX_QUERY_CHARS)]


class SavedFilters:
    """The routes below `/api/filters`."""

    def __init__(self, store: Store, intake: Intake) -> None:
        self._store = store
        self._intake = intake

    def rows(self) -> list[Row]:
        """All of them."""
        path = "/api/filters/{name:path}"
        return [
            Row(
                method="GET", path="/api/filters", name="list_filters", endpoint=self._list, answer=FilterList,
                refusals=(503,), says="The saved filters, by name.",
            ),
            Row(
                method="PUT", path=path, name="save_filter", endpoint=self._save, body=FilterBody, answer=ToldFilter,
                refusals=(400, 503), says="Keep a filter under a name, in place of one of the same name.",
            ),
            Row(
                method="DELETE", path=path, name="delete_filter", endpoint=self._delete, status=204,
                refusals=(404, 503), says="Forget a saved filter.",
            ),
        ]  # fmt: skip

    async def _list(self, request: Request) -> Response:
        del request
        return answer(FilterList(filters=list(await run_in_threadpool(self._store.saved_filters))))

    async def _save(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not 0 < len(name) <= MAX_NAME_CHARS:
            raise invalid("name", f"a name has 1 to {MAX_NAME_CHARS} characters, not {len(name)}")
        sent = await bodies.received(request, self._intake.max_body, self._intake.request_seconds)
        said = converted(bodies.decoded(sent), FilterBody)
        try:
            parse(parse_qsl(said.query, keep_blank_values=True, strict_parsing=bool(said.query)))
        except ValueError as error:
            raise invalid("query", str(error)) from None
        await asyncio.wrap_future(self._store.save_filter(SavedFilter(name=name, query=said.query)))
        return answer(ToldFilter(name=name, query=said.query))

    async def _delete(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not await asyncio.wrap_future(self._store.delete_filter(name)):
            raise RefusedError(404, "not_found", f"no filter is saved as {name!r}")
        return Response(status_code=204)
