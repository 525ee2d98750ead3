"""The list of events, newest first, which grows while it is open.

In: GET requests with a filter and a cursor.  Out: HTML.  Touches: the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from raindrop_logging.workshop import chat
from raindrop_logging.workshop.pages.filter_bar import ListPart, chip
from raindrop_logging.workshop.pages.list_address import Asked, Pairs, written
from raindrop_logging.workshop.records import Event
from raindrop_logging.workshop.store import Store, Summary

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.pages.frame import Frame

PAGE_SIZE: Final = 50
PREVIEW_CHARS: Final = 300

BLANK: Final = Summary(event=Event(event_id=""))
"""What the row is made of that a script fills when an event arrives."""

__all__ = ("EventListPage", "chip", "row", "with_query")


class EventListPage:
    """`/events`."""

    def __init__(self, store: Store, frame: Frame) -> None:
        self._store = store
        self._list = ListPart(store, frame, "/events")

    def routes(self) -> list[Route]:
        """GET only."""
        return [Route("/events", self._events)]

    async def _events(self, request: Request) -> Response:
        query = tuple(request.query_params.multi_items())
        return await run_in_threadpool(self._list.answered, query, "list.html", self._found)

    def _found(self, asked: Asked) -> dict[str, Any]:
        page = self._store.events(PAGE_SIZE, asked.cursor, asked.where)
        rows = [row(summary) for summary in page.summaries]
        return {"rows": rows, "older": asked.beyond(page.next_cursor), "blank": row(BLANK)}


def row(summary: Summary) -> dict[str, Any]:
    """What the macro `event_row` shows of an event; long texts are cut."""
    event = summary.event
    return {
        "event": event,
        "input": chat.gist(event.input or "", "user")[:PREVIEW_CHARS],
        "output": chat.gist(event.output or "", "assistant")[:PREVIEW_CHARS],
        "counts": msgspec.structs.asdict(summary),
    }


def with_query(pairs: Pairs) -> str:
    """The address of the list with this filter."""
    return written("/events", pairs)
