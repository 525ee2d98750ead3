"""OTLP trace requests, JSON or protobuf, as plain spans.

In: the request's bytes.  Out: `OtlpSpan`s with hex ids and Python values.  Touches: nothing.
JSON ids may be hex (OTLP proper) or standard base64 (what Raindrop's own clients send): the wire contract's section 5.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from raindrop_logging.workshop.records import Json
from raindrop_logging.workshop.refusals import RefusedError, invalid, locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

TRACE_BYTES: Final = 16
SPAN_BYTES: Final = 8


class OtlpSpan(msgspec.Struct, frozen=True, kw_only=True):
    """One span as OTLP says it; times in nanoseconds since 1970, 0 when unknown."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start: int
    end: int
    status_code: int
    status_message: str
    attributes: Json
    events: tuple[Json, ...]
    resource: Json


class AttributeValue(msgspec.Struct, rename="camel"):
    """One of its fields is set: which one is the type."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    array_value: ArrayValue | None = None
    kvlist_value: PairsValue | None = None
    bytes_value: str | None = None


class ArrayValue(msgspec.Struct):
    """An attribute of several values."""

    values: list[AttributeValue] = []


class Pair(msgspec.Struct):
    """An attribute."""

    key: str
    value: AttributeValue | None = None


class PairsValue(msgspec.Struct):
    """An attribute of attributes."""

    values: list[Pair] = []


class SpanEvent(msgspec.Struct, rename="camel"):
    """Something that happened during a span, such as an exception."""

    name: str = ""
    time_unix_nano: int | str = 0
    attributes: list[Pair] = []


class SpanStatus(msgspec.Struct):
    """1 is ok, 2 an error; a code in words is read as unset."""

    code: int | str = 0
    message: str = ""


class JsonSpan(msgspec.Struct, rename="camel"):
    """A span; ids are hex or standard base64, times nanoseconds since 1970."""

    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    name: str = ""
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: list[Pair] = []
    events: list[SpanEvent] = []
    status: SpanStatus | None = None


class ScopeSpans(msgspec.Struct):
    """The spans of one library."""

    spans: list[JsonSpan] = []


class SpanResource(msgspec.Struct):
    """What ran: a service and its host."""

    attributes: list[Pair] = []


class ResourceSpans(msgspec.Struct, rename="camel"):
    """The spans of one resource."""

    resource: SpanResource | None = None
    scope_spans: list[ScopeSpans] = []


class TraceRequest(msgspec.Struct, rename="camel"):
    """An OTLP/JSON trace request."""

    resource_spans: list[ResourceSpans] = []


def read_json(body: Any) -> list[OtlpSpan]:
    """The spans of a decoded OTLP/JSON request.

    Raises:
        RefusedError: 400, naming the field.
    """
    try:
        request = msgspec.convert(body, TraceRequest)
    except msgspec.ValidationError as error:
        raise locate(error) from None
    return list(_walked(request))


def read_protobuf(body: bytes) -> list[OtlpSpan]:
    """The spans of an OTLP/protobuf request.

    Raises:
        RefusedError: 400, when the bytes are no such message or hold an id of the wrong length.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise RefusedError(400, "invalid_protobuf", f"The body is no OTLP trace request: {error}") from None
    return [
        _from_proto(span, _proto_attributes(group.resource.attributes))
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def as_json(body: bytes) -> Any:
    """An OTLP/protobuf request that `read_protobuf` has taken, as its JSON."""
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    return MessageToDict(ExportTraceServiceRequest.FromString(body), use_integers_for_enums=True)


def _walked(request: TraceRequest) -> Iterator[OtlpSpan]:
    for g, group in enumerate(request.resource_spans):
        resource = _attributes(group.resource.attributes if group.resource else [])
        for s, scope in enumerate(group.scope_spans):
            for n, span in enumerate(scope.spans):
                yield _from_json(span, resource, f"resourceSpans[{g}].scopeSpans[{s}].spans[{n}]")


def _from_json(span: JsonSpan, resource: Json, at: str) -> OtlpSpan:
    status = span.status or SpanStatus()
    return OtlpSpan(
        trace_id=known_id(span.trace_id, TRACE_BYTES, f"{at}.traceId"),
        span_id=known_id(span.span_id, SPAN_BYTES, f"{at}.spanId"),
        parent_id=_hex_id(span.parent_span_id or "", SPAN_BYTES, f"{at}.parentSpanId"),
        name=span.name,
        start=_integer(span.start_time_unix_nano, f"{at}.startTimeUnixNano"),
        end=_integer(span.end_time_unix_nano, f"{at}.endTimeUnixNano"),
        # A status code in words is read as unset, as Raindrop reads it.
        status_code=status.code if isinstance(status.code, int) else 0,
        status_message=status.message,
        attributes=_attributes(span.attributes),
        events=tuple({"name": event.name, "attributes": _attributes(event.attributes)} for event in span.events),
        resource=resource,
    )


def known_id(text: str, length: int, field: str) -> str:
    """An id in JSON as hex.

    Raises:
        RefusedError: 400, when it has no or another length, or is all zeros.
    """
    found = _hex_id(text, length, field)
    if found is None:
        raise invalid(field, "an id must not be empty or all zeros")
    return found


def _hex_id(text: str, length: int, field: str) -> str | None:
    """Hex of the exact length wins, else base64 of the exact length; empty and zero are None."""
    is_hex = re.fullmatch(rf"[0-9a-fA-F]{{{2 * length}}}", text)
    raw = bytes.fromhex(text) if is_hex else _base64(text)
    if raw and len(raw) != length:
        raise invalid(field, f"an id is {length} bytes as hex or standard base64, not {text[:64]!r}")
    return raw.hex() if any(raw) else None


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b"?"


def _integer(value: int | str, field: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise invalid(field, f"Expected an integer or its decimal text, got {str(value)[:64]!r}") from None


def _attributes(pairs: Iterable[Pair]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AttributeValue | None) -> Any:
    if value is None:
        return None
    if value.int_value is not None:
        return _integer(value.int_value, "intValue")
    if value.array_value is not None:
        return [_value(item) for item in value.array_value.values]
    if value.kvlist_value is not None:
        return _attributes(value.kvlist_value.values)
    plain = (value.string_value, value.bool_value, value.double_value, value.bytes_value)
    return next((item for item in plain if item is not None), None)


def _from_proto(span: ProtoSpan, resource: Json) -> OtlpSpan:
    return OtlpSpan(
        trace_id=_known_bytes(span.trace_id, TRACE_BYTES, "trace_id"),
        span_id=_known_bytes(span.span_id, SPAN_BYTES, "span_id"),
        parent_id=span.parent_span_id.hex() if any(span.parent_span_id) else None,
        name=span.name,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        status_code=span.status.code,
        status_message=span.status.message,
        attributes=_proto_attributes(span.attributes),
        events=tuple({"name": event.name, "attributes": _proto_attributes(event.attributes)} for event in span.events),
        resource=resource,
    )


def _known_bytes(raw: bytes, length: int, field: str) -> str:
    if len(raw) != length or not any(raw):
        raise invalid(field, f"an id is {length} bytes, not all zero")
    return raw.hex()


def _proto_attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _proto_value(pair.value) for pair in pairs}


_PROTO_VALUES: Final[dict[str, Callable[[Any], Any]]] = {
    "array_value": lambda array: [_proto_value(item) for item in array.values],
    "kvlist_value": lambda pairs: _proto_attributes(pairs.values),
    "bytes_value": lambda raw: base64.b64encode(raw).decode("ascii"),
}


def _proto_value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    held = getattr(value, kind)
    read = _PROTO_VALUES.get(kind)
    return read(held) if read else held
