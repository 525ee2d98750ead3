"""A span as OTLP says it, whichever way it was encoded; `otlp_json` and `otlp_protobuf` read it."""

from __future__ import annotations

import msgspec

from raindrop_logging.workshop.records import Json


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
