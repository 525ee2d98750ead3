"""What a launched sub-agent is told of its launcher, and the headers that take it there (hand-off, no I/O).

Source: the wire notes on what the newest official SDK adds. Three headers say the same: instrumented HTTP clients
rewrite ``traceparent`` and ``baggage``, and leave ``x-raindrop-handoff`` alone, so that one is read first. Accept
carriers only from services that you trust: they name the event that the child is linked to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct, structs

TOOL_EVENTS: Final = {"ai.telemetry.metadata.raindrop.toolEvents": "allow"}
"""On a turn's spans, so that one made only of tool calls still becomes an event."""

_HANDOFF: Final = "raindrop.handoff."
HEADER: Final = "x-raindrop-handoff"
_KEYS: Final = {
    "event_id": "raindrop-event-id",
    "child_event_id": "raindrop-child-event-id",
    "name": "raindrop-handoff-name",
    "convo_id": "raindrop-convo-id",
    "user_id": "raindrop-user-id",
    "span_id": "raindrop-dispatch-span-id",
    "trace_id": "raindrop-trace-id",
}
_LANGSMITH_TRACE: Final = "langsmith-trace"
_LANGSMITH_METADATA: Final = "langsmith-metadata"
_LONGEST: Final = 8_192
"""Characters of a header that are read; what a proxy lets through is no more."""


class Carrier(Struct, frozen=True, kw_only=True):
    """A launch, as its child is told of it.

    Attributes:
        event_id, child_event_id: the launcher's event, and the child's own.
        name: of the sub-agent.
        trace_id, span_id: of the launcher's span that says the launch; lowercase hex.
        convo_id, user_id: the launcher's, if it has them.
    """

    event_id: str
    child_event_id: str
    name: str = "subagent"
    trace_id: str | None = None
    span_id: str | None = None
    convo_id: str | None = None
    user_id: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The three headers to send with the job; send all of them."""
        said = {_KEYS[field]: value for field, value in structs.asdict(self).items() if value is not None}
        entries = ",".join(f"{key}={quote(value, safe='')}" for key, value in said.items())
        found = {"baggage": entries, HEADER: entries}
        return found | ({"traceparent": self.traceparent} if self.trace_id and self.span_id else {})

    @property
    def langsmith_headers(self) -> dict[str, str]:
        """The same in LangSmith's shape, for services that read ``langsmith-trace``; send all of them too."""
        said = {_KEYS[field]: value for field, value in structs.asdict(self).items() if value is not None}
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        return {
            _LANGSMITH_TRACE: f"{now}Z{self.trace_id}.{now}Z{self.span_id}",
            "baggage": f"{_LANGSMITH_METADATA}={quote(msgspec.json.encode(said), safe='')}",
            HEADER: self.headers[HEADER],
        }

    @property
    def traceparent(self) -> str:
        """The W3C header of the launching span."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    @property
    def attributes(self) -> dict[str, str]:
        """What every span of the child says of its launcher."""
        said = {
            f"{_HANDOFF}parentEventId": self.event_id,
            f"{_HANDOFF}parentSpanId": self.span_id,
            f"{_HANDOFF}name": self.name,
            "raindrop.agent.role": "subagent",
        }
        return {key: value for key, value in said.items() if value is not None}


def dispatched(child_event_id: str, name: str) -> dict[str, str]:
    """Attributes of the one tool span that says a launch."""
    return {
        f"{_HANDOFF}mode": "detached",
        f"{_HANDOFF}childEventId": child_event_id,
        f"{_HANDOFF}name": name,
    }


CANCELLED: Final = {
    f"{_HANDOFF}terminal": "cancelled",
    f"ai.telemetry.metadata.{_HANDOFF}terminal": "cancelled",
}
"""Attributes of a child's spans once it is cancelled."""


# ---- read back -----------------------------------------------------------------------------------------------------

Headers = Mapping[str, Any] | Iterable[tuple[Any, Any]]
"""A mapping as any framework has it, or pairs as ASGI has them; names in any case, values text or bytes."""


def read_carrier(headers: Headers | None) -> Carrier | None:
    """The carrier in the headers of a request, or in the payload of a job; None where there is none.

    None as well where one field is named twice with different values: then somebody else wants to be the launcher.
    """
    found = _headers(headers)
    if found is None:
        return None
    said = _said(found)
    if said is None or not said.get(_KEYS["event_id"]) or not said.get(_KEYS["child_event_id"]):
        return None
    fields = {field: said[key] for field, key in _KEYS.items() if said.get(key)}
    for field, pattern in (("trace_id", _TRACE_ID), ("span_id", _SPAN_ID)):
        if not pattern.fullmatch(fields.get(field, "")):
            fields.pop(field, None)
    return Carrier(**fields)


_TRACE_ID: Final = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID: Final = re.compile(r"(?!0{16})[0-9a-f]{16}")
_READ: Final = frozenset({HEADER, "baggage", "traceparent", _LANGSMITH_TRACE})


def _headers(headers: Headers | None) -> dict[str, list[str]] | None:
    """The values of each header that matters, by its lower-case name; every one that was sent."""
    found: dict[str, list[str]] = {}
    try:
        for name, value in _pairs(headers or ()):
            key = _text(name).lower()
            if key in _READ:
                found.setdefault(key, []).append(_text(value)[:_LONGEST])
    except (TypeError, ValueError):  # not headers at all
        return None
    return found


def _pairs(headers: Any) -> Iterable[tuple[Any, Any]]:
    """All pairs, those of a repeated name too, which most containers show only when asked for."""
    for several in ("multi_items", "raw_items", "items"):  # httpx and Starlette; http.server; everybody
        method = getattr(headers, several, None)
        if callable(method):
            headers = method()
            break
    for pair in headers:
        name, value = tuple(pair)
        for each in value if isinstance(value, list | tuple) else (value,):
            yield name, each


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _said(headers: Mapping[str, list[str]]) -> dict[str, str] | None:
    """The fields, ours before baggage's before the trace headers'; None where one contradicts itself."""
    own, baggage = (_entries(headers.get(name, [])) for name in (HEADER, "baggage"))
    if own is None or baggage is None:
        return None
    langsmith = _langsmith_metadata(baggage.pop(_LANGSMITH_METADATA, ""))
    return {**_traced(headers), **baggage, **langsmith, **own}


def _entries(values: list[str]) -> dict[str, str] | None:
    entries: dict[str, str] = {}
    for part in ",".join(values).split(","):
        key, is_pair, value = part.partition("=")
        key, value = key.strip(), unquote(value.partition(";")[0].strip())
        if not is_pair or key not in _OURS:
            continue
        if entries.setdefault(key, value) != value:
            return None
    return entries


_OURS: Final = frozenset({*_KEYS.values(), _LANGSMITH_METADATA})


def _langsmith_metadata(text: str) -> dict[str, str]:
    try:
        said = msgspec.json.decode(text, type=dict[str, Any]) if text else {}
    except msgspec.DecodeError:
        return {}
    return {key: value for key, value in said.items() if key in _OURS and isinstance(value, str)}


def _traced(headers: Mapping[str, list[str]]) -> dict[str, str]:
    """Trace and span as the standard header says them, or LangSmith's dotted order: root first, the run last."""
    trace = "".join(headers.get("traceparent", [])[:1]).strip().split("-")
    if len(trace) >= _TRACEPARENT_PARTS:
        return {_KEYS["trace_id"]: trace[1], _KEYS["span_id"]: trace[2]}
    runs = [run.rpartition("Z")[2] for run in "".join(headers.get(_LANGSMITH_TRACE, [])[:1]).split(".") if run]
    return {_KEYS["trace_id"]: runs[0], _KEYS["span_id"]: runs[-1]} if runs else {}


_TRACEPARENT_PARTS: Final = 4
