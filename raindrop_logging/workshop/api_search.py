"""The JSON API's search.

In: ``GET /api/search?q=…&mode=text|regex&in=input|output`` with the filters of every list.  Out: JSON, hits as parts
that say whether they are what was searched for.  Touches: the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from raindrop_logging.workshop.api import answer, previewed
from raindrop_logging.workshop.api_queries import question
from raindrop_logging.workshop.bounded_regex import PatternError
from raindrop_logging.workshop.refusals import invalid
from raindrop_logging.workshop.search import SIDES, Found, Mode, Question

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.store import Store

_CHOICES: Final = {"mode": get_args(Mode), "in": SIDES}


class Search:
    """The route that answers a search."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """GET only."""
        return [Route("/api/search", self._search)]

    async def _search(self, request: Request) -> Response:
        asked = asked_of(request)
        return answer(await run_in_threadpool(found_json, self._store, asked))


def asked_of(request: Request) -> Question:
    """The search that an address asks for.

    Raises:
        RefusedError: 400, naming the parameter.
    """
    asked = question(request, "q", "mode", "in", "limit", "cursor")
    for name, choices in _CHOICES.items():
        value = asked.own.get(name)
        if value and value not in choices:
            raise invalid(name, f"{name} is {' or '.join(choices)}, not {value[:32]!r}")
    side: Any = asked.own.get("in")
    mode: Any = asked.own.get("mode") or "text"
    return Question(
        text=asked.own.get("q", ""),
        mode=mode,
        sides=(side,) if side else SIDES,
        where=asked.where,
        limit=asked.limit,
        cursor=asked.cursor,
    )


def found_json(store: Store, asked: Question) -> dict[str, Any]:
    """The answer under the API's keys; each hit is the event as in the stream, with its excerpts.

    Raises:
        RefusedError: 400, the pattern is none or the cursor is of another list.
    """
    found = _found(store, asked)
    excerpts = {hit.event_id: hit for hit in found.hits}
    hits = [
        {
            **previewed(summary),
            "excerpts": {side: getattr(excerpts[summary.event.event_id], side) for side in SIDES},
        }
        for summary in store.summaries(tuple(excerpts))
    ]
    told = {name: getattr(found, name) for name in ("next_cursor", "partial", "ranked", "unindexed")}
    builtins: dict[str, Any] = msgspec.to_builtins({"hits": hits, **told})
    return builtins


def _found(store: Store, asked: Question) -> Found:
    try:
        return store.search(asked)
    except PatternError as error:
        raise invalid("q", str(error)) from None
    except ValueError as error:
        raise invalid("cursor", str(error)) from None
