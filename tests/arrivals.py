"""What has arrived at a recorder, in the words that the tests of the verbs use."""

from __future__ import annotations

from collections.abc import Callable
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


Spans = Callable[[], dict[str, dict[str, Any]]]
"""Asks for the spans that have been sent so far, by name; the fixture ``spans`` of the tests of spans."""


def said(span: dict[str, Any], key: str) -> Any:
    """Input, output, version or name of a span, as its entity says it; None where it does not."""
    return span["attributes"].get(f"traceloop.entity.{key}")


def failure(span: dict[str, Any]) -> dict[str, Any] | None:
    """The one exception that a failed span recorded: type, message and stack; None where it did not fail."""
    if span["status"]["code"] != "ERROR":
        assert span["events"] == []
        return None
    (event,) = span["events"]
    assert (event["name"], event["attributes"]["exception.message"]) == ("exception", span["status"]["message"])
    return {key.removeprefix("exception."): value for key, value in event["attributes"].items()}


def is_kept(span: dict[str, Any]) -> bool:
    """Whether the server's ingestion filter lets a span pass: by what it says of AI work, or of whose it is."""
    wanted = {"ai.operationId", "traceloop.span.kind", "traceloop.workflow.name"}
    wanted |= {f"{PREFIX}{key}" for key in ("event_id", "user_id", "convo_id")}
    return any(key in wanted or key.startswith("gen_ai.") for key, value in span["attributes"].items() if value != "")
