"""The thread between the queue and the road: it starts by itself, answers to flush and stop, and survives the rest."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from raindrop_logging._pipeline.bounded_queue import BoundedQueue, Bounds
from raindrop_logging._pipeline.entries import Snapshot
from raindrop_logging._pipeline.listener import Listener
from raindrop_logging._pipeline.stats import Count
from tests.stages.entries_made import snapshot

PATIENCE = 10.0


class Road:
    """Writes down what it is driven to do."""

    def __init__(self) -> None:
        self.accepted: list[int] = []
        self.threads: set[str] = set()
        self.pushes = 0
        self.ticks = 0
        self.failures: list[str] = []
        self.behind = False
        self.due: float | None = None
        self.on_accept: Callable[[Snapshot], None] = lambda _: None
        self.on_tick: Callable[[], None] = lambda: None
        self.on_push: Callable[[], None] = lambda: None
        self.changed = threading.Condition()

    def accept(self, one: Snapshot, _now: float) -> None:
        """Take one."""
        self.threads.add(threading.current_thread().name)
        self.on_accept(one)
        with self.changed:
            self.accepted.append(one.bits)
            self.changed.notify_all()

    def tick(self, _now: float) -> float | None:
        """Count the looks at the clock."""
        with self.changed:
            self.ticks += 1
            self.changed.notify_all()
        self.on_tick()
        return self.due

    def push(self, _now: float) -> None:
        """Count the pushes."""
        self.on_push()
        self.pushes += 1

    def failed(self, _snapshot: Snapshot | None, error: Exception) -> None:
        """Write a failure down."""
        with self.changed:
            self.failures.append(str(error))
            self.changed.notify_all()

    def is_behind(self) -> bool:
        """As the test says."""
        return self.behind

    def wait_for(self, done: Callable[[], bool]) -> None:
        """Until something is so."""
        with self.changed:
            assert self.changed.wait_for(done, PATIENCE)


class Desk:
    """A listener over a queue and a road of the test's."""

    def __init__(self) -> None:
        self.queue = BoundedQueue(Bounds(1_000, 10**6, "drop_oldest", 0.0, 1, 10**6), Count())
        self.road = Road()
        self.paused_after: list[int] = []
        self.on_pause: Callable[[], None] = lambda: None
        self.listener = Listener(
            self.queue,
            self.road,
            clock=time.monotonic,
            look_every=1.0,
            pause=self._pause,
        )

    def _pause(self, _seconds: float) -> None:
        self.paused_after.append(len(self.road.accepted))
        self.on_pause()

    def put(self, *bits: int) -> None:
        """Log some."""
        for one in bits:
            self.queue.put(snapshot(one))


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Its thread ends with the test."""
    made = Desk()
    yield made
    made.road.on_accept, made.road.on_tick, made.road.on_push = (lambda _: None), (lambda: None), (lambda: None)
    made.listener.stop(PATIENCE)


def _listeners() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "raindrop-listener"]


def test_it_carries_what_is_put_in_order_on_its_own_thread(desk: Desk) -> None:
    """Everything that was logged before and after its start is on the road, in the order it came."""
    desk.put(1, 2)
    desk.listener.start()
    desk.put(3)
    desk.road.wait_for(lambda: desk.road.accepted == [1, 2, 3])
    assert desk.road.threads == {"raindrop-listener"}


def test_it_pauses_for_other_threads_while_a_backlog_gets_shorter(desk: Desk) -> None:
    """A thread of the application's need not wait until it is through."""
    desk.put(*range(100))
    desk.listener.start()
    desk.road.wait_for(lambda: len(desk.road.accepted) == 100)
    assert desk.paused_after == [16, 32, 48, 64, 80, 96]


def test_it_pauses_less_where_pauses_are_used_to_log(desk: Desk) -> None:
    """A thread that logs without an end would have all the time, and the queue would fill up."""
    desk.put(*range(500))
    more = itertools.count(500)
    desk.on_pause = lambda: desk.put(*(next(more) for _ in range(20))) if len(desk.road.accepted) < 400 else None
    desk.listener.start()
    desk.road.wait_for(lambda: len(desk.road.accepted) == 560)
    assert desk.paused_after == [16, 176, 336, 496, 516, 532, 548]


def test_starting_it_often_starts_it_once(desk: Desk) -> None:
    """Whoever logs may start it, at the same time as others."""
    before = len(_listeners())
    starters = [threading.Thread(target=desk.listener.start) for _ in range(20)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert len(_listeners()) == before + 1


def test_a_push_hands_over_all_that_was_logged_before(desk: Desk) -> None:
    """It starts the thread if need be, and answers when everything is with the sender."""
    desk.put(*range(100))
    assert desk.listener.push(PATIENCE)
    assert (desk.road.accepted, desk.road.pushes, len(desk.queue)) == (list(range(100)), 1, 0)


def test_a_push_has_an_end_however_long_the_road_takes(desk: Desk) -> None:
    """The timeout comes first, and says so."""
    gate = threading.Event()

    def hang(_: Snapshot) -> None:
        gate.wait(PATIENCE)

    desk.road.on_accept = hang
    desk.put(1)
    assert not desk.listener.push(0.1)
    gate.set()
    assert desk.listener.push(PATIENCE)


@pytest.mark.parametrize("where", ["on_accept", "on_tick", "on_push"])
def test_a_fault_on_the_road_costs_one_step(where: str, desk: Desk) -> None:
    """What raises is told as failed; the thread lives, and carries the next one."""

    def fail(*_: object) -> None:
        setattr(desk.road, where, lambda *_: None)
        raise RuntimeError(where)

    setattr(desk.road, where, fail)
    desk.put(1)
    assert desk.listener.push(PATIENCE)
    desk.put(2)
    assert desk.listener.push(PATIENCE)
    assert desk.road.failures == [where]
    assert desk.road.accepted == ([2] if where == "on_accept" else [1, 2])


def test_it_leaves_in_the_queue_what_the_sender_cannot_hold(desk: Desk) -> None:
    """While the sender is behind records wait where when_full rules; once it is not, they go on by themselves."""
    desk.road.behind = True
    desk.listener.start()
    desk.put(1, 2, 3)
    desk.road.wait_for(lambda: desk.road.ticks >= 3)
    assert (desk.road.accepted, len(desk.queue)) == ([], 3)
    desk.road.behind = False
    desk.road.wait_for(lambda: desk.road.accepted == [1, 2, 3])


def test_a_push_takes_along_what_only_memory_holds_although_the_sender_is_behind(desk: Desk) -> None:
    """A flush means all of it."""
    desk.road.behind = True
    desk.put(1, 2, 3)
    assert desk.listener.push(PATIENCE)
    assert desk.road.accepted == [1, 2, 3]


def test_it_wakes_when_something_is_due(desk: Desk) -> None:
    """Without any record it looks again when the road has asked for it."""
    desk.road.due = time.monotonic() + 0.05
    desk.listener.start()
    desk.put(1)
    desk.road.wait_for(lambda: desk.road.ticks >= 2)
    assert time.monotonic() >= desk.road.due


def test_stopping_ends_the_thread_and_a_start_begins_another(desk: Desk) -> None:
    """What is put after a stop waits for the next start."""
    desk.listener.start()
    thread = desk.listener._running
    assert thread is not None
    desk.listener.stop(PATIENCE)
    assert (thread.is_alive(), desk.listener.is_alive) == (False, False)
    desk.put(1)
    desk.listener.start()
    desk.road.wait_for(lambda: desk.road.accepted == [1])


def test_a_stop_does_not_wait_beyond_its_timeout(desk: Desk) -> None:
    """A road that hangs holds nobody who ends it; the thread ends when it can."""
    gate = threading.Event()
    entered = threading.Event()

    def hang(_: Snapshot) -> None:
        entered.set()
        gate.wait(PATIENCE)

    desk.road.on_accept = hang
    desk.listener.start()
    thread = desk.listener._running
    desk.put(1)
    assert entered.wait(PATIENCE)
    started = time.monotonic()
    desk.listener.stop(0.05)
    assert time.monotonic() - started < PATIENCE / 2
    gate.set()
    assert thread is not None
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_it_may_stop_itself(desk: Desk) -> None:
    """A road that finds out that nobody needs it any more ends the thread from inside."""
    desk.road.on_tick = lambda: desk.listener.stop(PATIENCE)
    desk.listener.start()
    thread = desk.listener._running
    desk.put(1)
    assert thread is not None
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_driven_inline_it_does_the_same_on_the_calling_thread(desk: Desk) -> None:
    """Where no thread is wanted the caller takes all and does what is due."""
    desk.put(1, 2)
    assert desk.listener.drive()
    desk.put(3)
    desk.listener.drain_inline()
    assert (desk.road.accepted, desk.road.pushes, desk.listener.is_alive) == ([1, 2, 3], 1, False)
    assert desk.road.threads == {threading.current_thread().name}


def test_driven_inline_it_leaves_what_the_sender_cannot_hold(desk: Desk) -> None:
    """What waits stays bounded by the queue; at the end of the process everything is taken."""
    desk.road.behind = True
    desk.put(1, 2)
    desk.listener.drive()
    assert desk.road.accepted == []
    desk.listener.drain_inline()
    assert desk.road.accepted == [1, 2]


def test_who_drives_already_is_not_driven_again(desk: Desk) -> None:
    """A record that is logged from inside the road, on the same thread, is taken further out, in its turn."""
    answers: list[bool] = []

    def log_more(one: Snapshot) -> None:
        if one.bits == 1:
            desk.put(3)
            answers.append(desk.listener.drive())
            desk.listener.drain_inline()

    desk.road.on_accept = log_more
    desk.put(1, 2)
    assert desk.listener.drive()
    assert (answers, desk.road.accepted, desk.road.pushes) == ([False], [1, 2], 0)
    desk.listener.drive()
    assert desk.road.accepted == [1, 2, 3]


def test_who_holds_the_road_holds_the_thread_off(desk: Desk) -> None:
    """Work that the listener must not do meanwhile is done by one at a time."""
    desk.listener.start()
    with desk.listener.driven() as driving:
        assert driving
        desk.put(1)
        assert not desk.listener.push(0.1)
        assert desk.road.accepted == []
    desk.road.wait_for(lambda: desk.road.accepted == [1])
