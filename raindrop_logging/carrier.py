"""What a launched sub-agent is told of its launcher, and the headers that take it there (hand-off, no I/O).

Source: the wire notes on what the newest official SDK adds. Three headers say the same: instrumented HTTP clients
rewrite ``traceparent`` and ``baggage``, and leave ``x-raindrop-handoff`` alone, so that one is read first. Accept
carriers only from services that you trust: they name the event that the child is linked to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct

TOOL_EVENTS: Final = {"ai.telemetry.metadata.raindrop.toolEvents": "allow"}
"""On a turn's spans, so that one made only of tool calls still becomes an event."""

_HANDOFF: Final = "raindrop.handoff."
HEADER: Final = "x-raindrop-handoff"
_KEYS: Final = {
    "event_id": "raindrop-event-id",
    "child_event_id": "raindrop-child-event-id",
    "trace_id": "raindrop-trace-id",
    "span_id": "raindrop-dispatch-span-id",
    "user_id": "raindrop-user-id",
    "convo_id": "raindrop-convo-id",
    "name": "raindrop-handoff-name",
}
"""Names of the fields in a header, the most needed ones first."""

_LANGSMITH_TRACE: Final = "langsmith-trace"
_LANGSMITH_METADATA: Final = "langsmith-metadata"
_LONGEST_SENT: Final = 4_000
"""Characters of a header that is sent: twice that, and the rest of a request, is what every server takes."""

_LONGEST_READ: Final = 8_192
"""Characters of a header that is read. A longer one is not, since half of it could name another event."""


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
        entries = ",".join(f"{key}={_quoted(value)}" for key, value in self._said().items())
        trace = self.traceparent
        return {"baggage": entries, HEADER: entries} | ({"traceparent": trace} if trace is not None else {})

    @property
    def langsmith_headers(self) -> dict[str, str]:
        """The same in LangSmith's shape, for services that read ``langsmith-trace``; send all of them too."""
        said = {key: _quoted(value) for key, value in self._said().items()}
        plain = {key: unquote(value) for key, value in said.items()}
        found = {
            "baggage": f"{_LANGSMITH_METADATA}={quote(msgspec.json.encode(plain), safe='')}",
            HEADER: ",".join(f"{key}={value}" for key, value in said.items()),
        }
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z"
        order = f"{now}{self.trace_id}.{now}{self.span_id}"
        return found | ({_LANGSMITH_TRACE: order} if self.traceparent is not None else {})

    @property
    def traceparent(self) -> str | None:
        """The W3C header of the launching span, if there is one."""
        ids = (self.trace_id or "", self.span_id or "")
        return f"00-{ids[0]}-{ids[1]}-01" if _TRACE_ID.fullmatch(ids[0]) and _SPAN_ID.fullmatch(ids[1]) else None

    def _said(self) -> dict[str, str]:
        """The fields by their names in a header, as far as they fit into one."""
        found: dict[str, str] = {}
        left = _LONGEST_SENT
        unusable = ("trace_id", "span_id") if self.traceparent is None else ()
        for field, key in _KEYS.items():
            value: str | None = None if field in unusable else getattr(self, field)
            entry = f"{key}={_quoted(value)}," if value else ""
            if value and len(entry) <= left:
                found[key] = value
                left -= len(entry)
        return found

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


def _quoted(value: str) -> str:
    """As a header may hold it: a comma, a line end or a letter beyond ASCII would end it, or make it another one."""
    return quote(value, safe="", errors="replace")


# ---- read back -----------------------------------------------------------------------------------------------------


class _Container(Protocol):
    def items(self) -> Iterable[tuple[Any, Any]]: ...


Headers = _Container | Iterable[tuple[Any, Any]]
"""A container as any framework has it, or pairs as ASGI has them; names in any case, values text or bytes."""


class _ContradictionError(Exception):
    """One field has two values: somebody else wants to be the launcher."""


def read_carrier(headers: Headers | None) -> Carrier | None:
    """The carrier in the headers of a request, or in the payload of a job; None where there is none.

    None as well where one field is named twice with different values: then somebody else wants to be the launcher.
    """
    try:
        said = _said(_headers(headers or ()))
    except Exception:  # noqa: BLE001 -- whatever this is, it is no carrier; the job goes on without
        return None
    if not {_KEYS["event_id"], _KEYS["child_event_id"]} <= said.keys():
        return None
    fields = {field: said[key] for field, key in _KEYS.items() if key in said}
    for field, pattern in (("trace_id", _TRACE_ID), ("span_id", _SPAN_ID)):
        if not pattern.fullmatch(fields.get(field, "")):
            fields.pop(field, None)
    return Carrier(**fields)


_TRACE_ID: Final = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID: Final = re.compile(r"(?!0{16})[0-9a-f]{16}")
_READ: Final = frozenset({HEADER, "baggage", "traceparent", _LANGSMITH_TRACE})


def _headers(headers: Any) -> dict[str, str]:
    """Each header that matters by its lower-case name; a repeated one is joined by commas, as HTTP has it."""
    found: dict[str, list[str]] = {}
    for name, value in _pairs(headers):
        key = _text(name).lower()
        if key in _READ and isinstance(value, str | bytes):
            found.setdefault(key, []).append(_text(value))
    joined = {key: ",".join(values) for key, values in found.items()}
    if len(joined.get(HEADER, "")) > _LONGEST_READ:
        raise _ContradictionError
    return {key: value for key, value in joined.items() if len(value) <= _LONGEST_READ}


def _pairs(headers: Any) -> Iterator[tuple[Any, Any]]:
    """All pairs, those of a repeated name too, which most containers show only when asked for."""
    for several in ("multi_items", "raw_items", "items"):  # httpx; http.server; everybody
        method = getattr(headers, several, None)
        if callable(method):
            headers = method()
            break
    for pair in headers:
        name, value = pair
        for each in value if isinstance(value, list | tuple) else (value,):
            yield name, each


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _said(headers: Mapping[str, str]) -> dict[str, str]:
    """The fields: ours alone where it is whole, since the others may be another launch's; else what all say."""
    own, baggage = (_consistent(_entries(headers.get(name, ""))) for name in (HEADER, "baggage"))
    traced = _traced(_single(headers.get("traceparent", "")), _single(headers.get(_LANGSMITH_TRACE, "")))
    if {_KEYS["event_id"], _KEYS["child_event_id"]} <= own.keys():
        return own
    return {**traced, **baggage, **own}


def _consistent(entries: Iterable[tuple[str, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in entries:
        if key in _FIELDS and isinstance(value, str) and value.strip() and found.setdefault(key, value) != value:
            raise _ContradictionError
    return found


_FIELDS: Final = frozenset(_KEYS.values())


def _entries(header: str) -> Iterator[tuple[str, Any]]:
    """Key and value of each entry of a baggage, those inside of LangSmith's one among them."""
    for entry in header.split(","):
        key, _, value = entry.partition("=")
        key, value = key.strip(), unquote(value.partition(";")[0].strip())
        if key == _LANGSMITH_METADATA:
            yield from _langsmith_entries(value)
        else:
            yield key, value


def _langsmith_entries(text: str) -> Iterator[tuple[str, Any]]:
    import json  # msgspec does not say which keys come twice; and few ever need it

    try:
        said = json.loads(text, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return
    yield from (pair for pair in said if isinstance(pair, tuple)) if isinstance(said, tuple) else ()


def _single(header: str) -> str:
    """The one value of a header that has but one, however often it is sent."""
    values = {value.strip() for value in header.split(",") if value.strip()}
    if len(values) > 1:
        raise _ContradictionError
    return next(iter(values), "")


def _traced(traceparent: str, langsmith: str) -> dict[str, str]:
    """Trace and span as the standard header says them, or LangSmith's dotted order: root first, the run last."""
    parts = traceparent.split("-")
    if len(parts) >= _TRACEPARENT_PARTS:
        return {_KEYS["trace_id"]: parts[1], _KEYS["span_id"]: parts[2]}
    runs = [run.rpartition("Z")[2] for run in langsmith.split(".")]
    return {_KEYS["trace_id"]: runs[0].replace("-", ""), _KEYS["span_id"]: runs[-1]}


_TRACEPARENT_PARTS: Final = 4
