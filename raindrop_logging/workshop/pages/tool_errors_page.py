"""Tool calls that failed: which tools, how often, and the newest of them with their events.

In: GET requests with a filter and a cursor.  Out: HTML.  Touches: the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from raindrop_logging.workshop import chat, times
from raindrop_logging.workshop.pages.filter_bar import ListPart
from raindrop_logging.workshop.pages.text import address, anchor, trace_address

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.answers import FailingTool, ToolError
    from raindrop_logging.workshop.pages.frame import Frame
    from raindrop_logging.workshop.pages.list_address import Asked
    from raindrop_logging.workshop.store import Store

LIST_SIZE: Final = 50
TOOLS: Final = 12
ERROR_CHARS: Final = 600


class ToolErrorsPage:
    """`/tool-errors`."""

    def __init__(self, store: Store, frame: Frame) -> None:
        self._store = store
        self._list = ListPart(store, frame, "/tool-errors")

    def routes(self) -> list[Route]:
        """GET only."""
        return [Route("/tool-errors", self._errors)]

    async def _errors(self, request: Request) -> Response:
        query = tuple(request.query_params.multi_items())
        return await run_in_threadpool(self._list.answered, query, "tool_errors.html", self._found)

    def _found(self, asked: Asked) -> dict[str, Any]:
        found = self._store.tool_errors(LIST_SIZE, asked.cursor, asked.where)
        tools = () if asked.cursor else self._store.failing_tools(asked.where, TOOLS)
        return {
            "rows": [_row(error) for error in found.items],
            "older": asked.beyond(found.next_cursor),
            "tools": [failing(tool, asked) for tool in tools],
        }


def failing(tool: FailingTool, asked: Asked) -> dict[str, Any]:
    """A tool that fails, as the macro `failing_tools` shows it; its address adds it to the filter."""
    pair = ("tool", tool.tool)
    return {
        "tool": tool,
        "rate": tool.errors / tool.calls if tool.calls else None,
        "address": asked.here if pair in asked.pairs else asked.added(pair),
    }


def _row(error: ToolError) -> dict[str, Any]:
    span, event = error.span, error.event
    within = address(event.event_id) if event else trace_address(span.trace_id)
    return {
        "span": span,
        "event": event,
        "seconds": times.seconds_between(span.start_time, span.end_time),
        "said": (span.error or "")[:ERROR_CHARS],
        "input": (chat.gist(event.input or "", "user") if event else "")[:ERROR_CHARS],
        "address": f"{within}#{anchor(span)}",
    }
