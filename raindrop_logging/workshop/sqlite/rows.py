"""Rows of the Workshop's SQLite tables as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from raindrop_logging.workshop import times
from raindrop_logging.workshop.records import SCALARS, Event, Signal, Span
from raindrop_logging.workshop.store import Summary

if TYPE_CHECKING:
    import sqlite3

_decode: Final = msgspec.json.decode


def as_event(row: sqlite3.Row) -> Event:
    """A row of `events`; its timestamp is the one that was sent, or None."""
    return Event(
        event_id=row["event_id"],
        properties=_decode(row["properties"]),
        attachments=tuple(_decode(row["attachments"])),
        feature_flags=_decode(row["feature_flags"]),
        is_pending=bool(row["is_pending"]),
        **{name: row[name] for name in SCALARS},
    )


def as_dated_event(row: sqlite3.Row) -> Event:
    """The same for readers: without a timestamp of its own, an event happened when it came."""
    return msgspec.structs.replace(as_event(row), timestamp=row["happened_at"])


def as_summary(row: sqlite3.Row) -> Summary:
    """A row of `events` with what `lists` counts beside it."""
    counts: dict[str, Any] = {
        name: row[name] for name in ("signal_count", "positive_count", "negative_count", "span_count", "error_count")
    }
    return Summary(
        event=as_dated_event(row),
        tools=tuple(_decode(row["tools"])),
        seconds=times.seconds_between(row["began_at"], row["ended_at"]),
        **counts,
    )


def as_signal(row: sqlite3.Row) -> Signal:
    """A row of `signals`."""
    return Signal(
        event_id=row["event_id"],
        name=row["name"],
        signal_type=row["signal_type"],
        sentiment=row["sentiment"],
        timestamp=row["timestamp"] or row["received_at"],
        properties=_decode(row["properties"]),
        attachment_id=row["attachment_id"],
    )


def as_span(row: sqlite3.Row) -> Span:
    """A row of `spans`; the event it names, if any, as `about`."""
    plain = ("trace_id", "span_id", "parent_id", "name", "kind", "status", "error", "input", "output")
    return Span(
        **{name: row[name] for name in plain},
        start_time=row["start_time"],
        end_time=row["end_time"],
        attributes=_decode(row["attributes"]),
        events=tuple(_decode(row["events"])),
        resource=_decode(row["resource"]),
        about=Event(event_id=row["event_id"]) if row["event_id"] else None,
    )
