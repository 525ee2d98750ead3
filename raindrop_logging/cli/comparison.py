"""What was logged beside what arrived: one row a kind, each compared content by content.

In: `Logged`, `Arrived`.  Out: rows.  Touches: nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from raindrop_logging.cli import differences
from raindrop_logging.cli.arrived import Arrived
from raindrop_logging.cli.logged import STEPS, Fields, Logged
from raindrop_logging.vocabulary import RecordType

Compared = Callable[[Fields, Fields], list[str]]


class Row(Struct, frozen=True, kw_only=True):
    """One line of the comparison; figures are texts, since some count several things at once."""

    logged: str
    logged_count: str
    arrived: str
    arrived_count: str
    differences: list[str]


def compare(logged: Logged, arrived: Arrived) -> list[Row]:
    """Everything that was logged beside everything that arrived; all is well when no row has a difference."""
    return [
        _events(("ai",), "complete AI events", logged.complete, logged, arrived),
        _events(("event",), "plain events", logged.plain, logged, arrived),
        _events(STEPS, "interactions", logged.interactions, logged, arrived),
        _pending(logged, arrived),
        _attachments(logged, arrived),
        _signals(logged, arrived),
        _sentiments(logged, arrived),
        _users(logged, arrived),
        _spans(logged, arrived),
        _failed_spans(logged, arrived),
        *_more_than_logged(logged, arrived),
    ]


# ---- events --------------------------------------------------------------------------------------------------------


def _events(
    types: tuple[RecordType, ...], name: str, said: Mapping[str, Fields], logged: Logged, arrived: Arrived
) -> Row:
    return Row(
        logged=", ".join(types),
        logged_count=_sum(logged.counts[word] for word in types),
        arrived=name,
        arrived_count=str(len(said.keys() & arrived.events.keys())),
        differences=_each("event", said, arrived.events, differences.of_event),
    )


def _pending(logged: Logged, arrived: Arrived) -> Row:
    found = {event_id for event_id, event in arrived.events.items() if event["is_pending"]}
    return Row(
        logged="  without a finish",
        logged_count=str(len(logged.pending)),
        arrived="  pending",
        arrived_count=str(len(found)),
        differences=[
            *(f"event {event_id} should be pending" for event_id in sorted(logged.pending - found)),
            *(f"event {event_id} should not be pending" for event_id in sorted(found - logged.pending)),
        ],
    )


def _attachments(logged: Logged, arrived: Arrived) -> Row:
    both = [(said, arrived.events[event_id]) for event_id, said in logged.events.items() if event_id in arrived.events]
    return Row(
        logged="  attachments",
        logged_count=str(sum(len(said.get("attachments", ())) for said in logged.events.values())),
        arrived="  attachments",
        arrived_count=str(sum(len(found["attachments"]) for found in arrived.events.values())),
        differences=[text for said, found in both for text in differences.of_attachments(said, found)],
    )


# ---- signals and users ---------------------------------------------------------------------------------------------

SENTIMENTS: Final = ("POSITIVE", "NEGATIVE", None)


def _signals(logged: Logged, arrived: Arrived) -> Row:
    waiting = [(event_id, found) for event_id, event in arrived.events.items() for found in event["signals"]]
    count, told = len(waiting), list[str]()
    for said in logged.signals:
        own = [one for one in waiting if one[0] == said["event_id"] and one[1]["name"] == said["name"]]
        if own:
            waiting.remove(own[0])
            told += differences.of_signal(said, own[0][1])
        else:
            told.append(f"signal '{said['name']}' on event {said['event_id']} did not arrive")
    told += [f"signal '{found['name']}' on event {event_id} was not logged" for event_id, found in waiting]
    return _counted("signal", len(logged.signals), "signals", count, told)


def _sentiments(logged: Logged, arrived: Arrived) -> Row:
    said = Counter(signal.get("sentiment") for signal in logged.signals)
    found = Counter(signal["sentiment"] for event in arrived.events.values() for signal in event["signals"])
    return Row(
        logged="  POSITIVE, NEGATIVE, none",
        logged_count=_sum(said[word] for word in SENTIMENTS),
        arrived="  sentiments",
        arrived_count=_sum(found[word] for word in SENTIMENTS),
        differences=[] if said == found else ["sentiments differ"],
    )


def _users(logged: Logged, arrived: Arrived) -> Row:
    told: list[str] = []
    for user_id, traits in logged.users.items():
        found = arrived.users.get(user_id)
        told += [f"user {user_id} did not arrive"] if found is None else differences.of_user(user_id, traits, found)
    known = sum(bool(user["traits"]) for user in arrived.users.values())
    return _counted("identify", logged.counts["identify"], "users with traits", known, told)


# ---- spans ---------------------------------------------------------------------------------------------------------


def _spans(logged: Logged, arrived: Arrived) -> Row:
    found = _spans_by_id(arrived)
    count = sum(len(event["spans"]) for event in arrived.events.values())
    return _counted("span", len(logged.spans), "spans", count, _each("span", logged.spans, found, differences.of_span))


def _failed_spans(logged: Logged, arrived: Arrived) -> Row:
    said = {span_id for span_id, span in logged.spans.items() if span.get("error")}
    found = {span_id for span_id, span in _spans_by_id(arrived).items() if span["status"] == "error"}
    told = [f"span {span_id} should have failed" for span_id in sorted(said - found)]
    told += [f"span {span_id} should not have failed" for span_id in sorted(found - said)]
    return _counted("  with an exception", len(said), "  failed", len(found), told)


def _spans_by_id(arrived: Arrived) -> dict[str, Fields]:
    """Spans below the events, each with the id of its event."""
    return {
        span["span_id"]: {**span, "event_id": event_id}
        for event_id, event in arrived.events.items()
        for span in event["spans"]
    }


# ---- all -----------------------------------------------------------------------------------------------------------


def _more_than_logged(logged: Logged, arrived: Arrived) -> list[Row]:
    """A row for what the receiver holds beyond all that: there should be none."""
    said = {"events": len(logged.events), "signals": len(logged.signals), "spans": len(logged.spans)}
    told = [f"{arrived.totals[name] - count} more {name} than logged" for name, count in said.items()
            if arrived.totals[name] > count]  # fmt: skip
    return [_counted("nothing else", 0, "something else", len(told), told)] if told else []


def _each(kind: str, said: Mapping[str, Fields], found: Mapping[str, Fields], compared: Compared) -> list[str]:
    """Differences of each thing that was said; one that is not found is one difference."""
    told: list[str] = []
    for key, fields in said.items():
        told += compared(fields, found[key]) if key in found else [f"{kind} {key} did not arrive"]
    return told


def _counted(logged: str, logged_count: int, arrived: str, arrived_count: int, told: list[str]) -> Row:
    return Row(
        logged=logged,
        logged_count=str(logged_count),
        arrived=arrived,
        arrived_count=str(arrived_count),
        differences=told,
    )


def _sum(counts: Iterable[int]) -> str:
    return " + ".join(str(count) for count in counts)
