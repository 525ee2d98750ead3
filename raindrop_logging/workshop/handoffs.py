"""Detached sub-agents: which event launched which, and how the launched one fares.

In: spans, and what else is known of a sub-agent.  Out: `Link`s and states.  Touches: nothing.
A launching turn and its sub-agent are two events, often of two processes and two traces. Only attributes tie them: the
span that dispatched the job names the event to come, and every span of that event names the launcher and the
dispatching span. Either side may arrive first, or alone, so what one side says is enough for a link.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from raindrop_logging.workshop.records import Json, Span

CHILD: Final = "raindrop.handoff.childEventId"
PARENT: Final = "raindrop.handoff.parentEventId"
PARENT_SPAN: Final = "raindrop.handoff.parentSpanId"
NAME: Final = "raindrop.handoff.name"
TERMINAL: Final = ("raindrop.handoff.terminal", "ai.telemetry.metadata.raindrop.handoff.terminal")
OPERATION: Final = "ai.operationId"

CANCELLED: Final = "cancelled"
NEVER_BEGAN: Final = "ai.subagent.failed"
"""The one span of a sub-agent that failed before it opened any other."""

State = Literal["queued", "running", "finished", "failed", "cancelled"]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """The event at the other end of a hand-off; `span_id` is always the dispatching span's, `name` the sub-agent's."""

    event_id: str
    span_id: str | None = None
    name: str | None = None


class Subagent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that another one launched, and how it fares."""

    link: Link
    state: State


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """As much of a sub-agent's span as its state depends on.

    `parent_is_stored` tells whether the span's parent has arrived, as whoever's span.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    parent_is_stored: bool
    failed: bool
    never_began: bool
    cancelled: bool


def launches(spans: Iterable[Span]) -> Iterator[Link]:
    """The sub-agents that a launcher's spans dispatched, in the order of the spans."""
    for span in spans:
        child = _text(span.attributes, CHILD)
        if child:
            yield Link(event_id=child, span_id=span.span_id, name=_text(span.attributes, NAME))


def claim(spans: Iterable[Span]) -> Link | None:
    """The launcher that a sub-agent's own spans name, if any does.

    A span of the sub-agent that itself dispatches another one bears the other one's name, so it is asked last.
    """
    claiming = [span.attributes for span in spans if _text(span.attributes, PARENT)]
    first = min(claiming, key=lambda attributes: CHILD in attributes, default=None)
    if first is None:
        return None
    return Link(event_id=first[PARENT], span_id=_text(first, PARENT_SPAN), name=_text(first, NAME))


def others(span: Span) -> Iterator[str]:
    """The events that this span ties its own event to."""
    for key in (CHILD, PARENT):
        event_id = _text(span.attributes, key)
        if event_id:
            yield event_id


def state(steps: Sequence[Step], *, pending: bool | None, dispatched_by: str | None) -> State:
    """How a sub-agent fares: an end that its spans tell counts more than the event's own.

    Args:
        steps: all its spans that have arrived.
        pending: whether its event is still open; None when no event has arrived.
        dispatched_by: the id of the span that launched it, where known.
    """
    if any(step.cancelled for step in steps):
        return "cancelled"
    if any(step.never_began for step in steps) or _a_root_failed(steps, dispatched_by, final=pending is False):
        return "failed"
    if pending is False:
        return "finished"
    return "running" if pending or steps else "queued"


def _a_root_failed(steps: Sequence[Step], dispatched_by: str | None, *, final: bool) -> bool:
    """Whether a span failed that lies in no other span of the sub-agent.

    Inner spans end, and are sent, before those around them: while the event is open, a parent that nobody has seen
    is taken for the sub-agent's own, still to come. A tool that failed is no sub-agent that failed.
    """
    own = {(step.trace_id, step.span_id) for step in steps}
    return any(
        step.failed
        and (step.trace_id, step.parent_id) not in own
        and (final or step.parent_is_stored or step.parent_id in (None, dispatched_by))
        for step in steps
    )


def _text(attributes: Json, name: str) -> str | None:
    value = attributes.get(name)
    return value if isinstance(value, str) and value else None
