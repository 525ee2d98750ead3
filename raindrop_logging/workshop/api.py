"""The JSON API over what is stored.

In: GET requests.  Out: JSON, and the stream of changes as server-sent events.  Touches: the store, the live feed.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from raindrop_logging.wire import JSON
from raindrop_logging.workshop.refusals import RefusedError, invalid
from raindrop_logging.workshop.route_table import EVENT_STREAM, Query, Row
from raindrop_logging.workshop.store import NAME, Person, Store, Story, Summary
from raindrop_logging.workshop.told import EventList, Health, ToldPerson, ToldStory, ToldTrace

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from starlette.requests import Request

    from raindrop_logging.workshop.handoffs import Link
    from raindrop_logging.workshop.live import LiveFeed
    from raindrop_logging.workshop.receiver import Receiver
    from raindrop_logging.workshop.records import Event, LiveStep, Signal, Span

MAX_LIMIT: Final = 500
DEFAULT_LIMIT: Final = 50
PREVIEW_CHARS: Final = 300
"""Longest input or output in the stream; the event itself has all of it."""

STILL_HERE: Final = b": still here\n\n"

PAGED: Final = (
    Query(name="limit", type=Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)], says="How many, 50 when not said."),
    Query(name="cursor", says="The `next_cursor` of the answer before."),
)
"""The parameters of every list."""

_EVENT_KEYS: Final = (
    "event_id", "user_id", "event", "model", "input", "output", "convo_id",
    "properties", "attachments", "feature_flags", "timestamp", "is_pending",
)  # fmt: skip
_SIGNAL_KEYS: Final = ("name", "signal_type", "sentiment", "properties", "attachment_id", "timestamp")
_SPAN_KEYS: Final = (
    "name", "kind", "status", "error", "input", "output", "start_time", "end_time",
    "trace_id", "span_id", "parent_id", "attributes",
)  # fmt: skip
_LINK_KEYS: Final = ("event_id", "name", "span_id")
_STEP_KEYS: Final = ("trace_id", "span_id", "type", "content", "timestamp", "metadata")
_Value = TypeVar("_Value")
_COUNT_KEYS: Final = ("signal_count", "positive_count", "negative_count", "span_count", "error_count")


class Api:
    """The routes below `/api`."""

    def __init__(self, store: Store, feed: LiveFeed, receiver: Receiver, version: str) -> None:
        self._store = store
        self._feed = feed
        self._receiver = receiver
        self._version = version

    def rows(self) -> list[Row]:
        """All of them, GET only."""
        gone = (404, 503)
        return [
            Row(
                method="GET", path="/api/health", name="health", endpoint=self._health, answer=Health, refusals=(503,),
                says="What runs here, and how much it holds.",
            ),
            Row(
                method="GET", path="/api/events", name="list_events", endpoint=self._events, answer=EventList,
                queries=PAGED, refusals=(400, 503), says="Events, newest first.",
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
                media=EVENT_STREAM, refusals=(503,),
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
        about = {
            "name": NAME,
            "version": self._version,
            "database": self._store.location,
            "strict": self._receiver.strict,
        }
        return answer({**about, **msgspec.structs.asdict(counts), "ignored_keys": self._receiver.ignored_keys})

    async def _events(self, request: Request) -> Response:
        limit = _limit(request.query_params.get("limit"))
        try:
            page = await run_in_threadpool(self._store.events, limit, request.query_params.get("cursor"))
        except ValueError as error:
            raise invalid("cursor", str(error)) from None
        return answer({"events": [listed(summary) for summary in page.summaries], "next_cursor": page.next_cursor})

    async def _event(self, request: Request) -> Response:
        event_id = request.path_params["event_id"]
        story = await run_in_threadpool(self._store.event, event_id)
        return answer(told(_found(story, f"no event {event_id!r}")))

    async def _user(self, request: Request) -> Response:
        user_id = request.path_params["user_id"]
        person: Person | None = await run_in_threadpool(self._store.user, user_id)
        return answer(msgspec.structs.asdict(_found(person, f"no user {user_id!r}")))

    async def _trace(self, request: Request) -> Response:
        trace_id = request.path_params["trace_id"]
        spans = await run_in_threadpool(self._store.trace, trace_id)
        found = _found(spans or None, f"no trace {trace_id!r}")
        return answer({"trace_id": trace_id.lower(), "spans": [_span(span) for span in found]})

    async def _stream(self, request: Request) -> Response:
        del request
        return await _streamed(self._changes())

    async def _live(self, request: Request) -> Response:
        asked = request.query_params
        return await _streamed(self._steps(asked.get("event_id"), asked.get("trace_id", "").lower()))

    async def _steps(self, event_id: str | None, trace_id: str) -> AsyncGenerator[bytes]:
        async for step in self._feed.listen():
            if step is None:
                yield STILL_HERE
            elif _passes(step, event_id, trace_id):
                yield b"event: step\ndata: " + msgspec.json.encode(_step(step)) + b"\n\n"

    async def _changes(self) -> AsyncGenerator[bytes]:
        async for event_ids in self._feed.watch():
            if not event_ids:
                yield STILL_HERE
            for summary in await run_in_threadpool(self._store.summaries, event_ids) if event_ids else ():
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


def answer(value: Any, status: int = 200) -> Response:
    """A value as a JSON response."""
    return Response(msgspec.json.encode(value), status_code=status, media_type=JSON)


def told(story: Story) -> dict[str, Any]:
    """One event with its signals, spans and hand-offs, under the API's keys."""
    return {
        **_event(story.event),
        "signals": [_signal(signal) for signal in story.signals],
        "spans": [_span(span) for span in story.spans],
        "subagents": [{**_link(subagent.link), "state": subagent.state} for subagent in story.subagents],
        "launched_by": _link(story.launched_by) if story.launched_by else None,
    }


def listed(summary: Summary) -> dict[str, Any]:
    """One event of a list, with how much hangs on it."""
    return {**_event(summary.event), **{name: getattr(summary, name) for name in _COUNT_KEYS}}


def previewed(summary: Summary) -> dict[str, Any]:
    """One changed event for the stream: long texts are cut, properties and attachments left out."""
    whole = listed(summary)
    heavy = ("properties", "attachments", "feature_flags")
    cut = {name: (whole[name] or "")[:PREVIEW_CHARS] for name in ("input", "output") if whole[name] is not None}
    return {name: value for name, value in {**whole, **cut}.items() if name not in heavy}


def _event(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in _EVENT_KEYS}


def _signal(signal: Signal) -> dict[str, Any]:
    return {name: getattr(signal, name) for name in _SIGNAL_KEYS}


def _span(span: Span) -> Mapping[str, Any]:
    return {name: getattr(span, name) for name in _SPAN_KEYS}


def _step(step: LiveStep) -> dict[str, Any]:
    event_id = step.about.event_id if step.about else None
    return {"event_id": event_id, **{name: getattr(step, name) for name in _STEP_KEYS}}


def _link(link: Link) -> dict[str, Any]:
    return {name: getattr(link, name) for name in _LINK_KEYS}


def _passes(step: LiveStep, event_id: str | None, trace_id: str) -> bool:
    of_event = not event_id or (step.about is not None and step.about.event_id == event_id)
    return of_event and trace_id in ("", step.trace_id)


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if re.fullmatch(r"[0-9]{1,3}", text) and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise invalid("limit", f"limit is a whole number from 1 to {MAX_LIMIT}, not {text[:32]!r}")


def _found(value: _Value | None, message: str) -> _Value:
    if value is None:
        raise RefusedError(404, "not_found", message)
    return value
