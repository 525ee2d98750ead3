"""Filters: every list tells exactly what passes, newest first, page by page."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from raindrop_logging.workshop import Store, open_store
from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.records import Batch, Event, Signal, Span, User
from tests.workshop.many_events import COUNT, EVENTS, at, batch, passes, signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from raindrop_logging.workshop.answers import Slice

MOMENTS = st.integers(0, COUNT).map(at)
FILTERS = st.builds(
    EventFilter,
    event=st.sampled_from([(), ("common",), ("rare",), ("common", "rare"), ("none",)]),
    user_id=st.sampled_from([(), (), ("u1",), ("u1", "u2")]),
    convo_id=st.sampled_from([(), (), ("c7",), ("c7", "c99")]),
    model=st.sampled_from([(), ("m",), ("m-rare",)]),
    project_id=st.sampled_from([(), ("p",)]),
    tool=st.sampled_from([(), ("look",), ("write",), ("look", "write")]),
    signal=st.sampled_from([(), ("often",), ("seldom",), ("tool_error",), ("tool_error", "seldom")]),
    properties=st.sampled_from(
        [
            (),
            (("region", "eu"),),
            (("region", "us"),),
            (("region", "us"), ("region", "eu")),
            (("deep", '{"a":[1]}'),),
            (("number", "77"),),
            (("region", "eu"), ("deep", '{"a":[0]}')),
            (("region", "x" * 300),),
        ]
    ),
    since=st.none() | MOMENTS,
    until=st.none() | MOMENTS,
    error=st.sampled_from([None, None, True, False]),
    pending=st.sampled_from([None, None, True, False]),
    attachment=st.sampled_from([None, None, True, False]),
)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with `COUNT` events."""
    store = open_store(tmp_path_factory.mktemp("many") / "w.db")
    for first in range(0, COUNT, 500):
        store.append(batch(range(first, first + 500))).result()
    yield store
    store.close()


def expected(where: EventFilter) -> list[int]:
    """The numbers of the events that pass, newest first."""
    return [number for number in reversed(range(COUNT)) if passes(number, where)]


def walked(ask: Callable[[str | None], Slice[Any]]) -> list[Any]:
    """All items of a list, page by page."""
    found: list[Any] = []
    cursor = None
    for _ in itertools.count():
        page = ask(cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


@given(where=FILTERS)
@example(where=EventFilter(since=at(10), until=at(12)))
@example(where=EventFilter(user_id=("u1", "u2"), event=("common",), since=at(10), until=at(40)))
@settings(deadline=None, max_examples=40)
def test_every_filter_means_what_it_says(many: Store, where: EventFilter) -> None:
    """Whatever is combined, the list holds the events that pass, newest first; the scan, oldest first."""
    numbers = expected(where)
    page = many.events(40, None, where)
    assert [summary.event.event_id for summary in page.summaries] == [f"e{number}" for number in numbers[:40]]
    assert (page.next_cursor is None) == (len(numbers) <= 40)
    if page.next_cursor:
        more = many.events(500, page.next_cursor, where)
        assert [summary.event.event_id for summary in more.summaries] == [f"e{number}" for number in numbers[40:540]]
    scanned = [story.event.event_id for story in itertools.islice(many.scan(where), 120)]
    assert scanned == [f"e{number}" for number in numbers[::-1][:120]]


@given(where=FILTERS)
@example(where=EventFilter(since=at(10), until=at(30)))
@settings(deadline=None, max_examples=30)
def test_conversations_and_users_are_those_with_an_event_that_passes(many: Store, where: EventFilter) -> None:
    """Each once, the one with the newest event that passes first."""
    numbers = expected(where)
    conversations = walked(lambda cursor: many.conversations(30, cursor, where))
    assert [found.convo_id for found in conversations] == [*dict.fromkeys(f"c{number // 30}" for number in numbers)]
    latest = {f"c{number // 30}": f"e{number}" for number in reversed(numbers)}
    assert [found.latest.event_id for found in conversations] == [latest[found.convo_id] for found in conversations]
    users = walked(lambda cursor: many.users(3, cursor, where))
    named = (EVENTS[number].user_id for number in numbers)
    assert [found.user_id for found in users] == [*dict.fromkeys(user_id for user_id in named if user_id)]


def test_pages_stay_while_events_arrive(tmp_path: Path) -> None:
    """A filtered list goes on where it was, whatever arrives above, and ends."""
    store = open_store(tmp_path / "w.db")
    store.append(batch(range(100))).result()
    where = EventFilter(event=("common",))
    seen: list[str] = []
    cursor = None
    for number in range(100, 200):
        page = store.events(10, cursor, where)
        seen += [summary.event.event_id for summary in page.summaries]
        store.append(batch(range(number, number + 1))).result()
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"e{number}" for number in reversed(range(100)) if number % 100 != 1]
    store.close()


def test_a_filter_follows_what_changes(tmp_path: Path) -> None:
    """What an event is said to be later is what it is found by, and no longer what it was."""
    store = open_store(tmp_path / "w.db")

    def found(*properties: tuple[str, str]) -> list[str]:
        page = store.events(9, None, EventFilter(properties=properties))
        return [summary.event.event_id for summary in page.summaries]

    store.append(Batch(events=(Event(event_id="e", properties={"a": 1, "b": "x"}, is_pending=True),))).result()
    store.append(Batch(events=(Event(event_id="e", properties={"b": "y" * 300, "c": None}),))).result()
    assert (found(("a", "1")), found(("b", "x")), found(("b", "y" * 300)), found(("c", "null"))) == (
        ["e"],
        [],
        ["e"],
        ["e"],
    )
    store.append(Batch(events=(Event(event_id="t" * 32, properties={"of": "trace"}),))).result()
    assert found(("of", "trace")) == ["t" * 32]
    store.append(Batch(spans=(Span(trace_id="t" * 32, span_id="s", name="n", about=Event(event_id="owner")),))).result()
    assert found(("of", "trace")) == ["owner"]
    assert store.events(9, None, EventFilter(pending=True)).summaries == ()
    store.close()


def test_a_conversation_with_all_its_turns(many: Store) -> None:
    """Its sums are over every turn, and its turns come in the order they happened, page by page."""
    told = many.conversation("c3")
    assert told is not None
    numbers = range(90, 120)
    assert (told.turn_count, told.opening, told.latest.event_id) == (30, "question 90", "e119")
    assert (told.first_at, told.last_at) == (at(45), at(59))
    assert (told.models, told.user_ids) == (("m",), tuple(f"u{number}" for number in range(7)))
    assert told.signal_count == sum(len(signals(number)) for number in numbers)
    assert (told.error_count, told.pending_count) == (1, 0)
    turns = walked(lambda cursor: many.turns("c3", 7, cursor))
    assert [turn.event.event_id for turn in turns] == [f"e{number}" for number in numbers]
    assert many.conversation("none") is None


def test_users_who_were_only_identified_are_listed_too(tmp_path: Path) -> None:
    """Each user once, the last seen first, with traits; a filter leaves only those with events that pass."""
    store = open_store(tmp_path / "w.db")
    store.append(Batch(users=tuple(User(user_id=f"silent{n}", traits={"n": n}) for n in range(3)))).result()
    old = Event(event_id="a", user_id="old", timestamp="2001-01-01T00:00:00.000000Z")
    store.append(Batch(events=(old,), users=(User(user_id="old", traits={"plan": "pro"}),))).result()
    people = walked(lambda cursor: store.users(2, cursor))
    assert [found.user_id for found in people] == ["silent0", "silent1", "silent2", "old"]
    assert (people[-1].traits, people[-1].event_count) == ({"plan": "pro"}, 1)
    found = store.users(9, None, EventFilter(event=("x",)))
    assert (found.items, store.users(9, None, EventFilter(attachment=False)).items) == ((), (people[-1],))
    store.close()


def test_cursors_of_other_lists_are_refused(many: Store) -> None:
    """A cursor belongs to its kind of list, and holds no number that no row can have."""
    of_spans = many.tool_errors(1).next_cursor
    assert of_spans is not None
    for wrong in (of_spans, "WyJ4Iiw5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTldA", "e30"):
        for ask in (many.events, many.conversations, many.users):
            with pytest.raises(ValueError, match="not a cursor"):
                ask(5, wrong)
    with pytest.raises(ValueError, match="not a cursor"):
        many.tool_errors(5, many.events(5).next_cursor)


def test_signals_given_before_their_event_are_found_with_it(tmp_path: Path) -> None:
    """A signal waits for its event, and then the event is found by it."""
    store = open_store(tmp_path / "w.db")
    store.append(Batch(signals=(Signal(event_id="late", name="s"),))).result()
    assert store.events(9, None, EventFilter(signal=("s",))).summaries == ()
    store.append(Batch(events=(Event(event_id="late"),))).result()
    [only] = store.events(9, None, EventFilter(signal=("s",))).summaries
    assert only.event.event_id == "late"
    store.close()
