"""The JSON API's streams: events that change, and what running turns say.

In: GET requests.  Out: server-sent events, and a comment when nothing has come for a while.  Touches: the live feed,
the store.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from raindrop_logging.workshop.api.queries import FILTER, question
from raindrop_logging.workshop.api.schemas.events import previewed
from raindrop_logging.workshop.api.schemas.events import step as step_told
from raindrop_logging.workshop.route_table import EVENT_STREAM, Query, Row

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.event_filter import EventFilter
    from raindrop_logging.workshop.live import LiveFeed
    from raindrop_logging.workshop.records import LiveStep
    from raindrop_logging.workshop.store import Store

STILL_HERE: Final = b": still here\n\n"


class Streams:
    """The routes that go on until the client leaves."""

    def __init__(self, store: Store, feed: LiveFeed) -> None:
        self._store = store
        self._feed = feed

    def rows(self) -> list[Row]:
        """All of them, GET only."""
        return [
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
