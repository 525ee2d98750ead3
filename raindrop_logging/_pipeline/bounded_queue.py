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
from math import inf

from msgspec import Struct

from raindrop_logging._pipeline.entries import Snapshot
from raindrop_logging._pipeline.stats import Count

_ROOM_CHECK_SECONDS = 0.005

_PRECIOUS = frozenset({"signal", "finish"})
"""Types that outlive chatter in a full queue, as records with an exception do: without them the rest says little."""

OWN_THREADS = "raindrop-"
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

    Precious ones and chatter wait apart, so that a full queue gives the oldest chatter up; by their numbers the
    listener still takes all in the order they came.

    ``attend`` is what starts a listener where none runs.

    ``nbytes`` is a bound, not an account: raised and lowered without a lock it may be off by a few records, so the
    listener sets it right whenever it has emptied the queue.
    """

    def __init__(self, bounds: Bounds, overflowed: Count) -> None:
        self.attend: Callable[[], None] = _nobody
        self._chatter: deque[Snapshot] = deque()
        self._precious: deque[Snapshot] = deque()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._asleep = False
        self._rung = False
        self.bounds = bounds
        self._max_size, self._max_bytes = bounds.max_size, bounds.max_bytes
        self._wake_size, self._wake_bytes = bounds.wake_size, bounds.wake_bytes
        self._calm_size, self._calm_bytes = 0, bounds.wake_bytes
        self._make_room: Callable[[bool], bool] = getattr(self, f"_{bounds.when_full}")
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
        waiting = self.in_memory
        return waiting >= self._max_size or (waiting > 0 and self.nbytes >= self._max_bytes)

    def mark(self) -> int:
        """Where the newest snapshot is that is on disk only, for `is_past`."""
        return 0

    def is_past(self, mark: int) -> bool:
        """Whether everything on disk up to a mark was taken."""
        return mark == 0

    def put(self, snapshot: Snapshot) -> None:
        """Take a snapshot, or what `when_full` says; wakes the listener if it sleeps or a batch is complete."""
        lane = self._precious if snapshot.word in _PRECIOUS or snapshot.error is not None else self._chatter
        nbytes = self.nbytes + snapshot.nbytes
        if len(lane) < self._calm_size and nbytes < self._calm_bytes:
            self.nbytes = nbytes
            lane.append(snapshot)
            if self._calm_size:  # else the listener was about to sleep, or to end, meanwhile
                return
        elif not self._put_closely(snapshot, lane):
            return
        with suppress(RecursionError):  # it was taken: a caller at the end of its stack must not hear otherwise
            self.call()

    def _put_closely(self, snapshot: Snapshot, lane: deque[Snapshot]) -> bool:
        """Take a snapshot where there may be no room or somebody may have to be woken; whether he has."""
        self._calm_size = 0
        is_precious = lane is self._precious
        if self.is_full and not self._make_room(is_precious) and not (is_precious and self._drop_newest_chatter()):
            self.give_up(snapshot)
            return False
        lane.append(snapshot)
        self.nbytes += snapshot.nbytes
        return self._asks_for_somebody(self.in_memory)

    def _asks_for_somebody(self, waiting: int) -> bool:
        return waiting >= self._wake_size or self._asleep or self.nbytes >= self._wake_bytes

    def give_up(self, _snapshot: Snapshot) -> None:
        """Count a snapshot for which there is no room."""
        self._overflowed.one()

    def wake(self, waiting: int) -> None:
        """Call if the listener sleeps until the next record, or if so many are a batch."""
        if self._asks_for_somebody(waiting):
            self.call()

    def call(self) -> None:
        """Have somebody look after what waits."""
        if not self._wake_size:
            self.attend()
        self.ring()

    def attended(self, *, by_listener: bool) -> None:
        """Whether a listener looks by itself; where none does, each put asks ``attend`` for one."""
        self._wake_size = self.bounds.wake_size if by_listener else 0
        self._be_calm_below(self._wake_size, self._wake_bytes)

    def ring(self) -> None:
        """Wake the listener; ringing twice is ringing once."""
        if self._rung:
            return
        self._rung = True
        if self._wake_size:
            self._be_calm_below(self._max_size, self._max_bytes)
        with suppress(RuntimeError):  # it was rung already
            self._bell.release()

    def _be_calm_below(self, size: int, nbytes: int) -> None:
        """Up to how much that waits a put is all there is to do: until somebody is to be woken, and once he was rung
        until there is no room. A put looks at its own lane alone, so each has half of it; where one has more, all puts
        look closer."""
        half = size // 2
        self._calm_size, self._calm_bytes = half, nbytes
        # Only now: whoever sleeps, ends or fills a lane from here on sees to it himself.
        if self._asleep or not self._wake_size or len(self._chatter) >= half or len(self._precious) >= half:
            self._calm_size = 0

    def take(self) -> Snapshot | None:
        """The oldest snapshot, or None; for the listener."""
        chatter, precious = self._chatter, self._precious
        while chatter or precious:
            lane, other = (chatter, precious) if _head(chatter) < _head(precious) else (precious, chatter)
            snapshot = _popped(lane)
            if snapshot is None:
                continue
            if other and _head(other) < snapshot.number:  # what was older has been dropped since, or came only now
                lane.appendleft(snapshot)
                continue
            self.nbytes -= snapshot.nbytes
            return snapshot
        return None

    def settle(self) -> None:
        """Set the byte count right if the queue is empty; for the listener."""
        if not self._chatter and not self._precious:
            self.nbytes = 0

    def sleep(self, seconds: float, *, until_first: bool) -> None:
        """Wait for the bell; ``until_first`` asks callers to ring it with the very next record."""
        self._asleep = until_first
        if until_first:
            self._be_calm_below(0, 0)
        if not (until_first and len(self)):
            self._bell.acquire(timeout=seconds)
        self._asleep = False
        self._rung = False
        self._be_calm_below(self._wake_size, self._wake_bytes)

    # ---- when_full: each says whether there is room for the newest now; what is precious has that of chatter too

    def _drop_oldest(self, is_precious: bool) -> bool:
        while self.is_full:
            oldest = _popped(self._chatter) or (_popped(self._precious) if is_precious else None)
            if oldest is None:
                return is_precious or not self.is_full
            self.nbytes -= oldest.nbytes
            self.give_up(oldest)
        return True

    def _drop_newest(self, _is_precious: bool) -> bool:
        return not self.is_full

    def _drop_newest_chatter(self) -> bool:
        try:
            newest = self._chatter.pop()
        except IndexError:
            return not self.is_full
        self.nbytes -= newest.nbytes
        self.give_up(newest)
        return True

    def _block(self, _is_precious: bool) -> bool:
        """Wait for room, but never where nobody could make any, or where a signal holds up what would."""
        self.ring()
        if threading.current_thread().name.startswith(OWN_THREADS) or _is_in_signal_handler():
            return not self.is_full
        deadline = time.monotonic() + self.bounds.block_timeout
        while self.is_full:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_ROOM_CHECK_SECONDS)
        return True


def _nobody() -> None:
    """Where no listener can be asked for, who puts also takes."""


def _head(lane: deque[Snapshot]) -> float:
    """The number of the oldest of a lane. Callers take heads away as well, so it may be gone by then."""
    try:
        return lane[0].number if lane else inf
    except IndexError:
        return inf


def _popped(lane: deque[Snapshot]) -> Snapshot | None:
    try:
        return lane.popleft()
    except IndexError:
        return None


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
