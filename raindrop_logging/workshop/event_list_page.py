"""The list of events, newest first, which grows while it is open.

In: GET requests with a filter and a cursor.  Out: HTML.  Touches: the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from raindrop_logging.workshop import chat, event_filter
from raindrop_logging.workshop.records import Event
from raindrop_logging.workshop.store import Store, Summary

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.page_frame import Frame

PAGE_SIZE: Final = 50
PREVIEW_CHARS: Final = 300

BLANK: Final = Summary(event=Event(event_id=""))
"""What the row is made of that a script fills when an event arrives."""

Pairs = tuple[tuple[str, str], ...]


class EventListPage:
    """`/events`, and `/` as long as there is no other first page."""

    def __init__(self, store: Store, frame: Frame) -> None:
        self._store = store
        self._frame = frame

    def routes(self) -> list[Route]:
        """GET only."""
        return [Route("/", self._list), Route("/events", self._list)]

    async def _list(self, request: Request) -> Response:
        pairs = tuple(request.query_params.multi_items())
        return await run_in_threadpool(self._page, pairs)

    def _page(self, pairs: Pairs) -> Response:
        cursor = next((value for name, value in pairs if name == "cursor"), None)
        try:
            where = event_filter.parse((name, value) for name, value in pairs if name != "cursor")
            page = self._store.events(PAGE_SIZE, cursor, where)
        except ValueError as error:
            return self._frame.missing(f"This page of the list does not exist: {error}.")
        kept = where.query()
        return self._frame.page(
            "list.html",
            rows=[row(summary) for summary in page.summaries],
            blank=row(BLANK),
            counts=msgspec.structs.asdict(self._store.counts()),
            chips=[chip(pair, kept) for pair in kept],
            newest=None if cursor is None else with_query(kept),
            older=with_query((*kept, ("cursor", page.next_cursor))) if page.next_cursor else None,
        )


def row(summary: Summary) -> dict[str, Any]:
    """What the macro `event_row` shows of an event; long texts are cut."""
    event = summary.event
    return {
        "event": event,
        "input": chat.gist(event.input or "", "user")[:PREVIEW_CHARS],
        "output": chat.gist(event.output or "", "assistant")[:PREVIEW_CHARS],
        "counts": msgspec.structs.asdict(summary),
    }


def chip(pair: tuple[str, str], kept: Pairs) -> dict[str, str]:
    """What the macro `filter_chip` shows of one condition: its words, and the address without it."""
    name, value = pair
    return {"name": name, "value": value, "without": with_query(tuple(other for other in kept if other != pair))}


def with_query(pairs: Pairs) -> str:
    """The address of the list with this filter."""
    return f"/events?{urlencode(pairs)}" if pairs else "/events"
