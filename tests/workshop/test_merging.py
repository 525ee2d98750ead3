"""The merge rule of partials, case by case and for any sequence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging.workshop.merging import distinct, merge
from raindrop_logging.workshop.records import SCALARS, Event

_texts = st.one_of(st.none(), st.sampled_from(["x", "y", "z"]))
_maps = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3)
_attachments = st.lists(
    st.fixed_dictionaries(
        {"type": st.just("text"), "value": st.sampled_from("pq")},
        optional={"attachment_id": st.sampled_from(["1", "2"])},
    ),
    max_size=3,
).map(distinct)


def _events(*, pending: st.SearchStrategy[bool]) -> st.SearchStrategy[Event]:
    return st.builds(
        Event,
        event_id=st.just("e"),
        properties=_maps,
        attachments=_attachments,
        feature_flags=st.just({}),
        is_pending=pending,
        **dict.fromkeys(SCALARS, _texts),
    )


_any = _events(pending=st.booleans())
_pending = _events(pending=st.just(True))
_final = _events(pending=st.just(False))


def _merged(events: list[Event]) -> Event:
    whole = events[0]
    for event in events[1:]:
        whole = merge(whole, event)
    return whole


def _event(**fields: Any) -> Event:
    return Event(event_id="e", **fields)


@pytest.mark.parametrize(
    ("old", "new", "merged"),
    [
        pytest.param(
            _event(model="a", input="q", is_pending=True),
            _event(model="b", is_pending=True),
            _event(model="b", input="q", is_pending=True),
            id="a newer value wins, an absent one keeps",
        ),
        pytest.param(
            _event(properties={"a": 1, "n": {"x": 1}}, is_pending=True),
            _event(properties={"b": 2, "n": {"y": 2}}),
            _event(properties={"a": 1, "n": {"y": 2}, "b": 2}),
            id="properties merge by their first level",
        ),
        pytest.param(
            _event(output="final", properties={"a": 1}),
            _event(output="late", input="q", properties={"a": 0, "b": 2}, is_pending=True),
            _event(output="final", input="q", properties={"a": 1, "b": 2}),
            id="a late pending one fills gaps only",
        ),
        pytest.param(_event(output="a"), _event(output="b"), _event(output="b"), id="a second final replaces"),
        pytest.param(
            _event(attachments=({"attachment_id": "1", "value": "old"}, {"value": "same"})),
            _event(attachments=({"value": "same"}, {"attachment_id": "1", "value": "new"}, {"value": "more"})),
            _event(attachments=({"attachment_id": "1", "value": "new"}, {"value": "same"}, {"value": "more"})),
            id="attachments append, each once",
        ),
        pytest.param(
            _event(attachments=({"attachment_id": "1", "value": "final"},)),
            _event(attachments=({"attachment_id": "1", "value": "late"}, {"value": "b"}), is_pending=True),
            _event(attachments=({"attachment_id": "1", "value": "final"}, {"value": "b"})),
            id="a late pending one changes no attachment",
        ),
    ],
)
def test_rule(old: Event, new: Event, merged: Event) -> None:
    """Each rule by its plainest case."""
    assert merge(old, new) == merged


@given(st.lists(_any, min_size=1, max_size=6))
def test_final_stays_final(events: list[Event]) -> None:
    """An event is pending only while nothing final was said of it."""
    assert _merged(events).is_pending == all(event.is_pending for event in events)


@given(st.lists(_any, min_size=1, max_size=5))
def test_repeating_the_last_changes_nothing(events: list[Event]) -> None:
    """A retry of what was just stored is without effect."""
    whole = _merged(events)
    assert merge(whole, events[-1]) == whole


@given(st.lists(_pending, max_size=5), _final, st.data())
def test_what_the_final_says_holds_in_any_order(pending: list[Event], final: Event, data: st.DataObject) -> None:
    """However the transport mixes one final and its pendings, every value of the final is shown."""
    order = data.draw(st.permutations([*pending, final]))
    whole = _merged(list(order))
    assert {name: getattr(whole, name) for name in SCALARS if getattr(final, name) is not None} == {
        name: getattr(final, name) for name in SCALARS if getattr(final, name) is not None
    }
    assert whole.properties.items() >= final.properties.items()
    assert all(attachment in whole.attachments for attachment in final.attachments)


@given(st.lists(_pending, min_size=1, max_size=6))
def test_among_pendings_the_last_word_counts(events: list[Event]) -> None:
    """In order of arrival, each field has the last value that was given for it."""
    whole = _merged(events)
    for name in SCALARS:
        given_values = [getattr(event, name) for event in events if getattr(event, name) is not None]
        assert getattr(whole, name) == (given_values[-1] if given_values else None)


@given(st.lists(_any, min_size=1, max_size=6))
def test_nothing_said_is_lost(events: list[Event]) -> None:
    """Every property key and every attachment that was ever sent is there, and each attachment once."""
    whole = _merged(events)
    assert set(whole.properties) == {key for event in events for key in event.properties}

    def names(event: Event) -> list[str]:
        return [str(item.get("attachment_id") or sorted(item.items())) for item in event.attachments]

    assert sorted(names(whole)) == sorted({name for event in events for name in names(event)})
