"""OTLP trace requests in JSON, as plain spans.

In: a decoded JSON value.  Out: `OtlpSpan`s with hex ids and Python values.  Touches: nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from raindrop_logging.workshop.receiving.otlp import OtlpSpan
from raindrop_logging.workshop.receiving.otlp_ids import SPAN_BYTES, TRACE_BYTES, known_id, optional_id
from raindrop_logging.workshop.refusals import converted, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from raindrop_logging.workshop.records import Json


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


def read(body: Any) -> list[OtlpSpan]:
    """The spans of a decoded OTLP/JSON request.

    Raises:
        RefusedError: 400, naming the field.
    """
    return list(_walked(converted(body, TraceRequest)))


def _walked(request: TraceRequest) -> Iterator[OtlpSpan]:
    for g, group in enumerate(request.resource_spans):
        resource = _attributes(group.resource.attributes if group.resource else [])
        for s, scope in enumerate(group.scope_spans):
            for n, span in enumerate(scope.spans):
                yield _span(span, resource, f"resourceSpans[{g}].scopeSpans[{s}].spans[{n}]")


def _span(span: JsonSpan, resource: Json, at: str) -> OtlpSpan:
    status = span.status or SpanStatus()
    return OtlpSpan(
        trace_id=known_id(span.trace_id, TRACE_BYTES, f"{at}.traceId"),
        span_id=known_id(span.span_id, SPAN_BYTES, f"{at}.spanId"),
        parent_id=optional_id(span.parent_span_id or "", SPAN_BYTES, f"{at}.parentSpanId"),
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


def _integer(value: int | str, field: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise invalid(field, f"Expected an integer or its decimal text, got {str(value)[:64]!r}") from None


def _attributes(pairs: Iterable[Pair]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


_VALUES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "int_value": lambda number: _integer(number, "intValue"),
    "array_value": lambda array: [_value(item) for item in array.values],
    "kvlist_value": lambda pairs: _attributes(pairs.values),
}
"""Kinds of values that are not taken as they are, as in `otlp_protobuf`."""


def _value(value: AttributeValue | None) -> Any:
    if value is None:
        return None
    for kind in AttributeValue.__struct_fields__:
        held = getattr(value, kind)
        if held is not None:
            read_held = _VALUES.get(kind)
            return read_held(held) if read_held else held
    return None
