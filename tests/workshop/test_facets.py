"""Facets: exact where there is time, and honest where there is not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from raindrop_logging.workshop import Store, open_store
from raindrop_logging.workshop.answers import FACETS, Facet
from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.records import Batch, Event, Signal
from raindrop_logging.workshop.sqlite.facets import SAMPLE
from tests.workshop.many_events import COUNT, EVENTS, at, batch, passes, signals, tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONG = 60.0


@pytest.fixture(scope="module")
def many() -> Iterator[Store]:
    """A store with `COUNT` events."""
    store = open_store(":memory:")
    for first in range(0, COUNT, 500):
        store.append(batch(range(first, first + 500))).result()
    yield store
    store.close()


def counts(facet: Facet) -> dict[str, int]:
    """A facet's values with how many events have them."""
    return {value.value: value.events for value in facet.values}


def counted(numbers: Iterable[int]) -> dict[str, Counter[str]]:
    """The facets of these events, counted in Python."""
    found: dict[str, Counter[str]] = {name: Counter() for name in (*FACETS, "property.region", "property.deep")}
    for number in numbers:
        event = EVENTS[number]
        for name in ("event", "user_id", "convo_id", "model", "project_id"):
            found[name].update([getattr(event, name)] * (getattr(event, name) is not None))
        found["tool"].update(list(tools(number)))
        found["signal"].update(signals(number))
        found["property.region"][event.properties["region"]] += 1
        found["property.deep"][f'{{"a":[{number % 2}]}}'] += 1
    return found


@pytest.mark.parametrize(
    "where",
    [
        EventFilter(),
        EventFilter(event=("common",)),
        EventFilter(event=("rare",)),
        EventFilter(tool=("look",), error=False),
        EventFilter(since=at(100), until=at(900)),
        EventFilter(event=("none",)),
    ],
    ids=str,
)
def test_each_value_is_counted_once_per_event(many: Store, where: EventFilter) -> None:
    """Every facet counts the events that pass, most frequent first, whether few or all of them do."""
    expected = counted(number for number in range(COUNT) if passes(number, where))
    found = {facet.name: facet for facet in many.facets(where, top=200, seconds=LONG)}
    assert not any(facet.partial for facet in found.values())
    for name, values in expected.items():
        facet = found.get(name, Facet(name=name))
        assert counts(facet) == dict(values), name
        assert [value.events for value in facet.values] == sorted(values.values(), reverse=True)
        assert facet.distinct == len(values)


def test_only_the_top_is_told(many: Store) -> None:
    """At most so many values of each, and how many there are."""
    [facet] = many.facets(names=("convo_id",), top=3, seconds=LONG)
    assert counts(facet) == {"c0": 30, "c1": 30, "c10": 30}
    assert facet.distinct == 100
    named = [facet.name for facet in many.facets(names=("properties",), top=2, seconds=LONG)]
    assert named == ["property.deep", "property.number"]


def test_one_property_by_its_key(many: Store) -> None:
    """A property is asked for by its key, whatever the key holds."""
    [facet] = many.facets(EventFilter(event=("rare",)), ("property.region",), seconds=LONG)
    assert counts(facet) == {"eu": 30}
    assert many.facets(names=("property.'; DROP TABLE events",), seconds=LONG)[0].values == ()
    with pytest.raises(ValueError, match="no facet 'propertys'"):
        many.facets(names=("propertys",))


@pytest.mark.parametrize("where", [EventFilter(), EventFilter(event=("common",))], ids=["all", "filtered"])
def test_without_time_the_newest_are_counted_and_the_answer_says_so(many: Store, where: EventFilter) -> None:
    """A facet that is cut short is never given for the whole."""
    for facet in many.facets(where, ("event", "property.region"), seconds=0):
        assert facet.partial
        assert facet.counted == (0 if where.event else SAMPLE)
        assert sum(counts(facet).values()) == facet.counted
    again = many.facets(where, ("event",), seconds=LONG)
    assert [facet.partial for facet in again] == [False]


def test_signals_without_an_event_are_not_counted() -> None:
    """A facet counts events, and a signal that waits has none yet."""
    store = open_store(":memory:")
    twice = [Signal(event_id="e", name="s", properties={"n": n}) for n in range(2)]
    store.append(Batch(signals=(*twice, Signal(event_id="later", name="s")), events=(Event(event_id="e"),))).result()
    [facet] = store.facets(names=("signal",), seconds=LONG)
    assert counts(facet) == {"s": 1}
    store.close()
