"""Say a span as OTLP protobuf, in opentelemetry's own messages, with the attributes that Raindrop reads.

One span becomes one whole ``ExportTraceServiceRequest``; protobuf joins such texts by laying them end to end, so a
batch needs no second encoding.

In: Told of lane traces
Out: bytes
Touches: nothing (pure); opentelemetry's messages are imported when the first span is encoded
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from raindrop_logging._pipeline.entries import Told
from raindrop_logging.identifiers import span_id, trace_id_of_event
from raindrop_logging.late_imports import not_across_fork
from raindrop_logging.offered_tools import offered_tool
from raindrop_logging.vocabulary import Message, Span, instant

OPERATIONS = {"tool": "ai.toolCall", "llm": "ai.generateText"}
CANONICAL_KINDS = {"workflow": "agent_root", "task": "trace", "tool": "tool_call", "llm": "llm_call", "trace": "trace"}
"""``ai.operationId`` and ``raindrop.span.kind`` by kind (wire contract, section 5)."""

_MAX_INT = 2**63

_json = msgspec.json.Encoder().encode
Cut = Callable[[str], str]


class SpanEncoder:
    """Encodes spans of one service.

    Args:
        service_name, service_version: of the OTLP resource.
        library_version: of the instrumentation scope.
        project_id: also an attribute of every span, since one request may mix projects.
        stamp: more such attributes, by what the span says itself; asked when the first span is encoded, not before.
    """

    def __init__(
        self,
        *,
        service_name: str,
        service_version: str,
        library_version: str,
        project_id: str | None,
        stamp: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda _said: {},
    ) -> None:
        self._resource = {"service.name": service_name, "service.version": service_version}
        self._library_version = library_version
        self._project_id = project_id
        self._stamp = stamp
        self._encode: Callable[[Mapping[str, Any]], bytes] | None = None

    def __call__(self, told: Told, cut: Cut) -> bytes:
        """One span as a whole OTLP request; ``cut`` shortens a text."""
        if self._encode is None:
            self._encode = _protobuf_encoder(self._resource, self._library_version)
        span: Span = told.block
        start, end = times(span, told.timestamp or 0.0)
        return self._encode(
            {
                "name": span.name,
                "trace_id": told.trace_id or trace_id_of_event(told.event_id),
                "span_id": span.span_id or span_id(told.bits),
                "parent_id": span.parent_id,
                "start": start,
                "end": end,
                "attributes": self._attributes(span, end - start, cut),
                "error": _error(span.error, cut),
            }
        )

    def _attributes(self, span: Span, nanoseconds: int, cut: Cut) -> dict[str, Any]:
        kind = span.kind or "trace"
        own = span.attributes or {}
        stamped = self._stamp({**(span.properties or {}), **own})
        found: dict[str, Any] = {key: _value(value, cut) for key, value in {**stamped, **own}.items()}
        for key, value in (span.properties or {}).items():
            found[f"traceloop.association.properties.{key}"] = _value(value, cut)
        said = _association(span) | {
            "traceloop.span.kind": kind,
            "traceloop.entity.name": span.name,
            "traceloop.entity.version": span.version,
            "traceloop.entity.input": _text(span.input, cut),
            "traceloop.entity.output": _text(span.output, cut),
            "traceloop.entity.duration_ms": round(nanoseconds / 1_000_000),
            "ai.operationId": OPERATIONS.get(kind),
            "raindrop.span.kind": CANONICAL_KINDS[kind],
            "raindrop.project_id": self._project_id,
        }
        if kind == "workflow":
            said["traceloop.workflow.name"] = span.name
        elif kind == "tool":
            said |= _tool(span, cut)
        elif kind == "llm":
            said |= _llm(span, cut)
        return _present(found) | _present(said)


def _present(found: Mapping[str, Any]) -> dict[str, Any]:
    """What is said; a field that is absent must not take an attribute's place."""
    return {key: value for key, value in found.items() if value is not None}


def times(span: Span, recorded: float) -> tuple[int, int]:
    """Start and end in nanoseconds: as given, else from the duration, else the time of the record."""
    length = round((span.duration_ms or 0.0) * 1_000_000)
    start = None if span.start_time is None else _nanoseconds(instant("start_time", span.start_time))
    end = None if span.end_time is None else _nanoseconds(instant("end_time", span.end_time))
    if end is None:
        end = start + length if start is not None and span.duration_ms is not None else _nanoseconds(recorded)
    if start is None:
        start = end - length
    return start, max(start, end)


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1_000_000) * 1_000


def _association(span: Span) -> dict[str, Any]:
    """Whose span it is, in each name that a reader of Raindrop's looks for."""
    prefix = "traceloop.association.properties."
    return {
        f"{prefix}event_id": span.event_id,
        f"{prefix}user_id": span.user_id,
        f"{prefix}convo_id": span.convo_id,
        f"{prefix}event": span.event,
        f"{prefix}event_name": span.event,
        "ai.telemetry.metadata.raindrop.eventId": span.event_id,
        "raindrop.event.id": span.event_id,
        "raindrop.event.name": span.event,
        "raindrop.user.id": span.user_id,
        "raindrop.convo.id": span.convo_id,
    }


def _tool(span: Span, cut: Cut) -> dict[str, Any]:
    return {
        "gen_ai.tool.name": span.name,
        "raindrop.tool.name": span.name,
        "ai.toolCall.args": _text(span.input, cut),
        "ai.toolCall.result": _text(span.output, cut),
    }


def _llm(span: Span, cut: Cut) -> dict[str, Any]:
    output = _text(span.output, cut)
    found: dict[str, Any] = {
        "ai.model.id": span.model,
        "gen_ai.request.model": span.model,
        "gen_ai.response.model": span.model,
        "ai.model.provider": span.provider,
        "gen_ai.system": span.provider,
        "gen_ai.provider.name": span.provider,
        "ai.response.text": output,
        "gen_ai.completion.0.role": None if output is None else "assistant",
        "gen_ai.completion.0.content": output,
        "gen_ai.usage.input_tokens": span.input_tokens,
        "gen_ai.usage.output_tokens": span.output_tokens,
        "ai.prompt.tools": [_text(offered_tool(tool), cut) or "" for tool in span.tools]
        if span.tools is not None
        else None,
    }
    if span.messages is None:
        return found | {"ai.prompt": _text(span.input, cut)}
    return found | _prompt(span.messages, cut)


def _prompt(messages: Sequence[Message], cut: Cut) -> dict[str, Any]:
    plain = [
        {key: value for key, value in msgspec.to_builtins(message).items() if value is not None} for message in messages
    ]
    found: dict[str, Any] = {"ai.prompt.messages": cut(_json(plain).decode())}
    for number, message in enumerate(messages):
        found[f"gen_ai.prompt.{number}.role"] = message.role
        found[f"gen_ai.prompt.{number}.content"] = _text(message.content, cut)
    return found


def _text(value: Any, cut: Cut) -> str | None:
    """Texts raw, everything else as JSON (wire contract, section 11: span input and output)."""
    if value is None:
        return None
    return cut(value if isinstance(value, str) else _json_text(value))


def _json_text(value: Any) -> str:
    try:
        return _json(value).decode()
    except (TypeError, ValueError, RecursionError):  # keys that JSON has no text for
        return str(value)


_PLAIN = (str, bool, int, float)


def _value(value: Any, cut: Cut) -> Any:
    """An attribute as OpenTelemetry knows it: str, bool, int, float or a list of one of them; else JSON text."""
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return value if -_MAX_INT <= value < _MAX_INT else str(value)
    if isinstance(value, list) and value and len({type(one) for one in value}) == 1 and isinstance(value[0], _PLAIN):
        return [_value(one, cut) for one in value]
    return _text(value, cut)


def _error(error: Any, cut: Cut) -> dict[str, str] | None:
    """What failed, as {message, type?, stack?}; None where nothing did."""
    if error is None or error is False:
        return None
    if isinstance(error, dict):
        said = {key: cut(str(error[key])) for key in ("type", "message", "stack") if error.get(key) is not None}
        said.setdefault("message", said.get("type") or _text(error, cut) or "error")
        return said
    return {"message": _text(error, cut) or "error"}


def _protobuf_encoder(resource: Mapping[str, str], version: str) -> Callable[[Mapping[str, Any]], bytes]:
    """What lays out a span in opentelemetry's own protobuf messages.

    These alone: with the API or the SDK loaded, every span of ours would also be made known to OpenTelemetry's context
    (`raindrop_logging.otel_context`), in a process where nobody looks there.
    """
    with not_across_fork:
        from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
        from opentelemetry.proto.resource.v1.resource_pb2 import Resource
        from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

    def any_value(value: Any) -> AnyValue:
        if isinstance(value, list):
            return AnyValue(array_value=ArrayValue(values=[any_value(one) for one in value]))
        return AnyValue(**{_FIELDS_OF_VALUES[type(value)]: value})

    def attributes(said: Mapping[str, Any]) -> list[KeyValue]:
        return [KeyValue(key=key, value=any_value(value)) for key, value in said.items()]

    def failed(error: Mapping[str, str], at: int) -> Any:
        said = {f"exception.{_EXCEPTION.get(key, key)}": text for key, text in error.items()}
        return Span.Event(name="exception", time_unix_nano=at, attributes=attributes(said))

    service = Resource(attributes=attributes(resource))
    scope = InstrumentationScope(name="raindrop-logging", version=version)

    def encode(said: Mapping[str, Any]) -> bytes:
        error = said["error"]
        span = Span(
            trace_id=bytes.fromhex(said["trace_id"]),
            span_id=bytes.fromhex(said["span_id"]),
            parent_span_id=bytes.fromhex(said["parent_id"] or ""),
            flags=_PARENT_IS_HERE,
            name=said["name"],
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=said["start"],
            end_time_unix_nano=said["end"],
            attributes=attributes(said["attributes"]),
            events=[failed(error, said["end"])] if error else [],
            status=Status(code=Status.STATUS_CODE_ERROR, message=error["message"])
            if error
            else Status(code=Status.STATUS_CODE_OK),
        )
        spans = ScopeSpans(scope=scope, spans=[span])
        whole = TracesData(resource_spans=[ResourceSpans(resource=service, scope_spans=[spans])])
        return bytes(whole.SerializeToString())

    return encode


_EXCEPTION = {"stack": "stacktrace"}
_FIELDS_OF_VALUES = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}
_PARENT_IS_HERE = 0x100
"""SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE without SPAN_FLAGS_CONTEXT_IS_REMOTE: it is known, and it is not."""
