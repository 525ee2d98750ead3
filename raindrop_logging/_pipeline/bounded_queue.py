"""The one place where callers and the listener meet: bounded by count and bytes, and without a lock.

A caller appends to a deque and sometimes rings a bell, each a single C call; so a log call made in a signal handler,
a finalizer or a child of fork can never wait for another one.

In: Snapshot, from any thread
Out: Snapshot, to the listener
Touches: the clock, for `block` only; a bell (a raw lock used as a semaphore) that wakes the listener
"""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from inspect import currentframe
from itertools import count

from msgspec import Struct

from raindrop_logging._pipeline.entries import Snapshot
from raindrop_logging._pipeline.stats import Count

_ROOM_CHECK_SECONDS = 0.005

_PRECIOUS = frozenset({"signal", "finish"})
"""Types that outlive chatter in a full queue, as records with an exception do: without them the rest says little."""

_OWN_THREADS = "raindrop-"
"""Threads of ours are named so; none of them ever waits for room that only they can make."""


class Bounds(Struct, frozen=True):
    """How much may wait, and what gives way then; from how much on a sleeping listener is woken.

    ``block_timeout`` is in seconds, for ``when_full`` = ``block``.
    """

    max_size: int
    max_bytes: int
    when_full: str
    block_timeout: float
    wake_size: int
    wake_bytes: int


class BoundedQueue:
    """Snapshots between callers and the listener.

    Precious ones and chatter wait apart, each with its number, so that a full queue gives the oldest chatter up and
    the listener still takes all in the order they came.

    ``nbytes`` is a bound, not an account: raised and lowered without a lock it may be off by a few records, so the
    listener sets it right whenever it has emptied the queue.
    """

    def __init__(self, bounds: Bounds, overflowed: Count) -> None:
        self._chatter: deque[tuple[int, Snapshot]] = deque()
        self._precious: deque[tuple[int, Snapshot]] = deque()
        self._number = count().__next__
        self._bell = threading.Lock()
        self._bell.acquire()
        self._asleep = False
        self._rung = False
        self.bounds = bounds
        self._make_room: Callable[[], bool] = getattr(self, f"_{bounds.when_full}")
        self._overflowed = overflowed
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._chatter) + len(self._precious)

    @property
    def in_memory(self) -> int:
        """Snapshots that wait in memory, which for this queue is all."""
        return len(self._chatter) + len(self._precious)

    @property
    def is_full(self) -> bool:
        """Whether the next snapshot would be beyond a bound; one alone never is."""
        waiting, bounds = self.in_memory, self.bounds
        return waiting >= bounds.max_size or (waiting > 0 and self.nbytes >= bounds.max_bytes)

    def mark(self) -> int:
        """Where the newest snapshot is that is on disk only, for `is_past`."""
        return 0

    def is_past(self, mark: int) -> bool:
        """Whether everything on disk up to a mark was taken."""
        return mark == 0

    def put(self, snapshot: Snapshot) -> None:
        """Take a snapshot, or what `when_full` says; wakes the listener if it sleeps or a batch is complete."""
        if self.is_full and not self._make_room():
            self._overflowed.one()
            return
        lane = self._precious if snapshot.word in _PRECIOUS or snapshot.error is not None else self._chatter
        lane.append((self._number(), snapshot))
        self.nbytes += snapshot.nbytes
        self.wake(self.in_memory)

    def wake(self, waiting: int) -> None:
        """Ring if the listener sleeps until the next record, or if so many are a batch."""
        if self._asleep or waiting >= self.bounds.wake_size or self.nbytes >= self.bounds.wake_bytes:
            self.ring()

    def ring(self) -> None:
        """Wake the listener; ringing twice is ringing once."""
        if self._rung:
            return
        self._rung = True
        with suppress(RuntimeError):  # it was rung already
            self._bell.release()

    def take(self) -> Snapshot | None:
        """The oldest snapshot, or None; for the listener."""
        lane = self._older()
        try:
            numbered = lane.popleft()
        except IndexError:
            return self._given(self._pop(self._precious) or self._pop(self._chatter))
        if lane is self._chatter and self._precious and self._precious[0][0] < numbered[0]:
            # What was the oldest has just been dropped by a caller, and this one is younger than what waits beside it.
            self._chatter.appendleft(numbered)
            return self._given(self._pop(self._precious))
        return self._given(numbered)

    def settle(self) -> None:
        """Set the byte count right if the queue is empty; for the listener."""
        if not self._chatter and not self._precious:
            self.nbytes = 0

    def sleep(self, seconds: float, *, until_first: bool) -> None:
        """Wait for the bell; ``until_first`` asks callers to ring it with the very next record."""
        self._asleep = until_first
        if not (until_first and len(self)):
            self._bell.acquire(timeout=seconds)
        self._asleep = False
        self._rung = False

    # ---- the two lanes

    def _older(self) -> deque[tuple[int, Snapshot]]:
        """The lane whose head came first. Callers take heads away as well, so what is seen may be gone."""
        try:
            return self._chatter if self._chatter[0][0] < self._precious[0][0] else self._precious
        except IndexError:
            return self._chatter or self._precious

    @staticmethod
    def _pop(lane: deque[tuple[int, Snapshot]]) -> tuple[int, Snapshot] | None:
        try:
            return lane.popleft()
        except IndexError:
            return None

    def _given(self, numbered: tuple[int, Snapshot] | None) -> Snapshot | None:
        if numbered is None:
            return None
        self.nbytes -= numbered[1].nbytes
        return numbered[1]

    # ---- when_full: each says whether there is room for the newest now

    def _drop_oldest(self) -> bool:
        while self.is_full:
            if self._given(self._pop(self._chatter) or self._pop(self._precious)) is None:
                break
            self._overflowed.one()
        return True

    def _drop_newest(self) -> bool:
        return not self.is_full

    def _block(self) -> bool:
        """Wait for room, but never where nobody could make any, or where a signal holds up what would."""
        self.ring()
        if threading.current_thread().name.startswith(_OWN_THREADS) or _is_in_signal_handler():
            return not self.is_full
        deadline = time.monotonic() + self.bounds.block_timeout
        while self.is_full:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_ROOM_CHECK_SECONDS)
        return True


def _is_in_signal_handler() -> bool:
    """Whether a Python signal handler is among the callers; they run on the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        return False
    installed = (signal.getsignal(number) for number in signal.valid_signals())
    handlers = {code for code in (_code_of(handler) for handler in installed) if code is not None}
    frame = currentframe()
    while frame is not None and frame.f_code not in handlers:
        frame = frame.f_back
    return frame is not None


def _code_of(handler: object) -> object:
    function = getattr(handler, "__func__", handler)
    return getattr(function, "__code__", None)
