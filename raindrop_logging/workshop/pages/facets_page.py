"""The facets beside a list: which values the events that pass have, and how many have each.

In: GET requests with a filter and the list it belongs to.  Out: HTML.  Touches: the store.
A page of its own, of which a list's script takes the part it needs: so the list never waits for the counting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from raindrop_logging.workshop.event_filter import PROPERTY
from raindrop_logging.workshop.pages import list_address
from raindrop_logging.workshop.pages.filter_bar import FACETS_PATH, LABELS, OF

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.answers import Facet
    from raindrop_logging.workshop.event_filter import EventFilter
    from raindrop_logging.workshop.pages.frame import Frame
    from raindrop_logging.workshop.pages.list_address import Asked, Pairs
    from raindrop_logging.workshop.store import Store

TOP: Final = 6

LISTS: Final[dict[str, dict[str, Any]]] = {
    "/events": {},
    "/conversations": {},
    "/users": {},
    "/tool-errors": {"error": True},
}
"""The lists that facets lead back to, and what is counted there beside the filter."""


class FacetsPage:
    """`/facets?of=/events&…`."""

    def __init__(self, store: Store, frame: Frame) -> None:
        self._store = store
        self._frame = frame

    def routes(self) -> list[Route]:
        """GET only."""
        return [Route(FACETS_PATH, self._facets)]

    async def _facets(self, request: Request) -> Response:
        return await run_in_threadpool(self._page, tuple(request.query_params.multi_items()))

    def _page(self, query: Pairs) -> Response:
        path = next((value for name, value in query if name == OF), "/events")
        if path not in LISTS:
            return self._frame.missing(f"No list {path[:64]!r} has facets: there are {', '.join(LISTS)}.")
        asked = list_address.read(path, [pair for pair in query if pair[0] != OF])
        found = () if asked.problem else self._store.facets(_counted(asked.where, path), top=TOP)
        return self._frame.page(
            "facets.html",
            status=400 if asked.problem else 200,
            problem=asked.problem,
            back=asked.here,
            facets=[_shown(facet, asked) for facet in found if facet.values],
            counted=max((facet.counted for facet in found if facet.counted is not None), default=None),
        )


def _counted(where: EventFilter, path: str) -> EventFilter:
    return msgspec.structs.replace(where, **LISTS[path])


def _shown(facet: Facet, asked: Asked) -> dict[str, Any]:
    """A facet's values, each with the address that adds it to the filter, or takes it away where it is set."""
    most = max(value.events for value in facet.values)
    return {
        "label": LABELS.get(facet.name, facet.name.removeprefix(PROPERTY)),
        "property": facet.name.startswith(PROPERTY),
        "more": facet.distinct - len(facet.values),
        "counted": facet.counted,
        "found": [
            {
                "value": value.value,
                "events": value.events,
                "share": round(100 * value.events / most, 1),
                "set": (facet.name, value.value) in asked.pairs,
                "address": asked.without((facet.name, value.value))
                if (facet.name, value.value) in asked.pairs
                else asked.added((facet.name, value.value)),
            }
            for value in facet.values
        ],
    }
