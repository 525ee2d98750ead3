"""Counts of every way out, and the one line a minute that tells the operator of trouble.

In: counts and reasons from every stage
Out: Stats, and lines on the logger `raindrop_logging`
Touches: the logging module, from the listener's thread only
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable

from msgspec import Struct

logger = logging.getLogger("raindrop_logging")

DIAGNOSTIC_INTERVAL = 60.0
"""Seconds between two lines of trouble."""


class Stats(Struct, frozen=True, kw_only=True):
    """What became of the records, in records (not requests).

    While the pipeline is at rest ``accepted == delivered + refused + sum(dropped.values()) + waiting``; each term is
    counted by itself. While it runs, each may be a moment old.

    Attributes:
        accepted: records with a block that the handler took.
        delivered: their request got its 2xx.
        refused: the receiver refused them.
        dropped: given up here, by reason: invalid, queue_full, too_large, expired, exit, no_destination, internal.
        waiting: queued, being assembled, batched or sent.
        requests: POSTs that were answered.
        retries: attempts after the first.
        truncated: texts shortened to fit.
        mirrored: items that the Workshop mirror took.
        open_interactions: interactions begun and not finished.
    """

    accepted: int = 0
    delivered: int = 0
    refused: int = 0
    dropped: dict[str, int] = {}
    waiting: int = 0
    requests: int = 0
    retries: int = 0
    truncated: int = 0
    mirrored: int = 0
    open_interactions: int = 0


class FlushResult(Struct, frozen=True):
    """Answer of ``flush``; true when nothing is left.

    Attributes:
        sent: records delivered while the flush lasted.
        left: records still waiting.
        timed_out: the timeout ended the wait.
    """

    sent: int
    left: int
    timed_out: bool

    def __bool__(self) -> bool:
        return self.left == 0


class Count:
    """A number that any thread, signal handler or finalizer may raise by one: a single C call, no lock."""

    __slots__ = ("_steps", "one")

    def __init__(self) -> None:
        self._steps = itertools.count()
        self.one: Callable[[], int] = self._steps.__next__

    def __int__(self) -> int:
        return int(repr(self._steps)[len("count(") : -1])


class Ledger:
    """The counters of one pipeline. `accepted` and `overflowed` belong to callers, the rest to the worker threads."""

    def __init__(self) -> None:
        self.accepted = Count()
        self.overflowed = Count()
        self.unheard = Count()
        self.delivered = 0
        self.refused = 0
        self.requests = 0
        self.retries = 0
        self.truncated = 0
        self.mirrored = 0
        self._dropped: dict[str, int] = {}

    def drop(self, reason: str, records: int) -> None:
        """Count records given up; called under the pipeline's own lock or by its one listener."""
        self._dropped[reason] = self._dropped.get(reason, 0) + records

    def dropped(self) -> dict[str, int]:
        """Drops by reason, without the reasons that never happened."""
        callers = {"queue_full": int(self.overflowed), "no_destination": int(self.unheard)}
        return self._dropped.copy() | {reason: count for reason, count in callers.items() if count}


class Diagnostics:
    """Trouble gathered by kind, told as one line: at once the first time, then once an interval with counts."""

    def __init__(self, clock: Callable[[], float], *, every: float = DIAGNOSTIC_INTERVAL) -> None:
        self._clock = clock
        self._every = every
        self._due = 0.0
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def note(self, kind: str, detail: str, records: int = 1) -> None:
        """Remember a trouble: ``kind`` groups it, ``detail`` of the first one is told."""
        self._counts[kind] = self._counts.get(kind, 0) + records
        self._first.setdefault(kind, detail)

    def tell(self, *, now_at_latest: bool = False) -> None:
        """Write the line if there is something to tell and an interval has passed, or it is the last chance."""
        if not self._counts or (self._clock() < self._due and not now_at_latest):
            return
        counts, self._counts = self._counts, {}
        first, self._first = self._first, {}
        self._due = self._clock() + self._every
        parts = [f"{kind}: {count} record{'s' * (count != 1)}, {first[kind]}" for kind, count in counts.items()]
        logger.warning("%s", "; ".join(parts))
