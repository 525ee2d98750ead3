"""Batches as the bodies that a client posts: events as JSON, spans as OTLP.

In: `Batch`es.  Out: paths and bodies.  Touches: nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from raindrop_logging.workshop.records import Batch, Event, Signal, Span, User


class Post(NamedTuple):
    """One request, and how many events it tells of."""

    path: str
    body: bytes
    project_id: str | None
    events: int


def posts(batches: Iterable[Batch]) -> Iterator[Post]:
    """What is sent, in order; a body has one project, as the header that says it is the request's."""
    for batch in batches:
        events = msgspec.json.encode([*map(_event, batch.events)])
        yield Post("events/track", events, batch.events[0].project_id, len(batch.events))
        if batch.spans:
            yield _post("traces", {"resourceSpans": [{"scopeSpans": [{"spans": [*map(_span, batch.spans)]}]}]})
        if batch.signals:
            yield _post("signals/track", [*map(_signal, batch.signals)])
        if batch.users:
            yield _post("users/identify", [*map(_user, batch.users)])


def _post(path: str, body: Any) -> Post:
    return Post(path, msgspec.json.encode(body), None, 0)


def _event(event: Event) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "user_id": event.user_id,
        "event": event.event,
        "timestamp": event.timestamp,
        "properties": event.properties,
        "attachments": event.attachments,
        "is_pending": event.is_pending,
        "ai_data": {
            "model": event.model,
            "input": event.input,
            "output": event.output,
            "convo_id": event.convo_id,
        },
    }


def _signal(signal: Signal) -> dict[str, Any]:
    return {
        "event_id": signal.event_id,
        "signal_name": signal.name,
        "sentiment": signal.sentiment,
        "timestamp": signal.timestamp,
    }


def _user(user: User) -> dict[str, Any]:
    return {"user_id": user.user_id, "traits": user.traits}


def _span(span: Span) -> dict[str, Any]:
    about = {} if span.event_id is None else {"traceloop.association.properties.event_id": span.event_id}
    kind = {"traceloop.span.kind": "tool", "traceloop.entity.name": span.name} if span.kind == "tool" else {}
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "startTimeUnixNano": _nanoseconds(span.start_time),
        "endTimeUnixNano": _nanoseconds(span.end_time),
        "attributes": [
            {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
            for key, value in {**span.attributes, **about, **kind}.items()
        ],
        "status": {"code": 2, "message": span.error} if span.status == "error" else {"code": 1},
    }


def _nanoseconds(moment: str | None) -> str:
    return str(int(datetime.fromisoformat(moment or "").timestamp() * 1e6) * 1000)
