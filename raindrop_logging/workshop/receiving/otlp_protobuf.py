"""OTLP trace requests in protobuf, as plain spans.

In: the request's bytes.  Out: `OtlpSpan`s with hex ids and Python values.  Touches: nothing.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from raindrop_logging.workshop.receiving.otlp import OtlpSpan
from raindrop_logging.workshop.receiving.otlp_ids import SPAN_BYTES, TRACE_BYTES, id_of_bytes, optional_id_of_bytes
from raindrop_logging.workshop.refusals import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

    from raindrop_logging.workshop.records import Json


def read(body: bytes) -> list[OtlpSpan]:
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
    return list(_walked(request))


def as_json(body: bytes) -> Any:
    """An OTLP/protobuf request that `read` has taken, as its JSON."""
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    return MessageToDict(ExportTraceServiceRequest.FromString(body), use_integers_for_enums=True)


def _walked(request: ExportTraceServiceRequest) -> Iterator[OtlpSpan]:
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield _span(span, resource)


def _span(span: ProtoSpan, resource: Json) -> OtlpSpan:
    return OtlpSpan(
        trace_id=id_of_bytes(span.trace_id, TRACE_BYTES, "trace_id"),
        span_id=id_of_bytes(span.span_id, SPAN_BYTES, "span_id"),
        parent_id=optional_id_of_bytes(span.parent_span_id, SPAN_BYTES, "parent_span_id"),
        name=span.name,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        status_code=span.status.code,
        status_message=span.status.message,
        attributes=_attributes(span.attributes),
        events=tuple({"name": event.name, "attributes": _attributes(event.attributes)} for event in span.events),
        resource=resource,
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


_VALUES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "array_value": lambda array: [_value(item) for item in array.values],
    "kvlist_value": lambda pairs: _attributes(pairs.values),
    "bytes_value": lambda raw: base64.b64encode(raw).decode("ascii"),
}
"""Kinds of values that are not taken as they are, as in `otlp_json`."""


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    held = getattr(value, kind)
    read_held = _VALUES.get(kind)
    return read_held(held) if read_held else held
