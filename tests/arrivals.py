"""What has arrived at a recorder, in the words that the tests of the verbs use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder

PREFIX = "traceloop.association.properties."


def complete(recorder: Recorder) -> list[dict[str, Any]]:
    """Whole events, in the order of arrival."""
    return recorder.items("events/track")


def partials(recorder: Recorder) -> list[dict[str, Any]]:
    """Partials, in the order of arrival."""
    return recorder.bodies("events/track_partial")


def the_event(recorder: Recorder) -> dict[str, Any]:
    """The one complete event that arrived."""
    (event,) = complete(recorder)
    return event


def by_name(recorder: Recorder) -> dict[str, dict[str, Any]]:
    """Every span by its name; no name may come twice."""
    spans = recorder.spans()
    found = {span["name"]: span for span in spans}
    assert len(found) == len(spans), sorted(span["name"] for span in spans)
    return found


def the_span(recorder: Recorder) -> dict[str, Any]:
    """The one span that arrived."""
    (span,) = recorder.spans()
    return span


def event_of(span: dict[str, Any]) -> str | None:
    """The event that a span says it belongs to."""
    event_id: str | None = span["attributes"].get(f"{PREFIX}event_id")
    return event_id


def whose(span: dict[str, Any]) -> dict[str, Any]:
    """Everything by which a span could be found to be somebody's."""
    keys = ("event_id", "user_id", "event", "event_name", "convo_id")
    wanted = {*(f"{PREFIX}{key}" for key in keys), "ai.telemetry.metadata.raindrop.eventId"}
    wanted |= {"raindrop.event.id", "raindrop.event.name", "raindrop.user.id", "raindrop.convo.id"}
    return {key: value for key, value in span["attributes"].items() if key in wanted}
