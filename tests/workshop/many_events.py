"""Three thousand events of a hundred conversations, and in Python which of them a filter lets through.

Most have common values and some have rare ones, so that filters take every way the store has.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from raindrop_logging.workshop import times
from raindrop_logging.workshop.records import Batch, Event, Signal, Span

if TYPE_CHECKING:
    from raindrop_logging.workshop.event_filter import EventFilter

COUNT = 3_000
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def at(minutes: int) -> str:
    """A moment after the first event's."""
    return times.from_datetime(FIRST + timedelta(minutes=minutes))


def event(number: int) -> Event:
    """The event with this number; two in a row happen in the same minute."""
    return Event(
        event_id=f"e{number}",
        user_id=None if number % 50 == 0 else f"u{number % 7}",
        event="rare" if number % 100 == 1 else "common",
        model="m-rare" if number % 300 == 2 else None if number % 90 == 4 else "m",
        convo_id=f"c{number // 30}",
        project_id="p" if number % 3 else None,
        properties={"region": "us" if number % 40 == 3 else "eu", "number": number, "deep": {"a": [number % 2]}},
        attachments=({"type": "text", "value": "x"},) if number % 60 == 5 else (),
        timestamp=at(number // 2),
        is_pending=number % 70 == 6,
        input=f"question {number}",
    )


EVENTS = tuple(event(number) for number in range(COUNT))


def signals(number: int) -> tuple[str, ...]:
    """The names of the signals this event has: sent ones, and the one that a rule finds."""
    return (*sent(number), *(("tool_error",) if any(tools(number).values()) else ()))


def sent(number: int) -> tuple[str, ...]:
    """The names of the signals that were sent for this event."""
    return (("often",) if number % 10 else ()) + (("seldom",) if number % 200 == 8 else ())


def tools(number: int) -> dict[str, bool]:
    """The tools this event called, and whether each failed."""
    calls = {"look": number % 25 == 0}
    return {**calls, "write": False} if number % 150 == 9 else calls


def batch(numbers: range) -> Batch:
    """These events with all that hangs on them."""
    return Batch(
        events=tuple(EVENTS[number] for number in numbers),
        signals=tuple(Signal(event_id=f"e{number}", name=name) for number in numbers for name in sent(number)),
        spans=tuple(
            Span(
                trace_id=f"{number + 1:032x}",
                span_id=f"{2 * number + place + 1:016x}",
                name=name,
                kind="tool",
                status="error" if failed else "ok",
                error=f"failure {number}" if failed else None,
                start_time=at(number // 2),
                about=Event(event_id=f"e{number}", is_pending=True),
            )
            for number in numbers
            for place, (name, failed) in enumerate(tools(number).items())
        ),
    )


def passes(number: int, where: EventFilter) -> bool:
    """What a filter means, said once more in Python."""
    said = EVENTS[number]
    columns = ("event", "user_id", "convo_id", "model", "project_id")
    named = all(not getattr(where, name) or getattr(said, name) in getattr(where, name) for name in columns)
    others = (not where.tool or not set(where.tool).isdisjoint(tools(number))) and (
        not where.signal or not set(where.signal).isdisjoint(signals(number))
    )
    wanted = {key: {value for name, value in where.properties if name == key} for key, _ in where.properties}
    texts = {"region": said.properties["region"], "number": str(number), "deep": f'{{"a":[{number % 2}]}}'}
    held = all(texts.get(key) in values for key, values in wanted.items())
    moment = said.timestamp or ""
    timely = (not where.since or moment >= where.since) and (not where.until or moment < where.until)
    facts = {"error": any(tools(number).values()), "pending": said.is_pending, "attachment": bool(said.attachments)}
    switched = all(getattr(where, name) in (None, fact) for name, fact in facts.items())
    return named and others and held and timely and switched
