"""What callers and the listener share."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from raindrop_logging._pipeline.bounded_queue import BoundedQueue, Bounds
from raindrop_logging._pipeline.entries import Snapshot
from raindrop_logging._pipeline.stats import Count
from tests.stages.entries_made import SOURCE


def _queue(**given: Any) -> BoundedQueue:
    usual: dict[str, Any] = {"max_size": 10, "max_bytes": 10_000, "when_full": "drop_oldest", "block_timeout": 0.0}
    usual |= {"wake_size": 5, "wake_bytes": 5_000}
    overflowed = given.pop("overflowed", Count())
    return BoundedQueue(Bounds(**(usual | given)), overflowed)


def _snapshot(number: int = 0, nbytes: int = 100) -> Snapshot:
    return Snapshot(0.0, number, b"", "ai", None, None, SOURCE, nbytes)


def _put_many(queue: BoundedQueue, times: int) -> None:
    for _ in range(times):
        queue.put(_snapshot())


def _rung(queue: BoundedQueue) -> bool:
    return queue._bell.acquire(blocking=False)


def test_the_bell_rings_when_a_batch_is_complete_and_not_before() -> None:
    """By count or by bytes; a listener that waits for the very first record asks for that."""
    queue = _queue()
    for number in range(4):
        queue.put(_snapshot(number))
    assert not _rung(queue)
    queue.put(_snapshot(4))
    assert _rung(queue)
    by_bytes = _queue()
    by_bytes.put(_snapshot(nbytes=5_000))
    assert _rung(by_bytes)


@pytest.mark.parametrize(("policy", "kept"), [("drop_oldest", [1, 2]), ("drop_newest", [0, 1])])
def test_it_is_bounded_by_bytes_too(policy: str, kept: list[int]) -> None:
    """Two records of half the bytes are all there is room for."""
    overflowed = Count()
    queue = _queue(max_bytes=200, when_full=policy, overflowed=overflowed)
    for number in range(3):
        queue.put(_snapshot(number))
    left = [queue.take(), queue.take()]
    assert [snapshot.bits for snapshot in left if snapshot] == kept
    assert len(queue) == 0
    assert int(overflowed) == 1


def test_a_byte_count_that_has_drifted_never_closes_an_empty_queue() -> None:
    """The count is near enough, not exact: empty is empty, whatever it says, and then it is set right."""
    queue = _queue(when_full="drop_newest")
    queue.nbytes = 10**9
    queue.put(_snapshot())
    assert len(queue) == 1
    queue.take()
    queue.settle()
    assert queue.nbytes == 0


def test_many_threads_lose_nothing_and_the_count_ends_at_zero() -> None:
    """Eight threads put while one takes: every snapshot comes out once."""
    queue = _queue(max_size=1_000_000, max_bytes=10**9)
    threads = [threading.Thread(target=_put_many, args=(queue, 2_000)) for _ in range(8)]
    taken = 0
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or len(queue):
        taken += queue.take() is not None
    queue.settle()
    assert (taken, queue.nbytes) == (16_000, 0)
