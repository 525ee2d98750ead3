"""Request bodies, written by hand from the wire contract."""

from __future__ import annotations

from typing import Any

TRACE = "8351249bb0a5be11bd049b4a17a2bb64"
SPAN = "94df3ca0dc0ae7da"
CHILD_TRACE = "b7ad6b7169203331b7ad6b7169203331"
CHILD_ROOT = "c0ffee0000000001"
START = 1_778_181_165_000_000_000


def ai_event(event_id: str | None = "e1", **changes: Any) -> dict[str, Any]:
    """A complete AI event with every field the contract has for it."""
    return {
        "event_id": event_id,
        "user_id": "u1",
        "event": "chat",
        "timestamp": "2026-05-07T19:00:00Z",
        "ai_data": {"model": "m1", "input": "question", "output": "answer", "convo_id": "c1"},
        "properties": {"region": "eu", "nested": {"a": [1, None]}},
        "attachments": [{"type": "code", "value": "x = 1", "role": "output", "language": "python"}],
        "feature_flags": {"fast": "on"},
        **changes,
    }


def attributes(**texts: str) -> list[dict[str, Any]]:
    """OTLP attributes of text; a double underscore in a name stands for a dot."""
    return [{"key": name.replace("__", "."), "value": {"stringValue": text}} for name, text in texts.items()]


def otlp_span(attrs: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    """One OTLP/JSON span, a second long."""
    return {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "search.tool",
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 1_000_000_000),
        "status": {"code": 1},
        "attributes": attrs if attrs is not None else attributes(traceloop__span__kind="tool"),
        **changes,
    }


def otlp(*spans: dict[str, Any]) -> dict[str, Any]:
    """An OTLP/JSON request."""
    resource = {"attributes": attributes(service__name="shop")}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "s"}, "spans": list(spans)}]}]}


def of_event(event_id: str, **texts: str) -> list[dict[str, Any]]:
    """Attributes of a tool span that belongs to an event."""
    return [
        {"key": "traceloop.association.properties.event_id", "value": {"stringValue": event_id}},
        *attributes(traceloop__span__kind="tool", **texts),
    ]


def launch(event_id: str, child_id: str, agent: str = "researcher", **changes: Any) -> dict[str, Any]:
    """The span of a turn that dispatched a detached sub-agent."""
    said = {"mode": "detached", "childEventId": child_id, "name": agent}
    attrs = of_event(event_id, traceloop__entity__name="launch_subagent")
    return otlp_span(attrs + _handoff(said), **changes)


def subagent_span(
    event_id: str, parent_id: str, *extra: dict[str, Any], agent: str = "researcher", **changes: Any
) -> dict[str, Any]:
    """A span of a detached sub-agent, in a trace of its own, with any extra attributes."""
    said = {"parentEventId": parent_id, "parentSpanId": SPAN, "name": agent}
    attrs = [*of_event(event_id), *attributes(raindrop__agent__role="subagent"), *_handoff(said), *extra]
    return otlp_span(attrs, **{"traceId": CHILD_TRACE, "spanId": CHILD_ROOT, "name": "run", **changes})


def _handoff(said: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": f"raindrop.handoff.{name}", "value": {"stringValue": text}} for name, text in said.items()]


ATTRIBUTES_OF_NOTHING = attributes(http__method="GET")
"""Of a span that says nothing of AI."""
