"""What needs a look: traces that no event owns, and tool calls that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from raindrop_logging.workshop import Store, open_store
from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.records import Batch, Event, Span
from tests.workshop.many_events import COUNT, at, batch, tools
from tests.workshop.test_filtered_lists import walked

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    opened = open_store(":memory:")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def many() -> Iterator[Store]:
    """A store with `COUNT` events."""
    opened = open_store(":memory:")
    for first in range(0, COUNT, 500):
        opened.append(batch(range(first, first + 500))).result()
    yield opened
    opened.close()


def span(trace: str, number: int, **said: str | None) -> Span:
    """A bare span, a minute after the one before."""
    plain = {"name": "step", "start_time": at(number), "end_time": at(number + 1)}
    return Span(trace_id=trace, span_id=f"s{number}", **{**plain, **said})  # type: ignore[arg-type]


def test_traces_without_an_event(store: Store) -> None:
    """Each such trace once, the newest first, by the name of its root, until an event owns it."""
    spans = [
        span(f"t{n % 3}", n, name="root" if n < 3 else "step", parent_id=None if n < 3 else "s0") for n in range(9)
    ]
    store.append(Batch(spans=(*spans, span("t1", 20, status="error"), span("undated", 30, start_time=None)))).result()
    traces = walked(lambda cursor: store.traces(1, cursor))
    assert [(trace.trace_id, trace.name, trace.span_count, trace.error_count) for trace in traces] == [
        ("t1", "root", 4, 1),
        ("t2", "root", 3, 0),
        ("t0", "root", 3, 0),
        ("undated", "step", 1, 0),
    ]
    assert (traces[0].first_at, traces[0].last_at) == (at(1), at(21))
    store.append(Batch(spans=(Span(trace_id="t2", span_id="own", name="n", about=Event(event_id="e")),))).result()
    store.append(Batch(events=(Event(event_id="f", properties={"trace_id": "t0"}),))).result()
    assert [trace.trace_id for trace in store.traces(9).items] == ["t1", "undated"]


def test_traces_filtered(store: Store) -> None:
    """By time, tool and failure; anything else is no question about a trace without an event."""
    store.append(
        Batch(spans=(span("a", 1, kind="tool", name="look"), span("a", 9), span("b", 5, status="error"), span("c", 6)))
    ).result()
    asked = {
        EventFilter(tool=("look", "other")): ["a"],
        EventFilter(error=True): ["b"],
        EventFilter(error=False): ["a", "c"],
        EventFilter(since=at(6), until=at(9)): ["c"],
        EventFilter(since=at(6), error=False, tool=("look",)): ["a"],
    }
    for where, names in asked.items():
        assert [trace.trace_id for trace in store.traces(9, None, where).items] == names
    with pytest.raises(ValueError, match="a trace without an event has no user_id: filter by error, since"):
        store.traces(9, None, EventFilter(user_id=("u",)))


def test_failed_calls_with_their_event(many: Store) -> None:
    """Every failed call, the newest first, with the event it belongs to."""
    errors = walked(lambda cursor: many.tool_errors(50, cursor))
    failed = [number for number in reversed(range(COUNT)) if any(tools(number).values())]
    assert sorted(str(error.span.error) for error in errors) == sorted(f"failure {number}" for number in failed)
    moments = [error.span.start_time for error in errors]
    assert moments == sorted(moments, reverse=True)
    assert all(error.event and error.span.error == f"failure {error.event.event_id[1:]}" for error in errors)


def test_failed_calls_filtered(many: Store) -> None:
    """The tool and the time are asked of the call, all else of its event."""
    where = EventFilter(tool=("look",), since=at(100), until=at(200), properties=(("region", "us"),), model=("m",))
    found = [str(error.span.error) for error in many.tool_errors(99, None, where).items]
    assert found == [
        f"failure {number}" for number in reversed(range(200, 400)) if number % 25 == 0 and number % 40 == 3
    ]
    where = EventFilter(since=at(100), until=at(200), event=("common",))
    found = [str(error.span.error) for error in many.tool_errors(99, None, where).items]
    assert sorted(found) == sorted(f"failure {n}" for n in range(200, 400) if n % 25 == 0 and n % 100 != 1)
    assert many.tool_errors(99, None, EventFilter(tool=("write",))).items == ()


def test_tools_by_how_often_they_fail(many: Store) -> None:
    """Errors and calls of each tool that failed, and its newest error, under a filter too."""
    [look] = many.failing_tools()
    assert (look.tool, look.errors, look.calls) == ("look", COUNT // 25, COUNT)
    assert (look.last_at, look.last_error) == (at(2975 // 2), "failure 2975")
    [of_user] = many.failing_tools(EventFilter(user_id=("u1",)))
    mine = [number for number in range(COUNT) if number % 7 == 1 and number % 50]
    assert (of_user.errors, of_user.calls) == (sum(number % 25 == 0 for number in mine), len(mine))
    assert many.failing_tools(EventFilter(tool=("write",))) == ()


def test_a_bare_call_belongs_to_the_event_of_its_trace(store: Store) -> None:
    """A tool span that names no event is told with the one its trace belongs to, or with none."""
    bad = {"kind": "tool", "status": "error", "error": "boom"}
    owner = Span(trace_id="t", span_id="own", name="n", about=Event(event_id="e", event="chat"))
    store.append(Batch(spans=(span("t", 1, **bad), owner, span("alone", 2, **bad)))).result()
    told = [
        (error.span.trace_id, error.event.event_id if error.event else None) for error in store.tool_errors(9).items
    ]
    assert told == [("alone", None), ("t", "e")]
    where = EventFilter(event=("chat",))
    assert [error.span.trace_id for error in store.tool_errors(9, None, where).items] == ["t"]
    assert [(tool.errors, tool.calls) for tool in store.failing_tools(where)] == [(1, 1)]
