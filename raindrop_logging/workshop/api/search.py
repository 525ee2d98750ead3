"""The JSON API's search.

In: ``GET /api/search?q=…&mode=text|regex&in=input|output`` with the filters of every list.  Out: JSON, hits as parts
that say whether they are what was searched for.  Touches: the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from starlette.concurrency import run_in_threadpool

from raindrop_logging.workshop.api.queries import FILTER, PAGED, question
from raindrop_logging.workshop.api.responses import answer
from raindrop_logging.workshop.api.schemas.conversion import told
from raindrop_logging.workshop.api.schemas.events import previewed
from raindrop_logging.workshop.api.schemas.search import SearchAnswer, SearchHit
from raindrop_logging.workshop.refusals import invalid
from raindrop_logging.workshop.route_table import Query, Row
from raindrop_logging.workshop.search.bounded_regex import PatternError
from raindrop_logging.workshop.search.question import SIDES, Found, Mode, Question, Side

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.store import Store

_CHOICES: Final = {"mode": get_args(Mode), "in": SIDES}
_OWN: Final = (
    Query(name="q", says="What is searched for: words, a phrase in quotes, -not, prefix*; or a pattern."),
    Query(name="mode", type=Mode, says="text when not said."),
    Query(name="in", type=Side, says="Only in this; both when not said."),
    *PAGED,
)


class Search:
    """The route that answers a search."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rows(self) -> list[Row]:
        """GET only."""
        return [
            Row(
                method="GET", path="/api/search", name="search", endpoint=self._search, answer=SearchAnswer,
                queries=(*FILTER, *_OWN), refusals=(400, 503), says="Events by the words or the pattern in them.",
            )
        ]  # fmt: skip

    async def _search(self, request: Request) -> Response:
        asked = asked_of(request)
        return answer(await run_in_threadpool(search_answer, self._store, asked))


def asked_of(request: Request) -> Question:
    """The search that an address asks for.

    Raises:
        RefusedError: 400, naming the parameter.
    """
    asked = question(request, *_OWN)
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


def search_answer(store: Store, asked: Question) -> SearchAnswer:
    """What the store found; each hit is the event as in the stream, with its excerpts.

    Raises:
        RefusedError: 400, the pattern is none.
        QuestionError: the cursor is of another list.
    """
    found = _found(store, asked)
    hits = {hit.event_id: hit for hit in found.hits}
    shown = [
        told(
            previewed(summary),
            SearchHit,
            excerpts={side: getattr(hits[summary.event.event_id], side) for side in SIDES},
        )
        for summary in store.summaries(tuple(hits))
    ]
    return told(found, SearchAnswer, hits=shown)


def _found(store: Store, asked: Question) -> Found:
    try:
        return store.search(asked)
    except PatternError as error:
        raise invalid("q", str(error)) from None
