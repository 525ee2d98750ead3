"""Whatever comes in, requests stay within their bounds and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging._pipeline.batcher import Batcher, Limits
from raindrop_logging._pipeline.entries import Item, Request
from raindrop_logging.wire import Lane
from tests.stages.entries_made import item

LIMITS = Limits(items=5, nbytes=200, seconds=1.0)
BATCHED = (Lane.EVENTS, Lane.SIGNALS, Lane.TRACES)

items = st.builds(
    lambda lane, size, key: item(lane, b"x" * size, f"e{key}"),
    st.sampled_from(list(Lane)),
    st.integers(1, 300),
    st.integers(0, 5),
)
arrivals = st.lists(st.tuples(st.floats(0.0, 0.7), items), max_size=40)


def _run(coming: list[tuple[float, Item]]) -> list[Request]:
    stage, now, requests = Batcher(dict.fromkeys(BATCHED, LIMITS)), 0.0, []
    for gap, one in coming:
        now += gap
        requests += stage.add(one, now)
        requests += stage.tick(now)
    return requests + stage.drain()


@given(arrivals)
def test_nothing_is_missing_and_each_lane_keeps_its_order(coming: list[tuple[float, Item]]) -> None:
    """Every item leaves once, in its lane, in the order it came."""
    requests = _run(coming)
    for lane in Lane:
        left = [one for request in requests if request.lane is lane for one in request.items]
        assert left == [one for _, one in coming if one.lane is lane]


@given(arrivals)
def test_no_request_passes_its_bounds(coming: list[tuple[float, Item]]) -> None:
    """Neither count nor bytes, but for one item that is larger than any request."""
    for request in _run(coming):
        assert len(request.items) <= LIMITS.items
        assert len(request.items) == 1 or sum(len(one.body) + 1 for one in request.items) <= LIMITS.nbytes


@given(arrivals)
def test_what_names_an_event_leaves_after_it(coming: list[tuple[float, Item]]) -> None:
    """A signal or partial never leaves before an event with its key that came earlier."""
    requests = _run(coming)
    place = {id(one): number for number, request in enumerate(requests) for one in request.items}
    for number, (_, one) in enumerate(coming):
        if one.lane in (Lane.SIGNALS, Lane.PARTIALS):
            earlier = [e for _, e in coming[:number] if e.lane is Lane.EVENTS and e.key == one.key]
            assert all(place[id(event)] < place[id(one)] for event in earlier)
