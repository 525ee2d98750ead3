"""The JSON API's lists, facets and lines over time, all under the same filters.

In: GET requests.  Out: JSON; a list with `next_cursor`.  Touches: the store.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, cast

from starlette.concurrency import run_in_threadpool

from raindrop_logging.workshop.answers import FACETS, Measure, Step
from raindrop_logging.workshop.api.queries import DEFAULT_TOP, FILTER, MAX_TOP, PAGED, TOP, Question, question
from raindrop_logging.workshop.api.responses import answer, found
from raindrop_logging.workshop.api.schemas.charts import FacetList, ToldTimeline
from raindrop_logging.workshop.api.schemas.conversion import told
from raindrop_logging.workshop.api.schemas.events import listed
from raindrop_logging.workshop.api.schemas.lists import (
    ConversationList,
    EventList,
    FailingTools,
    ToldConversation,
    ToldPerson,
    ToldToolError,
    ToldTurns,
    ToolErrorList,
    TraceList,
    UserList,
)
from raindrop_logging.workshop.route_table import Query, Row

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.event_filter import EventFilter
    from raindrop_logging.workshop.store import Store

_FACET: Final = Query(name="facet", many=True, says="Only these, of their names or property.KEY.")
_CHART: Final = (
    Query(name="by", type=Step, says="How wide a bucket is, a day when not said."),
    Query(name="measure", type=Measure, says="What is counted, events when not said."),
    Query(name="split", says="A line for each value of this: event, model, signal, tool and others, or property.KEY."),
    Query(name="signal_name", says="For the measure `signals`: only this one."),
    TOP,
)

_Page = TypeVar("_Page")


class Lists:
    """The routes that answer about many events at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rows(self) -> list[Row]:
        """All of them, GET only."""
        paged = (*FILTER, *PAGED)
        wrong = (400, 503)
        return [
            Row(
                method="GET", path="/api/events", name="list_events", endpoint=self._events, answer=EventList,
                queries=paged, refusals=wrong, says="Events, newest first.",
            ),
            Row(
                method="GET", path="/api/facets", name="list_facets", endpoint=self._facets, answer=FacetList,
                queries=(*FILTER, _FACET, TOP), refusals=wrong, says="How many events have which value, name by name.",
            ),
            Row(
                method="GET", path="/api/timeseries", name="get_timeseries", endpoint=self._timeseries,
                answer=ToldTimeline, queries=(*FILTER, *_CHART), refusals=wrong, says="A measure over time, as lines.",
            ),
            Row(
                method="GET", path="/api/conversations", name="list_conversations", endpoint=self._conversations,
                answer=ConversationList, queries=paged, refusals=wrong, says="Conversations, newest turn first.",
            ),
            Row(
                method="GET", path="/api/conversations/{convo_id:path}", name="get_conversation",
                endpoint=self._conversation, answer=ToldTurns, queries=PAGED, refusals=(400, 404, 503),
                says="One conversation with its turns, oldest first.",
            ),
            Row(
                method="GET", path="/api/users", name="list_users", endpoint=self._users, answer=UserList,
                queries=paged, refusals=wrong, says="Users, newest event first.",
            ),
            Row(
                method="GET", path="/api/traces", name="list_traces", endpoint=self._traces, answer=TraceList,
                queries=paged, refusals=wrong, says="Traces that no event owns, newest first.",
            ),
            Row(
                method="GET", path="/api/tools/failing", name="list_failing_tools", endpoint=self._failing_tools,
                answer=FailingTools, queries=(*FILTER, TOP), refusals=wrong, says="Tools of which calls failed.",
            ),
            Row(
                method="GET", path="/api/tools/errors", name="list_tool_errors", endpoint=self._tool_errors,
                answer=ToolErrorList, queries=paged, refusals=wrong, says="Tool calls that failed, newest first.",
            ),
        ]  # fmt: skip

    async def _events(self, request: Request) -> Response:
        asked = question(request, *PAGED)
        page = await _page(asked, self._store.events)
        events = [listed(summary) for summary in page.summaries]
        return answer(EventList(events=events, next_cursor=page.next_cursor))

    async def _conversations(self, request: Request) -> Response:
        page = await _page(question(request, *PAGED), self._store.conversations)
        conversations = [told(item, ToldConversation) for item in page.items]
        return answer(ConversationList(conversations=conversations, next_cursor=page.next_cursor))

    async def _users(self, request: Request) -> Response:
        page = await _page(question(request, *PAGED), self._store.users)
        return answer(UserList(users=[told(item, ToldPerson) for item in page.items], next_cursor=page.next_cursor))

    async def _traces(self, request: Request) -> Response:
        page = await _page(question(request, *PAGED), self._store.traces)
        return answer(TraceList(traces=list(page.items), next_cursor=page.next_cursor))

    async def _tool_errors(self, request: Request) -> Response:
        page = await _page(question(request, *PAGED), self._store.tool_errors)
        errors = [told(item, ToldToolError) for item in page.items]
        return answer(ToolErrorList(errors=errors, next_cursor=page.next_cursor))

    async def _failing_tools(self, request: Request) -> Response:
        asked = question(request, TOP)
        tools = await run_in_threadpool(self._store.failing_tools, asked.where, _top(asked))
        return answer(FailingTools(tools=list(tools)))

    async def _conversation(self, request: Request) -> Response:
        asked = question(request, *PAGED)
        convo_id = request.path_params["convo_id"]
        summed = found(await run_in_threadpool(self._store.conversation, convo_id), f"no conversation {convo_id!r}")
        page = await run_in_threadpool(self._store.turns, convo_id, asked.limit, asked.cursor)
        turns = [listed(turn) for turn in page.items]
        return answer(told(summed, ToldTurns, turns=turns, next_cursor=page.next_cursor))

    async def _facets(self, request: Request) -> Response:
        asked = question(request, TOP, _FACET)
        names = tuple(request.query_params.getlist("facet")) or FACETS
        facets = await run_in_threadpool(self._store.facets, asked.where, names, _top(asked))
        return answer(FacetList(facets=list(facets)))

    async def _timeseries(self, request: Request) -> Response:
        asked = question(request, *_CHART)
        counting = partial(
            self._store.timeseries,
            asked.where,
            by=cast("Step", asked.own.get("by", "day")),
            measure=cast("Measure", asked.own.get("measure", "events")),
            split=asked.own.get("split"),
            signal=asked.own.get("signal_name"),
            top=_top(asked),
        )
        return answer(told(await run_in_threadpool(counting), ToldTimeline))


async def _page(asked: Question, ask: Callable[[int, str | None, EventFilter], _Page]) -> _Page:
    return await run_in_threadpool(ask, asked.limit, asked.cursor, asked.where)


def _top(asked: Question) -> int:
    return asked.whole("top", DEFAULT_TOP, MAX_TOP)
