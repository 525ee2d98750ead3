"""The thread between the queue and the road: takes snapshots, keeps time, answers to flush and stop.

Derived from the standard library's QueueListener, with its traps mended: it starts by itself and only once, stops
with a deadline, survives whatever a record does to it, and needs no sentinel in a full queue.

In: Snapshot, from the queue
Out: calls of the road it was given
Touches: its own thread, the clock
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from logging.handlers import QueueListener
from typing import Protocol

from raindrop_logging._pipeline.bounded_queue import BoundedQueue
from raindrop_logging._pipeline.entries import Snapshot

_IDLE_SECONDS = 5.0
"""The longest sleep; callers ring earlier, this only bounds the harm of a bell that nobody heard."""

_LIFE_CHECK_SECONDS = 0.1
"""How often one who waits for the thread looks whether it still runs."""

_AT_ONCE = 16
_BREATH_SECONDS = 20e-6
"""How many snapshots are taken in a row, and the pause after them: a thread of the application's that has something to
do gets on then, and not only when the interpreter takes turns after 5 ms."""

_IN_A_RUSH = 160
"""How many are taken before the next pause where one was used to log: a thread that does nothing else would have each
of the 5 ms, and the queue would fill up."""

_BEHIND_SECONDS = 0.2
"""How often to look again while the sender has all it can hold; it rings as soon as it has room."""


class Road(Protocol):
    """What the listener drives."""

    def accept(self, snapshot: Snapshot, now: float) -> None:
        """Carry one snapshot as far as it goes."""

    def tick(self, now: float) -> float | None:
        """Do what is due; when there is work next."""
        ...

    def push(self, now: float) -> None:
        """Carry everything that waits on the listener's side to the sender."""

    def failed(self, snapshot: Snapshot | None, error: Exception) -> None:
        """Count a snapshot that broke a stage, and say so."""

    def is_behind(self) -> bool:
        """Whether the sender has all it can hold."""
        ...


class Flush:
    """One caller's wish that all before it be handed to the sender."""

    __slots__ = ("handed_over",)

    def __init__(self) -> None:
        self.handed_over = threading.Event()


class Listener(QueueListener):
    """Moves snapshots from the queue onto the road, on a daemon thread of its own.

    ``look_every`` is the longest that a record waits unseen, in seconds, while something else is waited for; ``pause``
    lets other threads have their turn for so many seconds.
    """

    def __init__(
        self,
        waiting: BoundedQueue,
        road: Road,
        *,
        clock: Callable[[], float],
        look_every: float,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(waiting)  # type: ignore[arg-type]  # every method that would use it as a queue.Queue is ours
        self._waiting = waiting
        self._road = road
        self._clock = clock
        self._pause = pause
        self._flushes: deque[Flush] = deque()
        self._starting = threading.RLock()  # an interrupt that strikes while it is taken leaves it to its own thread
        self._driving = threading.RLock()  # held by whoever moves records on the road: this thread, or one inline
        self._is_driven = False
        self._running: threading.Thread | None = None
        self._wake_at: float | None = None
        self._look_every = min(look_every, _IDLE_SECONDS)

    # ---- life

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._running is not None and self._running.is_alive()

    def start(self) -> None:
        """Start the thread unless it runs; never waits, so a signal handler may call it."""
        if not self._starting.acquire(blocking=False):
            return
        try:
            if not self.is_alive:
                thread = threading.Thread(target=self._monitor, name="raindrop-listener", daemon=True)
                self._running = thread
                thread.start()
                self._waiting.attended(by_listener=True)
        except RuntimeError:  # the interpreter is shutting down; `drain_inline` does the work
            self._running = None
        finally:
            self._starting.release()

    def stop(self, timeout: float | None = None) -> None:
        """End the thread after what it is doing; at most ``timeout`` seconds are waited for it."""
        thread, self._running = self._running, None
        self._waiting.attended(by_listener=False)
        self.enqueue_sentinel()
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(timeout)

    def enqueue_sentinel(self) -> None:
        """Wake the thread to see that it was asked to stop; nothing is put into the queue."""
        self._waiting.ring()

    def push(self, timeout: float) -> bool:
        """Have everything that was logged before now handed to the sender; False when the timeout came first."""
        deadline = self._clock() + timeout
        flush = Flush()
        self._flushes.append(flush)
        while True:
            self.start()
            if not self.is_alive:
                self.drain_inline()
                return True
            self._waiting.ring()
            left = deadline - self._clock()
            # A thread that was just told to end may never have seen the wish, so that another one has to start.
            if flush.handed_over.wait(min(max(left, 0.0), _LIFE_CHECK_SECONDS)) or left <= 0:
                return flush.handed_over.is_set()

    def drain_inline(self, timeout: float = -1) -> bool:
        """Do the thread's work on the calling thread, for processes in which no thread can start any more; false as
        `driven` gives it."""
        with self.driven(timeout) as driving:
            if driving:
                self._take(len(self._waiting), heedless=True)
                self._guarded_push(self._clock())
            return driving

    def drive(self) -> bool:
        """Take what the sender can hold and do what is due on the calling thread; False where that is doing so already,
        further out, and a signal handler or a finalizer has come in between: what it logged is then taken out there."""
        with self.driven() as driving:
            if driving:
                self._take(len(self._waiting), heedless=False)
                self._guarded_tick(self._clock())
            return driving

    @contextmanager
    def driven(self, timeout: float = -1) -> Generator[bool]:
        """Hold the road, for work that the listener must not do meanwhile.

        Gives false where this thread holds it already, further out, or another one does not let go within ``timeout``.
        """
        if not self._driving.acquire(timeout=timeout):
            yield False
            return
        try:
            if self._is_driven:
                yield False
                return
            self._is_driven = True
            try:
                yield True
            finally:
                self._is_driven = False
        finally:
            self._driving.release()

    # ---- the thread

    def _monitor(self) -> None:
        while self._running is threading.current_thread():
            self._sleep()
            wishes = [self._flushes.popleft() for _ in range(len(self._flushes))]
            with self.driven():
                self._take(len(self._waiting), heedless=bool(wishes))
                self._waiting.settle()
                now = self._clock()
                self._wake_at = self._guarded_tick(now)
                if wishes:
                    self._guarded_push(now)
            for wish in wishes:
                wish.handed_over.set()

    def _sleep(self) -> None:
        if self._flushes or self._running is None:
            return
        if self._road.is_behind():
            self._waiting.sleep(_BEHIND_SECONDS, until_first=False)
        elif self._wake_at is None:
            self._waiting.sleep(_IDLE_SECONDS, until_first=True)
        elif (left := self._wake_at - self._clock()) > 0:
            self._waiting.sleep(min(left, self._look_every), until_first=False)

    def _take(self, most: int, *, heedless: bool) -> None:
        """Take up to ``most`` snapshots, no more than the sender can hold; heedless, all that only memory holds."""
        take, handle = self._waiting.take, self.handle
        next_breath = _AT_ONCE if self._running is threading.current_thread() else most
        for number in range(most):
            if number % _AT_ONCE == 0:
                if self._road.is_behind() and not (heedless and self._waiting.in_memory):
                    return
                if number >= next_breath:
                    next_breath = number + self._breathe()
            snapshot = take()
            if snapshot is None:
                return
            handle(snapshot)

    def _breathe(self) -> int:
        """Let others have their turn; after how many snapshots to do so again."""
        before = len(self._waiting)
        self._pause(_BREATH_SECONDS)
        return _AT_ONCE if len(self._waiting) < before + _AT_ONCE else _IN_A_RUSH

    def handle(self, record: Snapshot) -> None:  # type: ignore[override]  # what we queue is a Snapshot
        """Carry one snapshot along the road; what breaks there costs that snapshot only."""
        try:
            self._road.accept(record, self._clock())
        except Exception as error:  # noqa: BLE001 -- a fault of ours must not end the thread
            self._road.failed(record, error)

    def _guarded_push(self, now: float) -> None:
        try:
            self._road.push(now)
        except Exception as error:  # noqa: BLE001 -- as in handle
            self._road.failed(None, error)

    def _guarded_tick(self, now: float) -> float | None:
        try:
            return self._road.tick(now)
        except Exception as error:  # noqa: BLE001 -- as in handle; looked at again after a pause
            self._road.failed(None, error)
            return now + 1.0
