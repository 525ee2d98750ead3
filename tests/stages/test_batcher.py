"""How items become requests."""

from __future__ import annotations

from raindrop_logging._pipeline.batcher import Batcher, Limits
from raindrop_logging.wire import Lane
from tests.stages.entries_made import item


def _batcher(items: int = 3, nbytes: int = 1_000, seconds: float = 1.0) -> Batcher:
    limits = Limits(items, nbytes, seconds)
    return Batcher({Lane.EVENTS: limits, Lane.SIGNALS: limits, Lane.TRACES: limits})


def test_a_batch_is_complete_by_count() -> None:
    """The item that fills a batch sends it."""
    stage = _batcher(items=2)
    assert stage.add(item(Lane.EVENTS), 0.0) == []
    (request,) = stage.add(item(Lane.EVENTS), 0.0)
    assert len(request.items) == 2
    assert stage.records == 0


def test_a_batch_never_passes_its_bytes_but_for_a_single_item() -> None:
    """An item that would not fit starts the next batch; one that is too large for any goes alone."""
    stage = _batcher(items=10, nbytes=100)
    assert stage.add(item(Lane.EVENTS, b"x" * 60), 0.0) == []
    (request,) = stage.add(item(Lane.EVENTS, b"x" * 60), 0.0)
    assert [len(one.body) for one in request.items] == [60]
    before, alone = stage.add(item(Lane.EVENTS, b"x" * 500), 0.0)
    assert [len(one.body) for one in before.items + alone.items] == [60, 500]


def test_a_batch_is_complete_by_age() -> None:
    """The first item's age counts, not the last one's."""
    stage = _batcher()
    stage.add(item(Lane.EVENTS), 10.0)
    stage.add(item(Lane.EVENTS), 10.9)
    assert stage.next_due() == 11.0
    assert stage.tick(10.99) == []
    assert len(stage.tick(11.0)) == 1


def test_interval_zero_leaves_it_to_flush() -> None:
    """Without an interval no clock sends anything."""
    stage = _batcher(seconds=0.0)
    stage.add(item(Lane.EVENTS), 0.0)
    assert stage.next_due() is None
    assert stage.tick(1e9) == []
    assert len(stage.drain()) == 1


def test_signals_never_leave_before_the_events_they_may_name() -> None:
    """Completing a batch of signals completes the open events first."""
    stage = _batcher(items=2)
    stage.add(item(Lane.EVENTS, key="e"), 0.0)
    stage.add(item(Lane.SIGNALS, key="e"), 0.0)
    assert [one.lane for one in stage.add(item(Lane.SIGNALS, key="f"), 0.0)] == [Lane.EVENTS, Lane.SIGNALS]


def test_a_partial_of_an_event_that_waits_takes_it_along() -> None:
    """A late change must not arrive before the complete event it changes; others do not disturb the batch."""
    stage = _batcher()
    stage.add(item(Lane.EVENTS, key="e"), 0.0)
    assert [one.lane for one in stage.add(item(Lane.PARTIALS, key="other"), 0.0)] == [Lane.PARTIALS]
    assert [one.lane for one in stage.add(item(Lane.PARTIALS, key="e"), 0.0)] == [Lane.EVENTS, Lane.PARTIALS]


def test_partials_and_users_are_never_batched() -> None:
    """Their routes take one object a request."""
    stage = _batcher()
    assert len(stage.add(item(Lane.PARTIALS), 0.0)) == 1
    assert len(stage.add(item(Lane.USERS), 0.0)) == 1
