"""What has arrived at a recorder, as the tests of this directory read it: a tree of spans, and what models were told.

OpenLLMetry's instrumentations say messages in one of two ways: the older ones have an attribute for each piece, such
as ``gen_ai.prompt.0.content``, the newer ones a JSON text for all, ``gen_ai.input.messages``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.arrivals import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from tests.wire.recorder import Recorder

Span = dict[str, Any]


def in_order(recorder: Recorder) -> list[Span]:
    """The spans, in the order in which they started."""
    return sorted(recorder.spans(), key=lambda span: int(span["start"]))


def nesting(spans: Iterable[Span]) -> list[tuple[str, str | None]]:
    """Each span's name and its parent's, in their order; None for a root. All of them are of one trace."""
    spans = list(spans)
    assert len({span["trace_id"] for span in spans}) == 1
    names = {span["span_id"]: span["name"] for span in spans}
    return [(span["name"], names[span["parent_id"]] if span["parent_id"] else None) for span in spans]


def tree(spans: Iterable[Span]) -> dict[str, str | None]:
    """The name of each span's parent, by its own, which is there once."""
    pairs = nesting(spans)
    found = dict(pairs)
    assert len(found) == len(pairs), pairs
    return found


def kinds(spans: Iterable[Span]) -> list[str]:
    """Each span's kind."""
    return [span["attributes"]["traceloop.span.kind"] for span in spans]


def belongs(span: Span) -> dict[str, Any]:
    """The interaction that a span says it belongs to, by what the official SDKs say it with."""
    return {key.removeprefix(PREFIX): value for key, value in span["attributes"].items() if key.startswith(PREFIX)}


def is_marked(attributes: Mapping[str, Any]) -> bool:
    """Whether attributes say anything that Raindrop alone reads."""
    marks = (PREFIX, "raindrop.", "ai.telemetry.metadata.raindrop.")
    return any(key.startswith(marks) for key in attributes)


def exported_by(exporter: InMemorySpanExporter) -> list[Span]:
    """What the application's own exporter has got, said as the recorder says spans, in the order of ending."""
    return [
        {
            "name": span.name,
            "trace_id": f"{span.context.trace_id:032x}",
            "span_id": f"{span.context.span_id:016x}",
            "parent_id": f"{span.parent.span_id:016x}" if span.parent else "",
            "start": span.start_time,
            "end": span.end_time,
            "status": {"code": span.status.status_code.name, "message": span.status.description or ""},
            "attributes": dict(span.attributes or {}),
            "events": [{"name": event.name, "attributes": dict(event.attributes or {})} for event in span.events],
        }
        for span in exporter.get_finished_spans()
    ]


# ---- what a model was told, and what it said ------------------------------------------------------------------------


def asked(span: Span) -> list[dict[str, Any]]:
    """The messages that went in; see `_message`."""
    return _messages(span["attributes"], "gen_ai.input.messages", "gen_ai.prompt.")


def answered(span: Span) -> list[dict[str, Any]]:
    """The messages that came out."""
    return _messages(span["attributes"], "gen_ai.output.messages", "gen_ai.completion.")


def _messages(attributes: Mapping[str, Any], whole: str, numbered: str) -> list[dict[str, Any]]:
    if whole in attributes:
        return [_of_parts(message) for message in json.loads(attributes[whole])]
    found: list[dict[str, Any]] = []
    while any(key.startswith(f"{numbered}{len(found)}.") for key in attributes):
        found.append(_of_pieces(attributes, f"{numbered}{len(found)}."))
    return found


def _message(role: str, text: str | None, calls: list[tuple[str, Any]]) -> dict[str, Any]:
    """One message: its role, its text and the tools it calls with their arguments, if any."""
    return {"role": role, **({"text": text} if text else {}), **({"calls": calls} if calls else {})}


def _of_parts(message: Mapping[str, Any]) -> dict[str, Any]:
    parts = message["parts"]
    texts = [part.get("content", part.get("response")) for part in parts if part["type"] != "tool_call"]
    calls = [(part["name"], part["arguments"]) for part in parts if part["type"] == "tool_call"]
    return _message(message["role"], "".join(text for text in texts if text), calls)


def _of_pieces(attributes: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    calls: list[tuple[str, Any]] = []
    while (name := attributes.get(f"{prefix}tool_calls.{len(calls)}.name")) is not None:
        calls.append((name, json.loads(attributes[f"{prefix}tool_calls.{len(calls)}.arguments"])))
    return _message(attributes[f"{prefix}role"], attributes.get(f"{prefix}content"), calls)
