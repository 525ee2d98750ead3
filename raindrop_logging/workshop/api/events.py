"""The JSON API over one event, one user, one trace, and the stream of changes; what lists answer is in `lists`.

In: GET requests.  Out: JSON, and the stream of changes as server-sent events.  Touches: the store, the live feed.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from raindrop_logging.workshop import times
from raindrop_logging.workshop.api.queries import FILTER, question
from raindrop_logging.workshop.api.responses import answer, found
from raindrop_logging.workshop.api.schemas.conversion import told
from raindrop_logging.workshop.api.schemas.events import ToldSpan, ToldStory, ToldTrace, previewed
from raindrop_logging.workshop.api.schemas.events import step as step_told
from raindrop_logging.workshop.api.schemas.events import story as story_told
from raindrop_logging.workshop.api.schemas.health import Health
from raindrop_logging.workshop.api.schemas.lists import ToldPerson
from raindrop_logging.workshop.route_table import EVENT_STREAM, Query, Row
from raindrop_logging.workshop.store import NAME, Person, Store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.event_filter import EventFilter
    from raindrop_logging.workshop.live import LiveFeed
    from raindrop_logging.workshop.receiving.receiver import Receiver
    from raindrop_logging.workshop.records import LiveStep

STILL_HERE: Final = b": still here\n\n"


class Api:
    """The routes below `/api`."""

    def __init__(self, store: Store, feed: LiveFeed, receiver: Receiver, version: str) -> None:
        self._store = store
        self._feed = feed
        self._receiver = receiver
        self._version = version
        self._started_at = times.now()

    def rows(self) -> list[Row]:
        """All of them, GET only."""
        gone = (404, 503)
        return [
            Row(
                method="GET", path="/api/health", name="health", endpoint=self._health, answer=Health, refusals=(503,),
                says="What runs here, and how much it holds.",
            ),
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
            Row(
                method="GET", path="/api/stream", name="stream_changes", endpoint=self._stream, answer=str,
                media=EVENT_STREAM, queries=FILTER, refusals=(400, 503),
                says="Server-sent events named `change`: an event without its properties and attachments, texts cut.",
            ),
            Row(
                method="GET", path="/api/live", name="stream_live", endpoint=self._live, answer=str,
                media=EVENT_STREAM, refusals=(503,),
                queries=(
                    Query(name="event_id", says="Only steps that name this event."),
                    Query(name="trace_id", says="Only steps of this trace."),
                ),
                says="Server-sent events named `step`: what running turns say, as it comes.",
            ),
        ]  # fmt: skip

    async def _health(self, request: Request) -> Response:
        del request
        counts = await run_in_threadpool(self._store.counts)
        upkeep = await run_in_threadpool(self._store.upkeep)
        about = Health(
            name=NAME,
            version=self._version,
            database=self._store.location,
            strict=self._receiver.strict,
            started_at=self._started_at,
            received_bodies=self._receiver.bodies,
            ignored_keys=dict(self._receiver.ignored_keys),
            **msgspec.structs.asdict(counts),
            **msgspec.structs.asdict(upkeep),
        )
        return answer(about)

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

    async def _stream(self, request: Request) -> Response:
        return await _streamed(self._changes(question(request).where))

    async def _live(self, request: Request) -> Response:
        asked = request.query_params
        return await _streamed(self._steps(asked.get("event_id"), asked.get("trace_id", "").lower()))

    async def _steps(self, event_id: str | None, trace_id: str) -> AsyncGenerator[bytes]:
        async for step in self._feed.listen():
            if step is None:
                yield STILL_HERE
            elif _passes(step, event_id, trace_id):
                yield b"event: step\ndata: " + msgspec.json.encode(step_told(step)) + b"\n\n"

    async def _changes(self, where: EventFilter) -> AsyncGenerator[bytes]:
        async for event_ids in self._feed.watch():
            if not event_ids:
                yield STILL_HERE
            for summary in await run_in_threadpool(self._store.summaries, event_ids, where) if event_ids else ():
                yield b"event: change\ndata: " + msgspec.json.encode(previewed(summary)) + b"\n\n"


async def _streamed(pieces: AsyncGenerator[bytes]) -> Response:
    """The answer begins with the first piece: who sees it begin misses nothing that comes from then on."""
    first = await anext(pieces)
    return StreamingResponse(_going_on(first, pieces), media_type=EVENT_STREAM)


async def _going_on(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


def _passes(step: LiveStep, event_id: str | None, trace_id: str) -> bool:
    of_event = not event_id or (step.about is not None and step.about.event_id == event_id)
    return of_event and trace_id in ("", step.trace_id)
