"""What a strict Workshop finds wrong with a request.

In: a decoded JSON body and its lane, or headers.  Out: the first breach of the contract, or None.  Touches: nothing.
Without `--strict` the Workshop mends or overlooks what these rules refuse: it reads aliases, leaves unknown keys out,
takes times without a zone as UTC. Raindrop's cloud answers every authorised request with success, so a client's author
learns of a broken payload nowhere else. Each check yields what it finds and only the first is taken, so a check may
rely on whatever the ones before it ask for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from raindrop_logging.wire import JSON, MAX_EVENT_BYTES, PROJECT_HEADER, PROJECT_SLUG, PROTOBUF, Lane
from raindrop_logging.workshop.json_values import is_array, is_object
from raindrop_logging.workshop.receiving.body import media_type
from raindrop_logging.workshop.receiving.contract_rules import (
    AI_DATA,
    ALIASES,
    ATTACHMENT,
    EVENT,
    LIVE,
    MAX_TEXT_CHARS,
    OPERATION,
    PARTIAL,
    RULES,
    SIGNAL,
    USER,
    Key,
    Rule,
    is_filled,
    is_whole,
)
from raindrop_logging.workshop.refusals import place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Breach(msgspec.Struct, frozen=True):
    """A rule that a body breaks: where, and what stands there (its kind, never the value itself)."""

    name: str
    rule: Rule
    field: str
    got: str


_Found = tuple[str, str, Any]
"""A rule's name, the field, and what stands there."""

_ABSENT: Final = object()


def breach(lane: Lane | None, body: Any) -> Breach | None:
    """The first rule that this body of a JSON route breaks; None for the lane means the route `live`."""
    reader = _READERS[lane]
    return next((_breach(*found) for found in reader(body)), None)


def breach_of_headers(lane: Lane | None, content_type: str, project_id: str | None) -> Breach | None:
    """The first rule that a request's headers break."""
    media = media_type(content_type)
    allowed = (JSON, PROTOBUF) if lane is Lane.TRACES else (JSON,)
    if media not in allowed:
        return _breach("content_type", "Content-Type", content_type)
    if project_id is not None and not re.fullmatch(PROJECT_SLUG, project_id):
        return _breach("project", PROJECT_HEADER, project_id)
    return None


def breach_of_id(field: str | None) -> Breach | None:
    """The breach behind a reader's refusal of this field, when it is an id of a span or a trace."""
    last = (field or "").rpartition(".")[2]
    return Breach("span_id", RULES["span_id"], field or "", "no such id") if last in _IDS else None


def kind(value: Any) -> str:
    """What a value is, in words that tell nothing of it but its kind and size."""
    if isinstance(value, str):
        return f"a text of {len(value):,} characters" if value.strip() else "a blank text"
    names = {"NoneType": "null", "bool": "a boolean", "list": "an array", "dict": "an object", "object": "nothing"}
    return names.get(type(value).__name__, "a number")


def _breach(name: str, field: str, value: Any) -> Breach:
    return Breach(name, RULES[name], field or "body", kind(value))


def _table(at: str, value: Any, keys: Mapping[str, Key]) -> Iterator[_Found]:
    """That it is no object, or keys that are unknown, missing or hold what they may not."""
    if not is_object(value):
        yield "object", at, value
        return
    for name, held in value.items():
        field = place(at, name)
        if name not in keys:
            yield "spelling" if ALIASES.get(name) in keys else "known_key", field, held
        elif held is not None and not keys[name].holds(held):
            yield keys[name].rule, field, held
    for name, key in keys.items():
        if key.required and value.get(name) is None:
            yield "required", place(at, name), value.get(name, _ABSENT)


def _items(body: Any) -> Iterator[tuple[str, Any]]:
    if is_array(body):
        yield from ((f"[{number}]", item) for number, item in enumerate(body))
    else:
        yield "", body


def _event(at: str, event: Any, keys: Mapping[str, Key]) -> Iterator[_Found]:
    yield from _table(at, event, keys)
    ai = event.get("ai_data") or {}
    yield from _table(place(at, "ai_data"), ai, AI_DATA)
    for number, attachment in enumerate(event.get("attachments") or ()):
        yield from _table(place(at, f"attachments[{number}]"), attachment, ATTACHMENT)
    yield from _properties(place(at, "properties"), event.get("properties") or {})
    for holder, held in ((place(at, "ai_data"), ai), (at, event)):
        for name in ("input", "output"):
            if len(held.get(name) or "") > MAX_TEXT_CHARS:
                yield "long_text", place(holder, name), held[name]
    if len(msgspec.json.encode(event)) > MAX_EVENT_BYTES:
        yield "event_size", at, event


def _properties(at: str, properties: Mapping[str, Any]) -> Iterator[_Found]:
    for name in ("trace_id", "$trace_id"):
        value = properties.get(name)
        if value is not None and not (isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value)):
            yield "trace_property", f"{at}.{name}", value
    workspace = properties.get("workspace")
    if is_object(workspace):
        for name in ("id", "name", "root"):
            if not is_filled(workspace.get(name)):
                yield "workspace", f"{at}.workspace.{name}", workspace.get(name, _ABSENT)


def _events(body: Any) -> Iterator[_Found]:
    for at, event in _items(body):
        yield from _event(at, event, EVENT)
        ai = event.get("ai_data")
        if ai is not None and not (ai.get("input") or ai.get("output")):
            yield "ai_text", place(at, "ai_data"), ai


def _partial(body: Any) -> Iterator[_Found]:
    yield from _event("", body, PARTIAL)


def _signals(body: Any) -> Iterator[_Found]:
    for at, signal in _items(body):
        yield from _table(at, signal, SIGNAL)
        properties = signal.get("properties") or {}
        needs = _NEEDS.get(signal.get("signal_type") or "")
        if needs and not is_filled(properties.get(needs)):
            yield needs, place(at, f"properties.{needs}"), properties.get(needs, _ABSENT)


_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id"})
_NEEDS: Final = {"feedback": "comment", "edit": "after"}


def _users(body: Any) -> Iterator[_Found]:
    for at, user in _items(body):
        yield from _table(at, user, USER)


def _live(body: Any) -> Iterator[_Found]:
    yield from _table("", body, LIVE)
    if body["type"] in ("tool_start", "tool_result") and body.get("spanId") is None:
        yield "live_span", "spanId", body.get("spanId", _ABSENT)


def _spans(body: Any) -> Iterator[_Found]:
    """What the reader of OTLP, which has taken this body before, lets pass."""
    for g, group in enumerate(body.get("resourceSpans", ())):
        for s, scope in enumerate(group.get("scopeSpans", ())):
            for n, span in enumerate(scope.get("spans", ())):
                yield from _span(f"resourceSpans[{g}].scopeSpans[{s}].spans[{n}]", span)


def _span(at: str, span: Mapping[str, Any]) -> Iterator[_Found]:
    if not is_filled(span.get("name")):
        yield "filled_text", f"{at}.name", span.get("name", _ABSENT)
    code = (span.get("status") or {}).get("code", 0)
    if not is_whole(code):
        yield "status", f"{at}.status.code", code
    start, end = (int(span.get(name, 0)) for name in ("startTimeUnixNano", "endTimeUnixNano"))
    if not start:
        yield "span_time", f"{at}.startTimeUnixNano", span.get("startTimeUnixNano", _ABSENT)
    if end < start:
        yield "span_time", f"{at}.endTimeUnixNano", span.get("endTimeUnixNano", _ABSENT)
    if not any(OPERATION.match(pair["key"]) for pair in span.get("attributes", ())):
        yield "operation", f"{at}.attributes", span.get("attributes", [])


_READERS: Final[Mapping[Lane | None, Callable[[Any], Iterator[_Found]]]] = {
    Lane.EVENTS: _events,
    Lane.PARTIALS: _partial,
    Lane.SIGNALS: _signals,
    Lane.USERS: _users,
    Lane.TRACES: _spans,
    None: _live,
}
