"""The search: a box, and the events that hold what was typed, with the hits marked.

In: GET requests with a text, a filter and a cursor.  Out: HTML.  Touches: the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from raindrop_logging.workshop.api.search import asked_of, search_answer
from raindrop_logging.workshop.pages.filter_bar import chip
from raindrop_logging.workshop.pages.list_address import Pairs
from raindrop_logging.workshop.refusals import QuestionError, RefusedError
from raindrop_logging.workshop.search.question import Mode

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.pages.frame import Frame
    from raindrop_logging.workshop.store import Store

OWN: Final = ("q", "mode", "in")
"""What the form itself says; all else in the address is a filter, a limit or a cursor."""

PLACE: Final = ("cursor", "limit")


class SearchPage:
    """`/search`, whose form works without any script."""

    def __init__(self, store: Store, frame: Frame) -> None:
        self._store = store
        self._frame = frame

    def routes(self) -> list[Route]:
        """GET only."""
        return [Route("/search", self._search)]

    async def _search(self, request: Request) -> Response:
        return await run_in_threadpool(self._page, request)

    def _page(self, request: Request) -> Response:
        pairs = tuple(pair for pair in request.query_params.multi_items() if pair[1])
        said = {name: value for name, value in pairs if name in OWN}
        found = None
        problem: QuestionError | RefusedError | None = None
        try:
            asked = asked_of(request)
            found = search_answer(self._store, asked) if asked.text.strip() else None
        except (QuestionError, RefusedError) as error:
            problem = error
        first = tuple(pair for pair in pairs if pair[0] != "cursor")
        kept = tuple(pair for pair in pairs if pair[0] not in (*OWN, *PLACE))
        following = found.next_cursor if found else None
        return self._frame.page(
            "search.html",
            status=400 if problem else 200,
            text=said.get("q", ""),
            mode=said["mode"] if said.get("mode") in get_args(Mode) else "text",
            side=said.get("in", ""),
            kept=kept,
            chips=[{**chip(pair, kept), "without": address(_without(pair, pairs))} for pair in kept],
            unfiltered=address(tuple(pair for pair in pairs if pair[0] in OWN)),
            found=found,
            problem=problem,
            first=address(first) if len(first) < len(pairs) else None,
            more=address((*first, ("cursor", following))) if following else None,
        )


def address(pairs: Pairs) -> str:
    """The address of a search."""
    return f"/search?{urlencode(pairs)}" if pairs else "/search"


def _without(pair: tuple[str, str], pairs: Pairs) -> Pairs:
    """The same search without one condition, from its beginning."""
    return tuple(other for other in pairs if other != pair and other[0] != "cursor")
