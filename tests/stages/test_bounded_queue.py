"""What callers and the listener share."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from raindrop_logging._pipeline.bounded_queue import BoundedQueue, Bounds
from raindrop_logging._pipeline.entries import ErrorText, Snapshot
from raindrop_logging._pipeline.stats import Count
from tests.processes.deployment import until
from tests.stages.entries_made import PLACE, snapshot


def _queue(**given: Any) -> BoundedQueue:
    usual: dict[str, Any] = {"max_size": 10, "max_bytes": 10_000, "when_full": "drop_oldest", "block_timeout": 0.0}
    usual |= {"wake_size": 5, "wake_bytes": 5_000}
    overflowed = given.pop("overflowed", Count())
    return BoundedQueue(Bounds(**(usual | given)), overflowed)


def _snapshot(number: int = 0, nbytes: int = 100) -> Snapshot:
    return Snapshot(0.0, number, b"", "ai", None, None, *PLACE, nbytes)


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


def test_whoever_sleeps_until_the_first_record_is_woken_whatever_is_said_meanwhile() -> None:
    """The one who has started a listener says so after it has begun, and by then it may sleep."""
    queue = _queue()
    queue.attended(by_listener=False)
    sleeper = threading.Thread(target=queue.sleep, args=(60.0,), kwargs={"until_first": True}, daemon=True)
    sleeper.start()
    until(lambda: queue._asleep, "a listener that sleeps")
    queue.attended(by_listener=True)
    queue.put(_snapshot())
    sleeper.join(20)
    assert not sleeper.is_alive()


def test_once_nobody_listens_each_record_asks_for_somebody_again() -> None:
    """Whatever the listener that ends has set while it was told to."""
    asked: list[int] = []
    queue = _queue()
    queue.attend = lambda: asked.append(1)
    queue.attended(by_listener=True)
    queue.put(_snapshot())
    queue.attended(by_listener=False)
    queue._be_calm_below(5, 5_000)  # as the listener does when it wakes
    queue.put(_snapshot(1))
    assert asked == [1]


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


# ---- what gives way

PRECIOUS: dict[str, Callable[[int], Snapshot]] = {
    "a signal": lambda bits: snapshot(bits, "signal"),
    "a finish": lambda bits: snapshot(bits, "finish"),
    "an error": lambda bits: snapshot(bits, "ai", error=ErrorText("E", "m", "s")),
}


def _taken(queue: BoundedQueue) -> list[int]:
    return [one.bits for one in iter(queue.take, None)]


@pytest.mark.parametrize("precious", PRECIOUS.values(), ids=PRECIOUS)
def test_chatter_gives_way_before_what_is_precious(precious: Callable[[int], Snapshot]) -> None:
    """The oldest chatter goes first, however much older a signal, a finish or an error is."""
    overflowed = Count()
    queue = _queue(max_size=3, overflowed=overflowed)
    for one in (precious(1), snapshot(2), snapshot(3), snapshot(4), snapshot(5)):
        queue.put(one)
    assert (_taken(queue), int(overflowed)) == ([1, 4, 5], 2)


@pytest.mark.parametrize("precious", PRECIOUS.values(), ids=PRECIOUS)
def test_chatter_never_takes_the_place_of_what_is_precious(precious: Callable[[int], Snapshot]) -> None:
    """In a queue full of signals, finishes and errors chatter finds no room; their own oldest makes some."""
    overflowed = Count()
    queue = _queue(max_size=2, overflowed=overflowed)
    for one in (precious(1), precious(2), snapshot(3)):
        queue.put(one)
    assert int(overflowed) == 1
    queue.put(precious(4))
    assert (_taken(queue), int(overflowed)) == ([2, 4], 2)


@pytest.mark.parametrize("when_full", ["drop_newest", "block"])
@pytest.mark.parametrize("precious", PRECIOUS.values(), ids=PRECIOUS)
def test_what_is_precious_takes_the_place_of_the_newest_chatter(
    precious: Callable[[int], Snapshot], when_full: str
) -> None:
    """Where what is new gives way, a signal, a finish or an error is taken all the same while there is chatter."""
    overflowed = Count()
    queue = _queue(max_size=2, when_full=when_full, overflowed=overflowed)
    for one in (snapshot(1), snapshot(2), snapshot(3), precious(4), precious(5), precious(6)):
        queue.put(one)
    assert (_taken(queue), int(overflowed), queue.nbytes) == ([4, 5], 4, 0)


def test_the_oldest_precious_goes_where_there_is_nothing_else() -> None:
    """A queue of signals alone is bounded as well."""
    queue = _queue(max_size=2)
    for bits in range(1, 6):
        queue.put(snapshot(bits, "signal"))
    assert _taken(queue) == [4, 5]


def test_order_holds_across_chatter_and_precious() -> None:
    """The listener takes everything in the order it came, whichever would give way first."""
    queue = _queue(max_size=100, max_bytes=100_000)
    words = ["ai", "signal", "signal", "ai", "finish", "begin", "ai", "signal", "update", "finish"] * 5
    for bits, word in enumerate(words):
        queue.put(snapshot(bits, word))
    assert _taken(queue) == list(range(50))


# ---- block


def test_block_waits_until_there_is_room() -> None:
    """A caller goes on as soon as the listener has taken one, and nothing is lost."""
    overflowed = Count()
    queue = _queue(max_size=1, when_full="block", block_timeout=30.0, overflowed=overflowed)
    queue.put(snapshot(1))
    caller = threading.Thread(target=queue.put, args=(snapshot(2),))
    caller.start()
    assert queue._bell.acquire(timeout=10.0), "who waits has rung"
    taken = queue.take()
    caller.join(10.0)
    assert (taken.bits if taken else None, _taken(queue), int(overflowed)) == (1, [2], 0)


def test_block_gives_up_after_block_timeout() -> None:
    """A log call that finds no room in time goes on without its record, which is counted."""
    overflowed = Count()
    queue = _queue(max_size=1, when_full="block", block_timeout=0.05, overflowed=overflowed)
    queue.put(snapshot(1))
    started = time.monotonic()
    queue.put(snapshot(2))
    assert time.monotonic() - started >= 0.05
    assert (_taken(queue), int(overflowed)) == ([1], 1)


def test_block_never_waits_in_a_signal_handler() -> None:
    """The thread that would make room may be the one that is interrupted, so a handler is never held up."""
    overflowed = Count()
    queue = _queue(max_size=1, when_full="block", block_timeout=50.0, overflowed=overflowed)
    queue.put(snapshot(1))

    def log(_number: int, _frame: FrameType | None) -> None:
        _deep(5, lambda: queue.put(snapshot(2)))

    class Service:
        def log(self, number: int, frame: FrameType | None) -> None:
            log(number, frame)

    before = signal.getsignal(signal.SIGUSR1)
    try:
        for handler in (log, Service().log):
            signal.signal(signal.SIGUSR1, handler)
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert int(overflowed) == 2


def _deep(levels: int, work: Callable[[], None]) -> None:
    work() if levels == 0 else _deep(levels - 1, work)


def test_block_waits_on_the_main_thread_outside_of_handlers() -> None:
    """That a handler is installed is no reason not to wait."""
    queue = _queue(max_size=1, when_full="block", block_timeout=0.05)
    queue.put(snapshot(1))
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        started = time.monotonic()
        queue.put(snapshot(2))
        assert time.monotonic() - started >= 0.05
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("name", ["raindrop-listener", "raindrop-sender-cloud-1", "raindrop-anything"])
def test_block_never_waits_on_a_thread_of_ours(name: str) -> None:
    """What the package's own threads log has no room to wait for: only they make it."""
    overflowed = Count()
    queue = _queue(max_size=1, when_full="block", block_timeout=50.0, overflowed=overflowed)
    queue.put(snapshot(1))
    own = threading.Thread(target=queue.put, args=(snapshot(2),), name=name, daemon=True)
    own.start()
    own.join(10.0)
    assert (own.is_alive(), int(overflowed)) == (False, 1)


# ---- the bell


def test_a_listener_that_sleeps_until_the_first_record_is_woken_by_it() -> None:
    """The very next record ends the sleep, long before its time."""
    queue = _queue()
    caller = threading.Timer(0.05, queue.put, args=(snapshot(1),))
    caller.start()
    started = time.monotonic()
    queue.sleep(50.0, until_first=True)
    caller.join()
    assert time.monotonic() - started < 40.0
    assert len(queue) == 1


def test_a_listener_does_not_fall_asleep_over_a_record() -> None:
    """What came before it asked to be woken is seen at once."""
    queue = _queue()
    queue.put(snapshot(1))
    started = time.monotonic()
    queue.sleep(50.0, until_first=True)
    assert time.monotonic() - started < 40.0


def test_ringing_twice_wakes_once() -> None:
    """A bell that was rung many times is answered by one look."""
    queue = _queue()
    for _ in range(3):
        queue.ring()
    queue.sleep(50.0, until_first=False)
    started = time.monotonic()
    queue.sleep(0.05, until_first=False)
    assert time.monotonic() - started >= 0.05


def test_nothing_of_it_is_on_disk() -> None:
    """In memory there is nothing before a mark, so everything is past it."""
    queue = _queue()
    queue.put(snapshot(1))
    assert queue.is_past(queue.mark())
