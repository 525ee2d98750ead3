"""The JSON API over one event, one user, one trace; what lists answer is in `lists`.

In: GET requests.  Out: JSON.  Touches: the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from raindrop_logging.workshop.api.responses import answer, found
from raindrop_logging.workshop.api.schemas.conversion import told
from raindrop_logging.workshop.api.schemas.events import ToldSpan, ToldStory, ToldTrace
from raindrop_logging.workshop.api.schemas.events import story as story_told
from raindrop_logging.workshop.api.schemas.lists import ToldPerson
from raindrop_logging.workshop.route_table import Row
from raindrop_logging.workshop.store import Person, Store

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


class Events:
    """The routes that answer about one thing, by its id."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rows(self) -> list[Row]:
        """All of them, GET only."""
        gone = (404, 503)
        return [
            Row(
                method="GET", path="/api/events/{event_id:path}", name="get_event", endpoint=self._event,
                answer=ToldStory, refusals=gone, says="One event, by its id or its trace's, with all that hangs on it.",
            ),
            Row(
                method="GET", path="/api/users/{user_id:path}", name="get_user", endpoint=self._user,
                answer=ToldPerson, refusals=gone, says="A user who was identified, or who has events.",
            ),
            Row(
                method="GET", path="/api/traces/{trace_id}", name="get_trace", endpoint=self._trace, answer=ToldTrace,
                refusals=gone, says="All spans of a trace, whether or not an event owns them.",
            ),
        ]  # fmt: skip

    async def _event(self, request: Request) -> Response:
        event_id = request.path_params["event_id"]
        story = await run_in_threadpool(self._store.event, event_id)
        known = found(story, f"no event {event_id!r}")
        rules = await run_in_threadpool(self._store.signals.of_event, known.event.event_id)
        return answer(story_told(known, rules))

    async def _user(self, request: Request) -> Response:
        user_id = request.path_params["user_id"]
        person: Person | None = await run_in_threadpool(self._store.user, user_id)
        return answer(told(found(person, f"no user {user_id!r}"), ToldPerson))

    async def _trace(self, request: Request) -> Response:
        trace_id = request.path_params["trace_id"]
        spans = await run_in_threadpool(self._store.trace, trace_id)
        stored = found(spans or None, f"no trace {trace_id!r}")
        return answer(ToldTrace(trace_id=trace_id.lower(), spans=[told(span, ToldSpan) for span in stored]))
