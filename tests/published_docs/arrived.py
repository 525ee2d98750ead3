"""What arrived at the recorder, taken apart the way the documentation speaks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import raindrop_logging as raindrop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.wire.recorder import Recorder

KEY = "rk_docs"
PATIENCE = 10.0
ASSOCIATION = "traceloop.association.properties."
_IDS = ("event_id", "user_id", "event", "convo_id")
_ENTITY = ("version", "input", "output")


class Arrived:
    """Reads what the handler has sent to a recorder; each answer flushes first.

    Args:
        recorder: where the handler sends to.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.keys: dict[str, Any] = {
            "endpoint": recorder.endpoint,
            "upload_interval": 600,
            "partial_flush_interval": 600,
            "trace_flush_interval": 600,
        }
        """Handler keys with which nothing leaves by itself."""

    def all(self, route: str) -> list[dict[str, Any]]:
        """The items sent to one route, arrays taken apart, in order."""
        result = raindrop.flush(PATIENCE)
        assert result, result
        return self.recorder.items(route)

    def one(self, route: str) -> dict[str, Any]:
        """The only item sent to one route."""
        (item,) = self.all(route)
        return item

    def event(self) -> dict[str, Any]:
        """The only complete event, without what every SDK adds: see `plain_event`."""
        return plain_event(self.one("events/track"))

    def signals(self) -> list[dict[str, Any]]:
        """The signals, without their times."""
        return [without(signal, "timestamp") for signal in self.all("signals/track")]

    def spans(self) -> dict[str, dict[str, Any]]:
        """The spans by their names, each of which is there once."""
        assert raindrop.flush(PATIENCE)
        found = self.recorder.spans()
        named = {span["name"]: span for span in found}
        assert len(named) == len(found), [span["name"] for span in found]
        return named

    def span(self) -> dict[str, Any]:
        """The only span."""
        (span,) = self.spans().values()
        return span


def without(item: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """A copy that lacks some keys."""
    return {key: value for key, value in item.items() if key not in keys}


def plain_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as the HTTP API describes it, without id, time, trace and the library's own context."""
    properties = without(event.get("properties", {}), "$context", "trace_id")
    attachments = [without(attachment, "attachment_id") for attachment in event.get("attachments", [])]
    found = without(event, "event_id", "timestamp", "properties", "attachments")
    found |= {"properties": properties} if properties else {}
    return found | ({"attachments": attachments} if attachments else {})


def told(span: Mapping[str, Any]) -> dict[str, Any]:
    """What a span says of its work: kind, version, input, output, its own properties, and its error if it failed."""
    attributes = span["attributes"]
    found = {"kind": attributes["traceloop.span.kind"]}
    found |= {key: attributes[f"traceloop.entity.{key}"] for key in _ENTITY if f"traceloop.entity.{key}" in attributes}
    own = without(_association(span), *_IDS, "event_name")
    found |= {"properties": own} if own else {}
    return found | ({"error": span["status"]["message"]} if span["status"]["code"] == "ERROR" else {})


def whose(span: Mapping[str, Any]) -> dict[str, Any]:
    """The interaction that a span says it belongs to."""
    return {key: value for key, value in _association(span).items() if key in _IDS}


def _association(span: Mapping[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = span["attributes"]
    return {key.removeprefix(ASSOCIATION): value for key, value in attributes.items() if key.startswith(ASSOCIATION)}


def tree(spans: Mapping[str, Mapping[str, Any]]) -> dict[str, str | None]:
    """The name of each span's parent, by its own; None for a root. All of them are of one trace."""
    assert len({span["trace_id"] for span in spans.values()}) == 1
    names = {span["span_id"]: name for name, span in spans.items()}
    return {name: names[span["parent_id"]] if span["parent_id"] else None for name, span in spans.items()}


def is_tool_call(span: Mapping[str, Any]) -> bool:
    """Whether a span has every attribute by which a tool's call is shown, saying what the span itself says."""
    attributes, said = span["attributes"], told(span)
    shown = ("ai.operationId", "gen_ai.tool.name", "ai.toolCall.args", "ai.toolCall.result")
    expected = ["ai.toolCall", span["name"], said.get("input"), said.get("output")]
    return said["kind"] == "tool" and [attributes.get(key) for key in shown] == expected
