"""Traces: those that no event owns as a list, and any one as a trajectory.

In: GET requests.  Out: HTML.  Touches: the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from raindrop_logging.workshop import times
from raindrop_logging.workshop.pages import usage
from raindrop_logging.workshop.pages.filter_bar import ListPart
from raindrop_logging.workshop.pages.text import anchor
from raindrop_logging.workshop.span_tree import grow, ticks

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.pages.frame import Frame
    from raindrop_logging.workshop.pages.list_address import Asked
    from raindrop_logging.workshop.records import Span
    from raindrop_logging.workshop.store import Store

LIST_SIZE: Final = 50
ASKED: Final = frozenset({"tool", "since", "until", "error"})
"""All that a trace without an event can be asked for."""


class TracePages:
    """`/traces` and `/traces/{id}`."""

    def __init__(self, store: Store, frame: Frame) -> None:
        self._store = store
        self._frame = frame
        self._list = ListPart(store, frame, "/traces", ASKED, counted=False)

    def routes(self) -> list[Route]:
        """GET only."""
        return [Route("/traces", self._traces), Route("/traces/{trace_id:path}", self._trace)]

    async def _traces(self, request: Request) -> Response:
        query = tuple(request.query_params.multi_items())
        return await run_in_threadpool(self._list.answered, query, "traces.html", self._found)

    async def _trace(self, request: Request) -> Response:
        return await run_in_threadpool(self._page, request.path_params["trace_id"])

    def _found(self, asked: Asked) -> dict[str, Any]:
        found = self._store.traces(LIST_SIZE, asked.cursor, asked.where)
        rows = [
            {"trace": trace, "seconds": times.seconds_between(trace.first_at, trace.last_at)} for trace in found.items
        ]
        return {"rows": rows, "older": asked.beyond(found.next_cursor)}

    def _page(self, trace_id: str) -> Response:
        spans = self._store.trace(trace_id.lower())
        if not spans:
            return self._frame.missing(f"No span of the trace {trace_id!r} has arrived (yet).")
        ids = dict.fromkeys(span.event_id for span in spans if span.event_id)
        story = self._store.event(trace_id)
        if story is not None:
            ids[story.event.event_id] = None
        events = self._store.summaries(tuple(ids))
        return self._frame.page("trace.html", trace_id=trace_id, events=events, told=told(spans))


def told(spans: tuple[Span, ...]) -> dict[str, Any]:
    """What the macros in `spans.html` show of spans."""
    branches = grow(spans)
    begin = min((span.start_time for span in spans if span.start_time), default=None)
    end = max((span.end_time for span in spans if span.end_time), default=None)
    return {
        "branches": branches,
        "ticks": ticks(branches),
        "usages": {anchor(span): said for span in spans if (said := usage.said(span.attributes))},
        "usage": usage.total(spans, {}),
        "seconds": times.seconds_between(begin, end),
        "begin": begin,
        "failures": sum(span.status == "error" for span in spans),
        "services": sorted({str(name) for span in spans if (name := span.resource.get("service.name"))}),
    }
