"""Whatever a receiver answers, every record ends once and order holds where it matters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging._pipeline.entries import Item, Request
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
    """With any answers and up to three requests at once: sums hold, and one key's items end in the order they came."""
    stage = Outbox(PATIENCE, random=lambda: 0.5)
    given_items: list[Item] = []
    for lane, keys in asked:
        made = tuple(item(lane, f"{len(given_items)}-{n}".encode(), f"e{key}") for n, key in enumerate(keys))
        given_items += made
        stage.add(Request(lane, made))
    ended: list[Item] = []
    flying: list[Attempt] = []
    now = 0.0
    for _ in range(2_000):
        assert stage.records == len(given_items) - len(ended)
        attempt = stage.take(now) if len(flying) < 3 else None
        if attempt is not None:
            flying.append(attempt)
        elif flying:
            chosen = flying.pop(data.draw(st.integers(0, len(flying) - 1)))
            verdict = data.draw(verdicts) if now < 60.0 else Verdict.DELIVERED
            settled: Settled = stage.settle(chosen, verdict, now)
            ended += [*settled.delivered, *settled.refused, *settled.expired]
        elif len(stage):
            now = max(stage.next_time(now) or now, now + 0.5)
        else:
            break
    assert sorted(one.body for one in ended) == sorted(one.body for one in given_items)
    for key in {one.key for one in given_items}:
        order = [one.body for one in given_items if one.key == key]
        assert [one.body for one in ended if one.key == key] == order
