"""Lines over time: every bucket there, nothing counted twice, rates beside counts."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging.workshop import Store, open_store
from raindrop_logging.workshop.buckets import MAX_BUCKETS, between
from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.records import Batch, Event
from raindrop_logging.workshop.signals.rules import Definition, Draft
from raindrop_logging.workshop.times import from_datetime
from tests.workshop.many_events import COUNT, EVENTS, at, batch, passes, signals, tools
from tests.workshop.settling import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raindrop_logging.workshop.answers import Measure, Step

END = EventFilter(until=at(COUNT))
RARE = EventFilter(event=("rare",), until=at(COUNT))
MEASURED: dict[Measure, Any] = {
    "events": lambda _: True,
    "pending": lambda number: EVENTS[number].is_pending,
    "failures": lambda number: any(tools(number).values()),
    "signals": signals,
}


@pytest.fixture(scope="module")
def many() -> Iterator[Store]:
    """A store with `COUNT` events: 120 in each hour, from midnight to the next day's first hour."""
    store = open_store(":memory:")
    for first in range(0, COUNT, 500):
        store.append(batch(range(first, first + 500))).result()
    yield store
    store.close()


def hour(number: int) -> str:
    """When the hour of an event began."""
    return at(number // 2 // 60 * 60)


@pytest.mark.parametrize("where", [END, RARE], ids=["all", "few"])
@pytest.mark.parametrize("measure", MEASURED)
@pytest.mark.parametrize("split", [None, "model", "property.region"])
def test_each_measure_by_hour(many: Store, where: EventFilter, measure: Measure, split: str | None) -> None:
    """A line's counts are the events that are what is measured, its `of` all that pass with the same value."""
    timeline = many.timeseries(where, by="hour", measure=measure, split=split)
    assert timeline.starts == tuple(at(60 * number) for number in range(COUNT // 120))
    values: dict[str | None, Callable[[Event], Any]] = {
        None: lambda _: None,
        "model": lambda event: event.model,
        "property.region": lambda event: event.properties["region"],
    }
    value = values[split]
    passing = [number for number in range(COUNT) if passes(number, where)]
    of = Counter((value(EVENTS[number]), hour(number)) for number in passing)
    found = Counter((value(EVENTS[number]), hour(number)) for number in passing if MEASURED[measure](number))
    assert {line.name for line in timeline.lines} == {name for name, _ in of}
    for line in timeline.lines:
        assert line.counts == tuple(found[line.name, start] for start in timeline.starts)
        assert line.of == tuple(of[line.name, start] for start in timeline.starts)
        assert line.rates == tuple(n / whole if whole else None for n, whole in zip(line.counts, line.of, strict=True))


def test_people_are_counted_once_in_each_bucket(many: Store) -> None:
    """Users and conversations are distinct ones."""
    [users] = many.timeseries(END, by="day", measure="users").lines
    [conversations] = many.timeseries(END, by="day", measure="conversations").lines
    assert users.counts == (7, 7)
    assert conversations.counts == (96, 4)


def test_signals_by_name_as_a_share_of_all_events(many: Store) -> None:
    """An event with two signals is in both lines, and each line's rate is of all events."""
    timeline = many.timeseries(END, by="all", measure="signals", split="signal")
    names = ("often", "tool_error", "seldom")
    often, failed, seldom = (sum(name in signals(number) for number in range(COUNT)) for name in names)
    assert [(line.name, line.counts, line.of) for line in timeline.lines] == [
        ("often", (often,), (COUNT,)),
        ("tool_error", (failed,), (COUNT,)),
        ("seldom", (seldom,), (COUNT,)),
    ]
    [one] = many.timeseries(END, by="all", measure="signals", signal="seldom").lines
    assert (one.counts, one.of) == ((seldom,), (COUNT,))
    [line] = [*many.timeseries(END, by="all", measure="signals", split="signal", signal="seldom").lines][:1]
    assert (line.name, line.counts) == ("seldom", (seldom,))


def test_signals_of_one_name_are_lines_of_their_own_by_id(many: Store) -> None:
    """Split by id, what an SDK sent and what a rule of the same name found stay apart."""
    signal_id = many.signals.create(Draft(name="often", definition=Definition(on="tool_error"))).result()
    try:
        settle(many)
        timeline = many.timeseries(END, by="all", measure="signals", split="signal_id")
        often, failed = (sum(name in signals(number) for number in range(COUNT)) for name in ("often", "tool_error"))
        counted = {line.name: line.counts for line in timeline.lines}
        assert (counted["instrumented:often"], counted[signal_id]) == ((often,), (failed,))
    finally:
        many.signals.delete(signal_id).result()


def test_failures_by_tool(many: Store) -> None:
    """Events that failed, by the tools they called, each event once in a line."""
    timeline = many.timeseries(END, by="all", measure="failures", split="tool")
    failed = [number for number in range(COUNT) if any(tools(number).values())]
    assert [(line.name, line.counts) for line in timeline.lines] == [
        ("look", (len(failed),)),
        *[("write", (n,)) for n in [sum("write" in tools(number) for number in failed)] if n],
    ]


def test_the_greatest_lines_are_told(many: Store) -> None:
    """At most so many lines, and how many more there are."""
    timeline = many.timeseries(END, by="all", split="user_id", top=3)
    assert (len(timeline.lines), timeline.others) == (3, 5)


def test_a_range_is_filled_with_nothing(many: Store) -> None:
    """With a beginning and an end, every bucket between is there, though nothing happened in it."""
    where = EventFilter(since="2025-12-30T12:00:00.000000Z", until="2026-01-03T00:00:00.000000Z")
    timeline = many.timeseries(where)
    assert [start[:10] for start in timeline.starts] == ["2025-12-30", "2025-12-31", "2026-01-01", "2026-01-02"]
    assert [line.counts for line in timeline.lines] == [(0, 0, 2880, 120)]
    nothing = many.timeseries(EventFilter(event=("none",)))
    assert (nothing.starts, nothing.lines) == ((), ())


@pytest.mark.parametrize(
    ("by", "starts"),
    [
        ("minute", ["2026-03-04T05:06:00", "2026-03-04T05:07:00"]),
        ("week", ["2026-03-02T00:00:00"]),
        ("month", ["2026-03-01T00:00:00"]),
        ("all", ["2026-03-04T05:06:59"]),
    ],
)
def test_widths(by: Step, starts: list[str]) -> None:
    """A bucket begins at the full minute, Monday, or the first of the month; `all` with the first event."""
    store = open_store(":memory:")
    moments = ("2026-03-04T05:06:59.000000Z", "2026-03-04T05:07:01.000000Z")
    store.append(Batch(events=tuple(Event(event_id=moment, timestamp=moment) for moment in moments))).result()
    timeline = store.timeseries(by=by)
    assert [start[:19] for start in timeline.starts] == starts
    assert sum(timeline.lines[0].counts) == 2
    store.close()


def test_clocks_that_are_far_off() -> None:
    """Events of the year 1 and of the future stretch no chart beyond its most buckets."""
    store = open_store(":memory:")
    moments = ("0001-01-01T00:00:00.000000Z", "2026-03-04T05:06:59.000000Z", "9999-12-31T23:59:59.000000Z")
    store.append(Batch(events=tuple(Event(event_id=moment, timestamp=moment) for moment in moments))).result()
    for by in ("minute", "hour", "day", "week"):
        timeline = store.timeseries(by=by)
        assert len(timeline.starts) == MAX_BUCKETS
        assert [sum(line.counts) for line in timeline.lines] == [1]
    store.close()


def test_out_of_time(many: Store) -> None:
    """An answer that was not found in time is none, and says so."""
    timeline = many.timeseries(END, seconds=0)
    assert (timeline.partial, timeline.lines) == (True, ())


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"by": "year"}, "by is one of minute, hour"),
        ({"measure": "tokens"}, "measure is one of events, users"),
        ({"split": "input"}, "split is one of event, model"),
    ],
)
def test_what_cannot_be_asked(many: Store, said: dict[str, Any], message: str) -> None:
    """A word that means nothing here is named, with those that do."""
    with pytest.raises(ValueError, match=message):
        many.timeseries(**said)


MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001


@given(first=MOMENTS, last=MOMENTS, by=st.sampled_from(["minute", "hour", "day", "week", "month"]))
def test_buckets_have_no_gaps(first: datetime, last: datetime, by: Step) -> None:
    """Whatever the moments, the buckets follow one another up to the one that holds the last moment."""
    first, last = min(first, last), max(first, last)
    starts = [datetime.fromisoformat(start) for start in between(from_datetime(first), from_datetime(last), by)]
    assert 1 <= len(starts) <= MAX_BUCKETS
    widths = {"minute": (60, 60), "hour": (3600, 3600), "day": (86_400, 86_400), "week": (604_800, 604_800)}
    least, most = widths.get(by, (28 * 86_400, 31 * 86_400))
    steps = [(after - before).total_seconds() for before, after in pairwise(starts)]
    assert all(least <= step <= most for step in steps)
    assert starts[-1].replace(tzinfo=None) <= last < starts[-1].replace(tzinfo=None) + timedelta(seconds=most)
