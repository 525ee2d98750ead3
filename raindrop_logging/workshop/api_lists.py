"""The JSON API's lists, facets and lines over time, all under the same filters.

In: GET requests.  Out: JSON; a list with `next_cursor`.  Touches: the store.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from raindrop_logging.workshop.answers import FACETS, Conversation, Line, Measure, Slice, Step, Timeline, ToolError
from raindrop_logging.workshop.api import answer, event_json, found, listed, span_json
from raindrop_logging.workshop.api_queries import Question, question
from raindrop_logging.workshop.refusals import invalid

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.store import Store

PAGED: Final = ("limit", "cursor")
MAX_TOP: Final = 200
DEFAULT_TOP: Final = 10

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Lists:
    """The routes that answer about many events at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """All of them, GET only."""
        return [
            Route("/api/events", self._events),
            Route("/api/facets", self._facets),
            Route("/api/timeseries", self._timeseries),
            Route("/api/conversations", self._conversations),
            Route("/api/conversations/{convo_id:path}", self._conversation),
            Route("/api/users", self._users),
            Route("/api/traces", self._traces),
            Route("/api/tools/failing", self._failing_tools),
            Route("/api/tools/errors", self._tool_errors),
        ]

    async def _events(self, request: Request) -> Response:
        asked = question(request, *PAGED)
        page = await _of_list(lambda: self._store.events(asked.limit, asked.cursor, asked.where))
        return answer({"events": [listed(summary) for summary in page.summaries], "next_cursor": page.next_cursor})

    async def _conversations(self, request: Request) -> Response:
        return await _slice(question(request, *PAGED), "conversations", self._store.conversations, conversation_json)

    async def _users(self, request: Request) -> Response:
        return await _slice(question(request, *PAGED), "users", self._store.users, msgspec.structs.asdict)

    async def _traces(self, request: Request) -> Response:
        return await _slice(question(request, *PAGED), "traces", self._store.traces, msgspec.structs.asdict)

    async def _tool_errors(self, request: Request) -> Response:
        return await _slice(question(request, *PAGED), "errors", self._store.tool_errors, tool_error_json)

    async def _failing_tools(self, request: Request) -> Response:
        asked = question(request, "top")
        tools = await run_in_threadpool(self._store.failing_tools, asked.where, _top(asked))
        return answer({"tools": tools})

    async def _conversation(self, request: Request) -> Response:
        asked = question(request, *PAGED)
        convo_id = request.path_params["convo_id"]
        summed = await run_in_threadpool(self._store.conversation, convo_id)
        told = conversation_json(found(summed, f"no conversation {convo_id!r}"))
        turns = await _of_list(lambda: self._store.turns(convo_id, asked.limit, asked.cursor))
        return answer({**told, "turns": [listed(turn) for turn in turns.items], "next_cursor": turns.next_cursor})

    async def _facets(self, request: Request) -> Response:
        asked = question(request, "top", "facet")
        names = tuple(request.query_params.getlist("facet")) or FACETS
        counting = partial(self._store.facets, asked.where, names, _top(asked))
        return answer({"facets": await _asking("facet", counting)})

    async def _timeseries(self, request: Request) -> Response:
        asked = question(request, "top", "by", "measure", "split", "signal_name")
        counting = partial(
            self._store.timeseries,
            asked.where,
            by=cast("Step", asked.own.get("by", "day")),
            measure=cast("Measure", asked.own.get("measure", "events")),
            split=asked.own.get("split"),
            signal=asked.own.get("signal_name"),
            top=_top(asked),
        )
        return answer(timeline_json(await _asking(None, counting)))


def conversation_json(conversation: Conversation) -> dict[str, Any]:
    """A conversation of a list, under the API's keys."""
    return {**msgspec.structs.asdict(conversation), "latest": event_json(conversation.latest)}


def tool_error_json(error: ToolError) -> dict[str, Any]:
    """A failed call and its event, under the API's keys."""
    return {"span": span_json(error.span), "event": event_json(error.event) if error.event else None}


def timeline_json(timeline: Timeline) -> dict[str, Any]:
    """Lines with their rates beside their counts."""
    return {**msgspec.structs.asdict(timeline), "lines": [_line(line) for line in timeline.lines]}


def _line(line: Line) -> dict[str, Any]:
    return {**msgspec.structs.asdict(line), "rates": line.rates}


async def _slice(
    asked: Question, name: str, ask: Callable[..., Slice[_Item]], shown: Callable[[_Item], Any]
) -> Response:
    page = await _of_list(lambda: ask(asked.limit, asked.cursor, asked.where))
    return answer({name: [shown(item) for item in page.items], "next_cursor": page.next_cursor})


async def _of_list(ask: Callable[[], _Result]) -> _Result:
    return await _asking("cursor", ask)


async def _asking(field: str | None, ask: Callable[[], _Result]) -> _Result:
    """The store's answer; its `ValueError` is about this parameter, or about the one it begins with."""
    try:
        return await run_in_threadpool(ask)
    except ValueError as error:
        said = str(error)
        raise invalid(getattr(error, "field", field or said.partition(" ")[0]), said) from None


def _top(asked: Question) -> int:
    return asked.whole("top", DEFAULT_TOP, MAX_TOP)
