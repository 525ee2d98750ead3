"""The JSON API over one event, one user, one trace, and the stream of changes; what lists answer is in `api_lists`.

In: GET requests.  Out: JSON, and the stream of changes as server-sent events.  Touches: the store, the live feed.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from raindrop_logging.wire import JSON
from raindrop_logging.workshop.refusals import RefusedError
from raindrop_logging.workshop.signal_details import comment, edited
from raindrop_logging.workshop.store import NAME, Person, Store, Story, Summary

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from starlette.requests import Request

    from raindrop_logging.workshop.handoffs import Link
    from raindrop_logging.workshop.live import LiveFeed
    from raindrop_logging.workshop.receiver import Receiver
    from raindrop_logging.workshop.records import Event, Signal, Span

PREVIEW_CHARS: Final = 300
"""Longest input or output in the stream; the event itself has all of it."""

_EVENT_KEYS: Final = (
    "event_id", "user_id", "event", "model", "input", "output", "convo_id",
    "properties", "attachments", "feature_flags", "timestamp", "is_pending", "project_id",
)  # fmt: skip
_SIGNAL_KEYS: Final = ("name", "signal_type", "sentiment", "properties", "attachment_id", "timestamp")
_SPAN_KEYS: Final = (
    "name", "kind", "status", "error", "input", "output", "start_time", "end_time",
    "trace_id", "span_id", "parent_id", "attributes",
)  # fmt: skip
_LINK_KEYS: Final = ("event_id", "name", "span_id")
_Value = TypeVar("_Value")
_COUNT_KEYS: Final = ("signal_count", "positive_count", "negative_count", "span_count", "error_count")


class Api:
    """The routes below `/api`."""

    def __init__(self, store: Store, feed: LiveFeed, receiver: Receiver, version: str) -> None:
        self._store = store
        self._feed = feed
        self._receiver = receiver
        self._version = version

    def routes(self) -> list[Route]:
        """All of them, GET only."""
        return [
            Route("/api/health", self._health),
            Route("/api/events/{event_id:path}", self._event),
            Route("/api/users/{user_id:path}", self._user),
            Route("/api/traces/{trace_id}", self._trace),
            Route("/api/stream", self._stream),
        ]

    async def _health(self, request: Request) -> Response:
        del request
        counts = await run_in_threadpool(self._store.counts)
        about = {"name": NAME, "version": self._version, "database": self._store.location}
        return answer({**about, **msgspec.structs.asdict(counts), "ignored_keys": self._receiver.ignored_keys})

    async def _event(self, request: Request) -> Response:
        event_id = request.path_params["event_id"]
        story = await run_in_threadpool(self._store.event, event_id)
        known = found(story, f"no event {event_id!r}")
        rules = await run_in_threadpool(self._store.signals.of_event, known.event.event_id)
        return answer({**told(known), "rule_signals": [msgspec.structs.asdict(signal) for signal in rules]})

    async def _user(self, request: Request) -> Response:
        user_id = request.path_params["user_id"]
        person: Person | None = await run_in_threadpool(self._store.user, user_id)
        return answer(msgspec.structs.asdict(found(person, f"no user {user_id!r}")))

    async def _trace(self, request: Request) -> Response:
        trace_id = request.path_params["trace_id"]
        spans = await run_in_threadpool(self._store.trace, trace_id)
        stored = found(spans or None, f"no trace {trace_id!r}")
        return answer({"trace_id": trace_id.lower(), "spans": [span_json(span) for span in stored]})

    async def _stream(self, request: Request) -> Response:
        del request
        changes = self._changes()
        first = await anext(changes)  # watched from now on: who sees the answer begin misses nothing that comes then
        return StreamingResponse(_going_on(first, changes), media_type="text/event-stream")

    async def _changes(self) -> AsyncGenerator[bytes]:
        async for event_ids in self._feed.watch():
            if not event_ids:
                yield b": still here\n\n"
            for summary in await run_in_threadpool(self._store.summaries, event_ids) if event_ids else ():
                yield b"event: change\ndata: " + msgspec.json.encode(previewed(summary)) + b"\n\n"


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
        **event_json(story.event),
        "signals": [_signal(signal, story.event) for signal in story.signals],
        "spans": [span_json(span) for span in story.spans],
        "subagents": [{**_link(subagent.link), "state": subagent.state} for subagent in story.subagents],
        "launched_by": _link(story.launched_by) if story.launched_by else None,
    }


def listed(summary: Summary) -> dict[str, Any]:
    """One event of a list, with how much hangs on it."""
    return {**event_json(summary.event), **{name: getattr(summary, name) for name in _COUNT_KEYS}}


def previewed(summary: Summary) -> dict[str, Any]:
    """One changed event for the stream: long texts are cut, properties and attachments left out."""
    whole = listed(summary)
    heavy = ("properties", "attachments", "feature_flags")
    cut = {name: (whole[name] or "")[:PREVIEW_CHARS] for name in ("input", "output") if whole[name] is not None}
    return {name: value for name, value in {**whole, **cut}.items() if name not in heavy}


def event_json(event: Event) -> dict[str, Any]:
    """An event under the API's keys."""
    return {name: getattr(event, name) for name in _EVENT_KEYS}


def _signal(signal: Signal, event: Event) -> dict[str, Any]:
    """`comment` and `edit` are there only when the signal has them."""
    edit = [msgspec.structs.asdict(part) for part in edited(signal, event.output)]
    extra = {"comment": comment(signal), "edit": edit}
    named = {name: getattr(signal, name) for name in _SIGNAL_KEYS}
    return {**named, **{name: value for name, value in extra.items() if value}}


def span_json(span: Span) -> dict[str, Any]:
    """A span under the API's keys."""
    return {name: getattr(span, name) for name in _SPAN_KEYS}


def _link(link: Link) -> dict[str, Any]:
    return {name: getattr(link, name) for name in _LINK_KEYS}


def found(value: _Value | None, message: str) -> _Value:
    """The value, or a 404 that says what is not there."""
    if value is None:
        raise RefusedError(404, "not_found", message)
    return value
