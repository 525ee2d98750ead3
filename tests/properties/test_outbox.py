"""Whatever a receiver answers, every record ends once and order holds where it matters."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging._pipeline.entries import Item, request_of
from raindrop_logging._pipeline.outbox import Attempt, Outbox, Patience, Settled, Verdict
from raindrop_logging.wire import Lane
from tests.stages.entries_made import item

verdicts = st.sampled_from(list(Verdict))
requests = st.lists(
    st.tuples(
        st.sampled_from([Lane.EVENTS, Lane.SIGNALS, Lane.PARTIALS]), st.lists(st.integers(0, 4), min_size=1, max_size=4)
    ),
    min_size=1,
    max_size=8,
)
PATIENCE = Patience(budget=20.0, base_delay=1.0, max_delay=4.0, jitter=0.0, max_attempts=None)


@given(requests, st.data())
def test_every_record_ends_once_and_in_order_of_its_key(
    asked: list[tuple[Lane, list[int]]], data: st.DataObject
) -> None:
    """With any answers and up to four requests at once: sums hold, no request overtakes one that shares a key with it,
    and one key's items end in the order they came."""
    stage = Outbox(PATIENCE, random=lambda: 0.5)
    given_items: list[Item] = []
    for lane, keys in asked:
        made = tuple(item(lane, f"{len(given_items)}-{n}".encode(), f"e{key}") for n, key in enumerate(keys))
        given_items += made
        stage.add(request_of(lane, made))
    ended: list[Item] = []
    flying: list[Attempt] = []
    now = 0.0
    for _ in range(2_000):
        assert stage.records == len(given_items) - len(ended)
        ready = stage.ready(now)
        attempt = stage.take(now) if len(flying) < 4 else None
        if attempt is not None:
            assert ready
            assert not any(attempt.request.keys & other.request.keys for other in flying)
            flying.append(attempt)
        elif flying:
            chosen = flying.pop(data.draw(st.integers(0, len(flying) - 1)))
            verdict = data.draw(verdicts) if now < 60.0 else Verdict.DELIVERED
            settled: Settled = stage.settle(chosen, verdict, now, reached=data.draw(st.booleans()))
            ended += [*settled.delivered, *settled.refused, *settled.expired]
        elif len(stage):
            now = max(stage.next_time(now) or now, now + 0.5)
        else:
            break
    assert sorted(one.body for one in ended) == sorted(one.body for one in given_items)
    for key in {one.key for one in given_items}:
        order = [one.body for one in given_items if one.key == key]
        assert [one.body for one in ended if one.key == key] == order


actions = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from([Lane.EVENTS, Lane.TRACES]), st.sets(st.integers(0, 3), max_size=3)),
        st.tuples(st.sampled_from(["take", "settle", "drop"]), st.integers(0, 9), st.sampled_from(list(Verdict))),
    ),
    max_size=40,
)


@given(actions)
def test_what_goes_next_is_the_oldest_that_nothing_older_holds_back(asked: list[tuple[Any, Any, Any]]) -> None:
    """Whatever is added, taken, settled, split and given up: the next one is what a search through all would find."""
    stage = Outbox(Patience(1e9, 0.0, 0.0, 0.0, None), random=lambda: 0.5)
    flying: list[Attempt] = []
    for what, one, other in asked:
        if what == "add":
            made = [item(one, b"{}", f"e{key}") for key in other] or [item(one, b"{}", None)]
            stage.add(request_of(one, tuple(made * 2)))
        elif what == "drop":
            stage.drop_oldest(Lane.TRACES, one)
        elif what == "take":
            expected = _search(stage)
            assert stage.take(0.0) is expected
            flying += [expected] if expected else []
        elif flying:
            stage.settle(flying.pop(one % len(flying)), other, 0.0)
        everything = list(stage._unsettled())
        assert len(stage) == len(everything)
        assert stage.records == sum(attempt.request.records for attempt in everything)
        assert stage.has_until(stage.last_serial) is bool(everything)
        for lane in Lane:
            items = sum(len(attempt.request.items) for attempt in everything if attempt.request.lane is lane)
            assert stage.items_waiting(lane) == items
    stage.abandon()
    assert (len(stage), stage.records, stage.nbytes, stage._lines) == (0, 0, 0, {})


def _search(stage: Outbox) -> Attempt | None:
    if not stage._host.lets_through(0.0):
        return None
    held: set[str] = set()
    for attempt in stage._unsettled():
        healthy = stage._lanes[attempt.request.lane].health.lets_through(0.0)
        if healthy and not attempt.flying and held.isdisjoint(attempt.request.keys):
            return attempt
        held |= attempt.request.keys
    return None
