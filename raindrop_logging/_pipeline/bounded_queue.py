"""The one place where callers and the listener meet: bounded by count and bytes, and without a lock.

A caller appends to a deque and sometimes rings a bell, each a single C call; so a log call made in a signal handler,
a finalizer or a child of fork can never wait for another one.

In: Snapshot, from any thread
Out: Snapshot, to the listener
Touches: the clock, for `block` only; a bell (a raw lock used as a semaphore) that wakes the listener
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from raindrop_logging._pipeline.entries import Snapshot
from raindrop_logging._pipeline.stats import Count

_ROOM_CHECK_SECONDS = 0.005


class BoundedQueue:
    """Snapshots between callers and the listener.

    ``nbytes`` is a bound, not an account: raised and lowered without a lock it may be off by a few records, so the
    listener sets it right whenever it has emptied the queue.
    """

    def __init__(
        self,
        *,
        max_size: int,
        max_bytes: int,
        when_full: str,
        block_timeout: float,
        overflowed: Count,
        wake_size: int,
        wake_bytes: int,
    ) -> None:
        self._waiting: deque[Snapshot] = deque()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._asleep = False
        self._rung = False
        self._max_size = max_size
        self._max_bytes = max_bytes
        self._make_room: Callable[[], bool] = getattr(self, f"_{when_full}")
        self._block_timeout = block_timeout
        self._overflowed = overflowed
        self._wake_size = wake_size
        self._wake_bytes = wake_bytes
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, snapshot: Snapshot) -> None:
        """Take a snapshot, or what `when_full` says; wakes the listener if it sleeps or a batch is complete."""
        waiting = self._waiting
        size = snapshot.nbytes
        if (len(waiting) >= self._max_size or self.nbytes >= self._max_bytes) and not self._make_room():
            self._overflowed.one()
            return
        waiting.append(snapshot)
        self.nbytes += size
        if self._asleep or len(waiting) >= self._wake_size or self.nbytes >= self._wake_bytes:
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
        try:
            snapshot = self._waiting.popleft()
        except IndexError:
            return None
        size = snapshot.nbytes
        self.nbytes -= size
        return snapshot

    def settle(self) -> None:
        """Set the byte count right if the queue is empty; for the listener."""
        if not self._waiting:
            self.nbytes = 0

    def sleep(self, seconds: float, *, until_first: bool) -> None:
        """Wait for the bell; ``until_first`` asks callers to ring it with the very next record."""
        self._asleep = until_first
        if not (until_first and self._waiting):
            self._bell.acquire(timeout=seconds)
        self._asleep = False
        self._rung = False

    # ---- when_full: each says whether there is room for the newest now

    def _is_full(self) -> bool:
        waiting = len(self._waiting)
        return waiting >= self._max_size or (waiting > 0 and self.nbytes >= self._max_bytes)

    def _drop_oldest(self) -> bool:
        while self._is_full():
            if self.take() is None:
                break
            self._overflowed.one()
        return True

    def _drop_newest(self) -> bool:
        return not self._is_full()

    def _block(self) -> bool:
        self.ring()
        deadline = time.monotonic() + self._block_timeout
        while self._is_full():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_ROOM_CHECK_SECONDS)
        return True
