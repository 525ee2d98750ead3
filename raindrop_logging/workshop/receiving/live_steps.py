"""What a client says while a turn runs: a body of the route `live`.

In: a decoded JSON value.  Out: a `Batch` with one `LiveStep`.  Touches: nothing.
Source: the wire contract's section 6. All of it comes again, whole, in the turn's partials and spans. So words are
passed on to who is watching and not kept; the start and the result of a tool are kept as a span, until the tool's own
span takes its place; and the event that a step names is known from then on.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from raindrop_logging.workshop import times
from raindrop_logging.workshop.receiving.otlp_ids import SPAN_BYTES, TRACE_BYTES, known_id
from raindrop_logging.workshop.records import LIVE, UNNAMED, Batch, Event, Json, LiveStep, Span
from raindrop_logging.workshop.refusals import converted, invalid

TOOL_START: Final = "tool_start"
TOOL_RESULT: Final = "tool_result"

_NAMES: Final = {
    "event_id": ("eventId", "event_id"),
    "event": ("eventName", "event_name"),
    "user_id": ("userId", "user_id"),
    "convo_id": ("convoId", "convo_id"),
}


class LiveBody(msgspec.Struct, rename="camel"):
    """The body of the route `live`; `type` is an open set, `timestamp` is in milliseconds since 1970."""

    trace_id: str
    type: str
    span_id: str | None = None
    content: str | None = None
    timestamp: float | None = None
    metadata: dict[str, Any] | None = None


def read_live(body: Any, project_id: str | None = None) -> Batch:
    """One step of a running turn.

    Raises:
        RefusedError: 400, naming the field.
    """
    said = converted(body, LiveBody)
    if not said.type.strip():
        raise invalid("type", "type is blank")
    trace_id = known_id(said.trace_id, TRACE_BYTES, "traceId")
    span_id = known_id(said.span_id, SPAN_BYTES, "spanId") if said.span_id is not None else None
    at = _time(said.timestamp)
    about = _about(said.metadata or {}, at, project_id)
    tool = None
    if said.type in (TOOL_START, TOOL_RESULT):
        if span_id is None:
            raise invalid("spanId", f"spanId is required for {said.type}")
        tool = _tool(said, trace_id, span_id, at, about)
    step = LiveStep(
        trace_id=trace_id,
        span_id=span_id,
        type=said.type,
        content=said.content,
        timestamp=at,
        metadata=said.metadata or {},
        about=about,
        tool=tool,
    )
    return Batch(steps=(step,))


def _tool(said: LiveBody, trace_id: str, span_id: str, at: str, about: Event | None) -> Span:
    told = said.metadata or {}
    phase = _started if said.type == TOOL_START else _ended
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        kind="tool",
        input=_text(told.get("args", told.get("input"))),
        attributes={LIVE: True},
        about=about,
        **phase(said.content, told, at),
    )


def _started(content: str | None, told: Json, at: str) -> dict[str, Any]:
    del told  # only a result tells an outcome
    return {"name": content or UNNAMED, "start_time": at}


def _ended(content: str | None, told: Json, at: str) -> dict[str, Any]:
    """The content is the tool's name where the metadata tell the outcome, else the outcome itself."""
    error = _text(told.get("error")) or None
    if error is None and "result" not in told:
        return {"name": UNNAMED, "output": content, "end_time": at}
    outcome = {"output": _text(told.get("result")), "error": error, "status": "ok" if error is None else "error"}
    return {"name": content or UNNAMED, "end_time": at, **outcome}


def _about(metadata: Json, at: str, project_id: str | None) -> Event | None:
    """The event of a step, by either spelling of its keys."""
    named: dict[str, Any] = {
        field: next((value for name in names if isinstance(value := metadata.get(name), str) and value.strip()), None)
        for field, names in _NAMES.items()
    }
    event_id = named.pop("event_id")
    if event_id is None:
        return None
    return Event(event_id=event_id, timestamp=at, is_pending=True, project_id=project_id, **named)


def _time(milliseconds: float | None) -> str:
    if milliseconds is None:
        return times.now()
    try:
        return times.from_wire(milliseconds)
    except ValueError as error:
        raise invalid("timestamp", str(error)) from None


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode("utf-8")
