"""Which request goes out next, and what becomes of it: order, retries, pauses and splits, without a socket.

Requests leave in the order they came, but for two rules: a request waits for every earlier one that shares a key (an
event id) with it, and a lane or a host in trouble lets one probe through at a time.

Each key has its line of requests, and a request may go once it stands first in all of its lines. It keeps its place
there while it is on its way, retried or split, so finding the next one costs the same however many wait. Most keys are
those of one request alone, so a line is only kept where another one stands behind the first.

In: Request, and the verdict on each attempt
Out: the next Request to try, and Settled when one has ended
Touches: nothing (pure); time arrives as a number, chance as a function
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from enum import Enum
from heapq import heappop, heappush

from msgspec import Struct

from raindrop_logging._pipeline.entries import Item, Request, request_of
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


MAX_REQUESTS = 2_048
MAX_BYTES = 8 * 1024 * 1024
"""What waits here before the rest is better left where it is."""

_SHARE = 8
"""A lane that is down while others are well may hold this part of it, since more would be in their way."""

_BUSY_REQUESTS = 64
"""While so many wait, which is what all connections take in a few round trips, what can wait is not made at all."""

MAX_SPLIT_REQUESTS = 64
"""Requests that one batch may cost while not one item of it is taken; then the rest is refused as a whole."""


class _Batch:
    """One request as it was added, and the parts it has been split into since."""

    __slots__ = ("parts", "serial", "taken", "tried")

    def __init__(self, serial: int) -> None:
        self.serial = serial
        self.parts: set[Attempt] = set()  # not settled
        self.tried = 0
        self.taken = False


class Attempt:
    """A request on its way, with what its earlier attempts came to."""

    __slots__ = (
        "attempts",
        "batch",
        "behind",
        "ended",
        "first",
        "flying",
        "place",
        "request",
    )

    def __init__(self, batch: _Batch, offset: int, request: Request) -> None:
        self.batch = batch
        self.place = (batch.serial, offset)  # the order in which requests came, and stand in it for good
        self.request = request
        self.attempts = 0
        self.first: float | None = None
        self.behind = 0  # lines in which another one stands first
        self.flying = False
        self.ended = False

    def __lt__(self, other: Attempt) -> bool:
        return self.place < other.place

    @property
    def serial(self) -> int:
        """The how manieth request it is, or is a part of."""
        return self.batch.serial


class _Health:
    """Of a lane, or of the host: while failing, one probe at a time, not before ``until``."""

    __slots__ = ("excused", "failures", "probing", "since", "until")

    def __init__(self) -> None:
        self.failures = 0
        self.since = 0.0  # when it began to fail
        self.until = 0.0
        self.excused = 0.0  # until then it was the set-up that was wrong, which costs no request its time
        self.probing = 0

    def lets_through(self, now: float) -> bool:
        return now >= self.until and not (self.failures and self.probing)

    def most(self, ready: int) -> int:
        """How many of those that are ready it lets through at once."""
        return min(ready, 1) if self.failures else ready

    def fail(self, now: float) -> int:
        """Count a failure, unless it belongs to those that the pause now running is for."""
        if not self.failures:
            self.since = now
        if now >= self.until:
            self.failures += 1
        return max(self.failures, 1)


class _LaneQueue:
    """One lane's health, and the requests of it that stand first in all their lines."""

    __slots__ = ("_heap", "delivered_at", "health", "items", "nbytes", "ready", "requests", "waiting")

    def __init__(self) -> None:
        self.health = _Health()
        self._heap: list[Attempt] = []
        self.delivered_at = 0.0
        self.ready = 0
        self.waiting = 0
        self.requests = 0
        self.items = 0
        self.nbytes = 0

    @property
    def share(self) -> float:
        """How much of what one lane may hold while it is down it holds now; 1.0 is all of that."""
        return max(self.requests / MAX_REQUESTS, self.nbytes / MAX_BYTES) * _SHARE

    def push(self, attempt: Attempt) -> None:
        self.ready += 1
        heappush(self._heap, attempt)

    @property
    def first(self) -> Attempt | None:
        """The oldest that is ready; those given up meanwhile, wherever they stood, are passed over here."""
        while self._heap and self._heap[0].ended:
            heappop(self._heap)
        return self._heap[0] if self._heap else None

    def pop(self) -> None:
        self.ready -= 1
        heappop(self._heap)


class Outbox:
    """Requests not settled yet; ``random`` gives numbers in [0, 1)."""

    def __init__(self, patience: Patience, random: Callable[[], float]) -> None:
        self._patience = patience
        self._random = random
        self._open: OrderedDict[int, _Batch] = OrderedDict()  # by serial, so the oldest is the first
        self._lines: dict[str, Attempt] = {}  # by key: who stands first in its line
        self._behind: dict[str, deque[Attempt]] = {}  # by key, where there are any: who stands behind the first
        self._lanes = {lane: _LaneQueue() for lane in Lane}
        self._host = _Health()
        self._requests = 0
        self.is_full = False
        """Whether more is better left where it is; asked again and again, so it is kept and not worked out then."""
        self.last_serial = 0
        """Serial of the newest request; whatever has a smaller or equal one came before now."""
        self.records = 0
        self.nbytes = 0

    def __len__(self) -> int:
        return self._requests

    @property
    def is_busy(self) -> bool:
        """Whether what can wait had better: each pending partial is a request, and finals come first."""
        return self._requests >= _BUSY_REQUESTS

    def is_crowded(self, lane: Lane) -> bool:
        """Whether a lane holds its share and is down, while others deliver: it is not the host, and it may last."""
        this = self._lanes[lane]
        if this.share < 1.0 or not this.health.failures or self._host.failures:
            return False
        return any(other.delivered_at > this.health.since for other in self._lanes.values() if other is not this)

    def has_until(self, serial: int) -> bool:
        """Whether a request up to this serial is not settled."""
        return next(iter(self._open), serial + 1) <= serial

    def hurry(self) -> None:
        """End every pause, so that what waits gets one more attempt at once; for the end of the process."""
        for health in (self._host, *(lane.health for lane in self._lanes.values())):
            health.until = 0.0

    def add(self, request: Request) -> None:
        """Take a request to send."""
        self.last_serial += 1
        attempt = Attempt(_Batch(self.last_serial), 0, request)
        shared = attempt.request.keys & self._lines.keys()
        for key in shared:
            self._behind.setdefault(key, deque()).append(attempt)
        attempt.behind = len(shared)
        self._lines.update(dict.fromkeys(attempt.request.keys - shared, attempt))
        self._enter(attempt)
        self._weigh()

    def take(self, now: float) -> Attempt | None:
        """The next request that may go now; the caller must `settle` it."""
        if not self._host.lets_through(now):
            return None
        firsts = [lane.first for lane in self._lanes.values() if lane.health.lets_through(now)]
        chosen = min((attempt for attempt in firsts if attempt is not None), default=None)
        return None if chosen is None else self._launched(chosen, now)

    def ready(self, now: float) -> int:
        """How many requests may go now, one after the other taken at once."""
        if not self._host.lets_through(now):
            return 0
        lanes = [lane for lane in self._lanes.values() if lane.health.lets_through(now)]
        return self._host.most(sum(lane.health.most(lane.ready) for lane in lanes))

    def next_time(self, now: float) -> float | None:
        """When a pause ends that keeps something waiting; None when nothing but a settlement can change matters."""
        lanes = [lane for lane in self._lanes.values() if lane.waiting]
        times = [lane.health.until for lane in lanes] + [self._host.until] * bool(lanes)
        return min((time for time in times if time > now), default=None)

    def settle(
        self,
        attempt: Attempt,
        verdict: Verdict,
        now: float,
        retry_after: float | None = None,
        *,
        reached: bool = False,
    ) -> Settled:
        """Take the verdict on an attempt; what has ended with it.

        ``reached`` tells of one that is unreachable whether the host took the connection: then it is the route that
        does not answer, and the others go on.
        """
        settled = self._judged(attempt, verdict, now, retry_after, reached=reached)
        self._weigh()
        return settled

    def _judged(
        self, attempt: Attempt, verdict: Verdict, now: float, retry_after: float | None, *, reached: bool
    ) -> Settled:
        lane = self._lanes[attempt.request.lane]
        for health in (lane.health, self._host):
            health.probing -= 1
        if verdict is not Verdict.UNREACHABLE:
            self._host.failures = 0
        if verdict in (Verdict.DELIVERED, Verdict.DATA_REFUSED):
            lane.health.failures = 0
        if verdict is Verdict.DELIVERED:
            attempt.batch.taken = True
            lane.delivered_at = now
            return Settled(delivered=self._leave(attempt))
        if verdict is Verdict.DATA_REFUSED:
            return self._split(attempt)
        if verdict is Verdict.SETUP_REFUSED:
            return self._pause(attempt, lane.health, now)
        blamed = self._host if verdict is Verdict.UNREACHABLE and not reached else lane.health
        return self._postpone(attempt, blamed, now, retry_after)

    def abandon(self) -> tuple[Request, ...]:
        """Give up everything; what was on its way or waiting, in the order it came."""
        left = sorted(self._unsettled())
        for attempt in left:
            self._leave(attempt)
        self._weigh()
        return tuple(attempt.request for attempt in left)

    def drop_oldest(self, lane: Lane, excess: int) -> tuple[Item, ...]:
        """Give up the oldest waiting requests of a lane, until ``excess`` items are gone."""
        gone: list[Item] = []
        for attempt in [one for one in self._unsettled() if one.request.lane is lane and not one.flying]:
            if len(gone) >= excess:
                break
            gone += self._leave(attempt)
        self._weigh()
        return tuple(gone)

    def items_waiting(self, lane: Lane) -> int:
        """Items of a lane that are not settled."""
        return self._lanes[lane].items

    # ---- one attempt

    def _launched(self, attempt: Attempt, now: float) -> Attempt:
        lane = self._lanes[attempt.request.lane]
        lane.pop()
        lane.waiting -= 1
        attempt.flying = True
        attempt.attempts += 1
        attempt.batch.tried += 1
        attempt.first = now if attempt.first is None else attempt.first
        for health in (lane.health, self._host):
            health.probing += 1
        return attempt

    def _pause(self, attempt: Attempt, health: _Health, now: float) -> Settled:
        if not self._patience.keeps:
            return Settled(expired=self._leave(attempt))
        health.fail(now)
        health.until = health.excused = now + self._patience.max_delay
        return self._landed(attempt)

    def _postpone(self, attempt: Attempt, health: _Health, now: float, retry_after: float | None) -> Settled:
        patience = self._patience
        first = now if attempt.first is None else attempt.first
        spent = now - max(first, self._lanes[attempt.request.lane].health.excused)
        tired = patience.max_attempts is not None and attempt.attempts >= patience.max_attempts
        health.until = max(health.until, now + self._delay(health.fail(now), retry_after))
        return Settled(expired=self._leave(attempt)) if tired or spent >= patience.budget else self._landed(attempt)

    def _landed(self, attempt: Attempt) -> Settled:
        """Back among those that wait, first in its lines as before."""
        lane = self._lanes[attempt.request.lane]
        attempt.flying = False
        lane.waiting += 1
        lane.push(attempt)
        return Settled()

    def _delay(self, failures: int, retry_after: float | None) -> float:
        patience = self._patience
        if retry_after is not None:
            return min(max(retry_after, 0.0), patience.max_delay)
        delay = min(patience.base_delay * 2.0 ** min(failures - 1, 32), patience.max_delay)
        return delay * (1.0 + patience.jitter * (2.0 * self._random() - 1.0))

    # ---- a refused batch

    def _split(self, attempt: Attempt) -> Settled:
        """Halve a refused batch, so that in the end only the culprit is refused."""
        items, batch = attempt.request.items, attempt.batch
        if batch.tried >= MAX_SPLIT_REQUESTS and not batch.taken:
            hopeless = sorted(part for part in batch.parts if part is attempt or not part.flying)
            return Settled(refused=tuple(item for part in hopeless for item in self._leave(part)))
        if len(items) == 1:
            return Settled(refused=self._leave(attempt))
        lane, middle, offset = attempt.request.lane, len(items) // 2, attempt.place[1]
        left = Attempt(batch, offset, request_of(lane, items[:middle]))
        right = Attempt(batch, offset + middle, request_of(lane, items[middle:]))
        both = left.request.keys & right.request.keys
        right.behind = len(both)
        for key in both:
            self._behind.setdefault(key, deque()).appendleft(right)
        # It was on its way, so it stood first in every line: its halves take that place over.
        self._lines.update(dict.fromkeys(right.request.keys, right) | dict.fromkeys(left.request.keys, left))
        self._enter(left)
        self._enter(right)
        self._leave(attempt)
        return Settled()

    # ---- what is there

    def _enter(self, attempt: Attempt) -> None:
        attempt.batch.parts.add(attempt)
        self._open[attempt.serial] = attempt.batch
        lane = self._lanes[attempt.request.lane]
        lane.waiting += 1
        if not attempt.behind:
            lane.push(attempt)
        self._count(attempt, 1)

    def _leave(self, attempt: Attempt) -> tuple[Item, ...]:
        """Out of every line, so that those behind may go; its items."""
        attempt.ended = True
        attempt.batch.parts.discard(attempt)
        if not attempt.batch.parts:
            del self._open[attempt.serial]
        lane = self._lanes[attempt.request.lane]
        lane.waiting -= not attempt.flying
        lane.ready -= not (attempt.flying or attempt.behind)
        self._count(attempt, -1)
        lines, behind = self._lines, self._behind
        for key in attempt.request.keys:
            if lines[key] is not attempt:
                self._step_out(attempt, key)
            elif behind and key in behind:
                self._move_up(key)
            else:
                del lines[key]
        return attempt.request.items

    def _move_up(self, key: str) -> None:
        """Have the next in the line of a key stand first."""
        following = self._lines[key] = self._behind[key].popleft()
        if not self._behind[key]:
            del self._behind[key]
        following.behind -= 1
        if not following.behind:
            self._lanes[following.request.lane].push(following)

    def _step_out(self, attempt: Attempt, key: str) -> None:
        """Out of the line of a key, where it stands behind another one; or its halves have taken its place over."""
        behind = self._behind.get(key, ())
        if attempt in behind:
            self._behind[key].remove(attempt)
            if not self._behind[key]:
                del self._behind[key]

    def _count(self, attempt: Attempt, sign: int) -> None:
        lane = self._lanes[attempt.request.lane]
        self._requests += sign
        self.records += sign * attempt.request.records
        self.nbytes += sign * attempt.request.nbytes
        lane.requests += sign
        lane.items += sign * len(attempt.request.items)
        lane.nbytes += sign * attempt.request.nbytes

    def _weigh(self) -> None:
        """See whether it is full; what lanes that are down hold counts up to their share."""
        lanes = self._lanes.values()
        counted = sum(min(lane.share, 1.0) if lane.health.failures else lane.share for lane in lanes)
        self.is_full = counted >= _SHARE or self._requests >= 2 * MAX_REQUESTS or self.nbytes >= 2 * MAX_BYTES

    def _unsettled(self) -> Iterable[Attempt]:
        """Everything, the oldest first."""
        return [attempt for batch in self._open.values() for attempt in sorted(batch.parts)]
