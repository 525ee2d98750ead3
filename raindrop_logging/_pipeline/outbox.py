"""Which request goes out next, and what becomes of it: order, retries, pauses and splits, without a socket.

Requests leave in the order they came, but for two rules: a request waits for every earlier one that shares a key (an
event id) with it, and a lane or a host in trouble lets one probe through at a time.

In: Request, and the verdict on each attempt
Out: the next Request to try, and Settled when one has ended
Touches: nothing (pure); time arrives as a number, chance as a function
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum
from itertools import count

from msgspec import Struct

from raindrop_logging._pipeline.entries import Item, Request
from raindrop_logging.wire import Lane


class Verdict(Enum):
    """What one attempt came to."""

    DELIVERED = "delivered"
    LATER = "later"
    UNREACHABLE = "unreachable"
    DATA_REFUSED = "data refused"
    SETUP_REFUSED = "setup refused"


def verdict_of(status: int) -> Verdict:
    """The verdict of an HTTP status: only a 2xx confirms; what blames neither the moment nor the data blames the
    set-up (README, "What happens when")."""
    return _VERDICTS.get(status) or _VERDICTS_OF_CLASS.get(status // 100, Verdict.SETUP_REFUSED)


_VERDICTS: dict[int, Verdict] = {
    400: Verdict.DATA_REFUSED,
    408: Verdict.LATER,
    413: Verdict.DATA_REFUSED,
    422: Verdict.DATA_REFUSED,
    425: Verdict.LATER,
    429: Verdict.LATER,
}
_VERDICTS_OF_CLASS = {2: Verdict.DELIVERED, 5: Verdict.LATER}


class Patience(Struct, frozen=True):
    """How long to try: seconds, and attempts (None: as many as the budget allows).

    ``keeps`` is whether data is kept while the set-up is wrong; a mirror's is not.
    """

    budget: float
    base_delay: float
    max_delay: float
    jitter: float
    max_attempts: int | None
    keeps: bool = True


class Settled(Struct, frozen=True):
    """The end of items: delivered, refused, or dropped for a reason."""

    delivered: tuple[Item, ...] = ()
    refused: tuple[Item, ...] = ()
    expired: tuple[Item, ...] = ()


MAX_SPLIT_REQUESTS = 64
"""Requests that one batch may cost while not one item of it is taken; then the rest is refused as a whole."""


class _Batch:
    """What the parts of one split batch share."""

    __slots__ = ("taken", "tried")

    def __init__(self) -> None:
        self.tried = 0
        self.taken = False


class Attempt:
    """A request on its way, with what its earlier attempts came to."""

    __slots__ = ("attempts", "batch", "first", "keys", "records", "request", "serial")

    def __init__(self, serial: int, request: Request, batch: _Batch) -> None:
        self.serial = serial
        self.request = request
        self.batch = batch
        self.keys = frozenset(item.key for item in request.items if item.key is not None)
        self.records = request.records
        self.attempts = 0
        self.first: float | None = None


class _Health:
    """Of a lane, or of the host: while failing, one probe at a time, not before ``until``."""

    __slots__ = ("failures", "probing", "until")

    def __init__(self) -> None:
        self.failures = 0
        self.until = 0.0
        self.probing = 0

    def lets_through(self, now: float) -> bool:
        return now >= self.until and not (self.failures and self.probing)

    def fail(self, now: float) -> int:
        """Count a failure, unless it belongs to those that the pause now running is for."""
        if now >= self.until:
            self.failures += 1
        return max(self.failures, 1)


class Outbox:
    """Requests not settled yet; ``random`` gives numbers in [0, 1)."""

    def __init__(self, patience: Patience, random: Callable[[], float]) -> None:
        self._patience = patience
        self._random = random
        self._waiting: deque[Attempt] = deque()
        self._flying: dict[int, Attempt] = {}
        self._lanes = {lane: _Health() for lane in Lane}
        self._host = _Health()
        self._serials = count(1)
        self.records = 0
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._flying)

    @property
    def last_serial(self) -> int:
        """Serial of the newest request; whatever has a smaller or equal one came before now."""
        return max((attempt.serial for attempt in self._unsettled()), default=0)

    def has_until(self, serial: int) -> bool:
        """Whether a request up to this serial is not settled."""
        return any(attempt.serial <= serial for attempt in self._unsettled())

    def hurry(self) -> None:
        """End every pause, so that what waits gets one more attempt at once; for the end of the process."""
        for health in (self._host, *self._lanes.values()):
            health.until = 0.0

    def add(self, request: Request) -> None:
        """Take a request to send."""
        attempt = Attempt(next(self._serials), request, _Batch())
        self._waiting.append(attempt)
        self._count(attempt, 1)

    def take(self, now: float) -> Attempt | None:
        """The next request that may go now; the caller must `settle` it."""
        if not self._waiting or not self._host.lets_through(now):
            return None
        busy = {key for attempt in self._flying.values() for key in attempt.keys}
        for index, attempt in enumerate(self._waiting):
            if self._lanes[attempt.request.lane].lets_through(now) and busy.isdisjoint(attempt.keys):
                del self._waiting[index]
                return self._launched(attempt, now)
            busy |= attempt.keys
        return None

    def next_time(self, now: float) -> float | None:
        """When a pause ends that keeps something waiting; None when nothing but a settlement can change matters."""
        if not self._waiting:
            return None
        lanes = {attempt.request.lane for attempt in self._waiting}
        times = [self._host.until, *(self._lanes[lane].until for lane in lanes)]
        return min((time for time in times if time > now), default=None)

    def settle(self, attempt: Attempt, verdict: Verdict, now: float, retry_after: float | None = None) -> Settled:
        """Take the verdict on an attempt; what has ended with it."""
        del self._flying[id(attempt)]
        lane = self._lanes[attempt.request.lane]
        for health in (lane, self._host):
            health.probing -= 1
        self._count(attempt, -1)
        if verdict is not Verdict.UNREACHABLE:
            self._host.failures = 0
        if verdict in (Verdict.DELIVERED, Verdict.DATA_REFUSED):
            lane.failures = 0
        if verdict is Verdict.DELIVERED:
            attempt.batch.taken = True
            return Settled(delivered=attempt.request.items)
        if verdict is Verdict.DATA_REFUSED:
            return self._split(attempt)
        if verdict is Verdict.SETUP_REFUSED and not self._patience.keeps:
            return Settled(expired=attempt.request.items)
        if verdict is Verdict.SETUP_REFUSED:
            lane.fail(now)
            lane.until = now + self._patience.max_delay
            attempt.first = None  # its own time does not run while the set-up is wrong
            self._put_back([attempt])
            return Settled()
        return self._postpone(attempt, self._host if verdict is Verdict.UNREACHABLE else lane, now, retry_after)

    def abandon(self) -> tuple[Request, ...]:
        """Give up everything; what was on its way or waiting, in the order it came."""
        requests = tuple(attempt.request for attempt in sorted(self._unsettled(), key=lambda one: one.serial))
        self._waiting.clear()
        self._flying.clear()
        self.records = self.nbytes = 0
        return requests

    def drop_oldest(self, lane: Lane, excess: int) -> tuple[Item, ...]:
        """Give up the oldest waiting requests of a lane, until ``excess`` items are gone."""
        gone: list[Item] = []
        for attempt in [one for one in self._waiting if one.request.lane is lane]:
            if len(gone) >= excess:
                break
            self._waiting.remove(attempt)
            self._count(attempt, -1)
            gone += attempt.request.items
        return tuple(gone)

    def items_waiting(self, lane: Lane) -> int:
        """Items of a lane that are not settled."""
        return sum(len(attempt.request.items) for attempt in self._unsettled() if attempt.request.lane is lane)

    # ---- one attempt

    def _launched(self, attempt: Attempt, now: float) -> Attempt:
        attempt.attempts += 1
        attempt.batch.tried += 1
        attempt.first = now if attempt.first is None else attempt.first
        for health in (self._lanes[attempt.request.lane], self._host):
            health.probing += 1
        self._flying[id(attempt)] = attempt  # both halves of a split have one serial
        return attempt

    def _postpone(self, attempt: Attempt, health: _Health, now: float, retry_after: float | None) -> Settled:
        patience = self._patience
        spent = now - (attempt.first if attempt.first is not None else now)
        tired = patience.max_attempts is not None and attempt.attempts >= patience.max_attempts
        health.until = max(health.until, now + self._delay(health.fail(now), retry_after))
        if tired or spent >= patience.budget:
            return Settled(expired=attempt.request.items)
        self._put_back([attempt])
        return Settled()

    def _delay(self, failures: int, retry_after: float | None) -> float:
        patience = self._patience
        if retry_after is not None:
            return min(max(retry_after, 0.0), patience.max_delay)
        delay = min(patience.base_delay * 2.0 ** min(failures - 1, 32), patience.max_delay)
        return delay * (1.0 + patience.jitter * (2.0 * self._random() - 1.0))

    def _split(self, attempt: Attempt) -> Settled:
        """Halve a refused batch, so that in the end only the culprit is refused."""
        items = attempt.request.items
        hopeless = attempt.batch.tried >= MAX_SPLIT_REQUESTS and not attempt.batch.taken
        if hopeless:
            return Settled(refused=(*items, *self._withdrawn(attempt.batch)))
        if len(items) == 1:
            return Settled(refused=items)
        lane, middle = attempt.request.lane, len(items) // 2
        halves = [Request(lane, items[:middle]), Request(lane, items[middle:])]
        self._put_back([Attempt(attempt.serial, half, attempt.batch) for half in halves])
        return Settled()

    def _withdrawn(self, batch: _Batch) -> list[Item]:
        """Take every waiting part of a batch out; its items."""
        parts = [one for one in self._waiting if one.batch is batch]
        for part in parts:
            self._waiting.remove(part)
            self._count(part, -1)
        return [item for part in parts for item in part.request.items]

    def _put_back(self, attempts: list[Attempt]) -> None:
        """Back to where they stood: before everything that came later, and before what else is left of their batch."""
        index = next((i for i, one in enumerate(self._waiting) if one.serial >= attempts[0].serial), len(self._waiting))
        for attempt in reversed(attempts):
            self._waiting.insert(index, attempt)
            self._count(attempt, 1)

    def _count(self, attempt: Attempt, sign: int) -> None:
        self.records += sign * attempt.records
        self.nbytes += sign * sum(len(item.body) for item in attempt.request.items)

    def _unsettled(self) -> Iterable[Attempt]:
        return [*self._flying.values(), *self._waiting]
