"""What a span's attributes mean: its kind, name, input, output, error, and the event it belongs to.

In: an `OtlpSpan`.  Out: a `Span`.  Touches: nothing.
Raindrop's clients and the instrumentations they carry write the same facts under several names (the wire contract's
section 5); each table below lists the names of one fact, the one that counts most first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from raindrop_logging.workshop import times
from raindrop_logging.workshop.records import Event, Json, Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raindrop_logging.workshop.receiving.otlp import OtlpSpan

_ASSOCIATION: Final = "traceloop.association.properties."
_METADATA: Final = "ai.telemetry.metadata.raindrop."

EVENT_ID: Final = (f"{_ASSOCIATION}event_id", "raindrop.event.id", f"{_METADATA}eventId")
ABOUT: Final = {
    "user_id": (f"{_ASSOCIATION}user_id", "raindrop.user.id", f"{_METADATA}userId", f"{_METADATA}ai.userId"),
    "event": (f"{_ASSOCIATION}event_name", f"{_ASSOCIATION}event", "raindrop.event.name", f"{_METADATA}eventName"),
    "convo_id": (f"{_ASSOCIATION}convo_id", "raindrop.convo.id", f"{_METADATA}convoId"),
    "project_id": ("raindrop.project_id",),
}
NAME: Final = ("traceloop.entity.name", "raindrop.tool.name", "ai.toolCall.name")
INPUT: Final = (
    "traceloop.entity.input",
    "ai.toolCall.args",
    "ai.prompt.messages",
    "ai.prompt",
    "gen_ai.input.messages",
)
OUTPUT: Final = (
    "traceloop.entity.output",
    "ai.toolCall.result",
    "ai.result.text",
    "ai.response.text",
    "gen_ai.output.messages",
)
KINDS: Final = {"agent_root": "workflow", "llm_call": "llm", "tool_call": "tool", "trace": "trace"}
OPERATIONS: Final = {"ai.toolCall": "tool", "execute_tool": "tool", "invoke_agent": "workflow"}
STATUS_ERROR: Final = 2

_SUFFIX: Final = re.compile(r"\.(tool|task|workflow)$")
_NUMBERED: Final = re.compile(r"gen_ai\.(prompt|completion)\.(\d{1,6})\.(.+)")


def read(span: OtlpSpan, project_id: str | None = None) -> Span:
    """The span as the Workshop shows it; its event is of the project it names itself, else of this one."""
    attributes = span.attributes
    failed = span.status_code == STATUS_ERROR
    start_time = times.from_nanoseconds(span.start)
    return Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=_text(attributes, NAME) or _SUFFIX.sub("", span.name),
        kind=_kind(attributes),
        status="error" if failed else "ok",
        error=(span.status_message or _exception_message(span.events)) if failed else None,
        input=_text(attributes, INPUT) or _messages(attributes, "prompt"),
        output=_text(attributes, OUTPUT) or _messages(attributes, "completion"),
        start_time=start_time,
        end_time=times.from_nanoseconds(span.end),
        attributes=attributes,
        events=span.events,
        resource=span.resource,
        about=_about(attributes, start_time, project_id),
    )


def _kind(attributes: Json) -> str:
    stated = _text(attributes, ("traceloop.span.kind",))
    if stated:
        return stated
    canonical = KINDS.get(_text(attributes, ("raindrop.span.kind",)) or "")
    if canonical:
        return canonical
    operation = _text(attributes, ("ai.operationId", "gen_ai.operation.name"))
    if operation in OPERATIONS:
        return OPERATIONS[operation]
    return "llm" if operation or any(key.startswith("gen_ai.") for key in attributes) else "span"


def _about(attributes: Json, start_time: str | None, project_id: str | None) -> Event | None:
    event_id = _text(attributes, EVENT_ID)
    if not event_id:
        return None
    known: dict[str, Any] = {field: _text(attributes, names) for field, names in ABOUT.items()}
    known["project_id"] = known["project_id"] or project_id
    return Event(event_id=event_id, timestamp=start_time, is_pending=True, **known)


def _exception_message(events: Iterable[Json]) -> str | None:
    for event in events:
        if event["name"] == "exception":
            return _text(event["attributes"], ("exception.message", "exception.type"))
    return None


def _text(attributes: Json, names: Iterable[str]) -> str | None:
    """The first of these attributes that says anything, as text."""
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return value if isinstance(value, str) else _json(value)
    return None


def _messages(attributes: Json, side: str) -> str | None:
    """`gen_ai.prompt.N.*` put together: the one message's content, or all of them as a JSON array."""
    messages: dict[int, dict[str, Any]] = {}
    for key, value in attributes.items():
        found = _NUMBERED.fullmatch(key)
        if found and found[1] == side:
            messages.setdefault(int(found[2]), {})[found[3]] = value
    if not messages:
        return None
    ordered = [messages[number] for number in sorted(messages)]
    only = ordered[0].get("content") if len(ordered) == 1 else None
    return only if isinstance(only, str) else _json(ordered)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode("utf-8")
