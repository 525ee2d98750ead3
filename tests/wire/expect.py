"""The words that expectations are written in: one function for each shape that may go over the wire.

Each is written by hand from the published HTTP API and the package's promises, never computed by the package.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from tests.wire.matching import HEX16, HEX32, MICROSECONDS, NANOSECONDS, UUID, Json, Like
from tests.wire.recorder import Answer

MARKER = "...[truncated by raindrop]"
MEBIBYTE = 1_048_576

BATCHED: Mapping[str, Any] = {"upload_interval": 60, "partial_flush_interval": 60, "trace_flush_interval": 60}
"""Only flush sends: what is said before it goes out together, however slow the machine."""

EAGER: Mapping[str, Any] = {"upload_interval": 60, "partial_flush_interval": 0.02, "trace_flush_interval": 60}
"""An open interaction is due at once; the cases wait for each partial to arrive before they go on."""


QUICK: Mapping[str, Any] = {"base_delay": 0.01, "max_delay": 0.02, "jitter": 0}
"""Retries come soon."""

PATIENT: Mapping[str, Any] = {"base_delay": 600, "max_delay": 600, "jitter": 0}
"""Retries and probes never come while a test runs."""


@dataclass(frozen=True)
class Arrived:
    """A step that waits until n requests have arrived in all."""

    n: int


@dataclass(frozen=True)
class Said:
    """A step that logs one block with a message of its own."""

    message: str
    block: Mapping[str, Any]


@dataclass(frozen=True)
class Sent:
    """One request that must arrive: its route, its body (spans in plain form), and the path before the route."""

    route: str
    body: Any
    prefix: str = "/v1/"


Step = Said | Arrived | dict[str, Any] | Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is said, what must arrive, and which recorded items pair with ours.

    Args:
        name: also the name of the recording it answers.
        says: blocks to log, moments to wait for, programs to run; a flush follows the last.
        sends: the requests that must arrive; within one route in this order.
        settings: handler keys beside the key; `{base}` stands for the recorder's address.
        environ: variables of the process; `{base}` as above, `{netrc}` for a netrc file that knows the recorder.
        answers: what the server says, in order; then 204.
        pairs: recorded item to our item (in the order of `sends`); None where one side sends nothing.
        left: records that are still waiting at the end.
        refused: records that the server has refused at the end.
        unordered: requests of one route may overtake each other, since they share no event.
        refuses: what the message must name where the set-up itself is refused.
        compared: whether there is a recording of this.
    """

    name: str
    says: Sequence[Step]
    sends: Sequence[Sent]
    settings: Mapping[str, Any] = field(default_factory=lambda: BATCHED)
    environ: Mapping[str, str] = field(default_factory=dict)
    answers: Sequence[Answer] = ()
    pairs: Sequence[tuple[int | None, int | None]] | None = None
    left: int = 0
    refused: int = 0
    unordered: bool = False
    refuses: str | None = None
    compared: bool = True


CONTEXT: Mapping[str, Any] = {
    "$context": {
        "library": {"name": "raindrop-logging", "version": version("raindrop-logging")},
        "metadata": {"pyVersion": f"v{platform.python_version()}"},
    }
}


# ---- the words the expectations are written in ---------------------------------------------------------------------


def event(
    user_id: str, name: str, *, properties: Mapping[str, Any] | None = None, traced: bool | None = None, **more: Any
) -> dict[str, Any]:
    """An event as it must look on the wire; ids and times stand for any good ones unless given.

    One that speaks of a model's work names its trace, so that its spans are found.
    """
    speaks_of_work = "ai_data" in more if traced is None else traced
    trace = {"trace_id": HEX32} if speaks_of_work else {}
    return {
        "event_id": UUID,
        "user_id": user_id,
        "event": name,
        "timestamp": MICROSECONDS,
        "properties": {**(properties or {}), **trace, **CONTEXT},
        **more,
    }


def slow(*, pending: bool, properties: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A partial of the interaction `evt-slow`: its identity and the time of its begin go along every time."""
    return {
        "event_id": "evt-slow",
        "user_id": "u1",
        "event": "chat",
        "timestamp": THREE_FOUR_FIVE,
        "properties": {**(properties or {}), "trace_id": HEX32, **CONTEXT},
        "is_pending": pending,
        **more,
    }


def signal(name: str, **more: Any) -> dict[str, Any]:
    """A signal about the event `evt1`."""
    return {"event_id": "evt1", "signal_name": name, "signal_type": "default", "timestamp": MICROSECONDS, **more}


def span(name: str, kind: str, attributes: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A span as it must look on the wire, all well unless `more` says otherwise."""
    return {
        "name": name,
        "kind": 1,
        "trace_id": HEX32,
        "span_id": HEX16,
        "parent_id": "",
        "start": NANOSECONDS,
        "end": NANOSECONDS,
        "status": {"code": "OK", "message": ""},
        "attributes": {
            "traceloop.span.kind": kind,
            "traceloop.entity.name": name,
            "traceloop.entity.duration_ms": 0,
            **_OF_KIND[kind](name),
            **(attributes or {}),
        },
        "events": [],
        "scope": "raindrop-logging",
        "resource": RESOURCE,
        **more,
    }


_OF_KIND: Mapping[str, Callable[[str], Mapping[str, Any]]] = {
    "workflow": lambda name: {"raindrop.span.kind": "agent_root", "traceloop.workflow.name": name},
    "task": lambda _: {"raindrop.span.kind": "trace"},
    "tool": lambda name: {
        "raindrop.span.kind": "tool_call",
        "raindrop.tool.name": name,
        "gen_ai.tool.name": name,
        "ai.operationId": "ai.toolCall",
    },
    "llm": lambda _: {"raindrop.span.kind": "llm_call", "ai.operationId": "ai.generateText"},
}
"""What the kind alone adds: the operation by which the server keeps a span, and the canonical names."""


def about(event_id: str, user_id: str, name: str, convo_id: str | None = None) -> dict[str, Any]:
    """The attributes by which a span finds its event, in every spelling that a reader is known to look for."""
    ids: dict[str, Any] = {
        "traceloop.association.properties.event_id": event_id,
        "traceloop.association.properties.user_id": user_id,
        "traceloop.association.properties.event": name,
        "traceloop.association.properties.event_name": name,
        "ai.telemetry.metadata.raindrop.eventId": event_id,
        "raindrop.event.id": event_id,
        "raindrop.event.name": name,
        "raindrop.user.id": user_id,
    }
    if convo_id is not None:
        ids |= {"traceloop.association.properties.convo_id": convo_id, "raindrop.convo.id": convo_id}
    return ids


def spoke(*, given: object = None, gave: object = None, tool: bool = True) -> dict[str, Any]:
    """Input and output of a span: texts as they are, the rest as JSON; tools say them twice."""
    said: dict[str, Any] = {}
    for name, tool_name, value in (("input", "args", given), ("output", "result", gave)):
        if value is not None:
            text = value if isinstance(value, str) else Json(value)
            said |= {f"traceloop.entity.{name}": text, **({f"ai.toolCall.{tool_name}": text} if tool else {})}
    return said


def span_ids(own: str, parent: str | None = None) -> dict[str, str]:
    """A span's own id and its parent's, from their last two digits; an empty parent is said too."""
    ids = {"span_id": own.rjust(16, "0")}
    if parent is not None:
        ids["parent_id"] = parent.rjust(16, "0") if parent else ""
    return ids


STACK = Like(r"Traceback \(most recent call last\):\n.*: .*\n")
"""The stack of an exception that was raised."""


def failed(message: str, **more: str) -> dict[str, Any]:
    """Status and events of a span that failed."""
    attributes = {"exception.message": message, **{f"exception.{key}": value for key, value in more.items()}}
    return {
        "status": {"code": "ERROR", "message": message},
        "events": [{"name": "exception", "attributes": attributes}],
    }


RESOURCE: Mapping[str, Any] = {"service.name": "raindrop-logging", "service.version": version("raindrop-logging")}
MINTED = tuple(f"00000000-0000-4000-8000-{number:012d}" for number in range(10))
"""Event ids where the recorded program let the SDK make one, so that ours can be told apart."""

THREE_FOUR_FIVE = "2026-01-02T03:04:05.000000Z"
"""The moment the cases give as a timestamp."""
