"""Counts of every way out, and the one line a minute that tells the operator of trouble.

In: counts and reasons from every stage
Out: Stats, and lines on the logger `raindrop_logging`
Touches: the logging module, on the listener's thread or on one that flushes
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable

from msgspec import Struct

from raindrop_logging.identifiers import FIRST_BITS, ID_STEP, mint_bits

logger = logging.getLogger("raindrop_logging")

DIAGNOSTIC_INTERVAL = 60.0
"""Seconds between two lines of trouble."""


def tell_operator(line: str) -> None:
    """One line of trouble on the logger `raindrop_logging`; on stderr where only handlers of ours would hear it.

    A dictConfig that disables existing loggers disables ours too, by accident; only a level silences it.
    """
    if max(logger.getEffectiveLevel(), logger.manager.disable) > logging.WARNING:
        return
    record = logger.makeRecord(logger.name, logging.WARNING, __file__, 0, line, (), None)
    try:
        if not logger.filter(record):
            return
        if _is_heard():
            logger.callHandlers(record)
            return
    except Exception as error:  # noqa: BLE001 -- a handler of the application's must not end in what is told here
        record.msg = f"{line} (and a handler of '{logger.name}' raised {type(error).__name__})"
    if logging.lastResort is not None:
        logging.lastResort.handle(record)


_told_once: set[str] = set()


def tell_operator_once(kind: str, line: str) -> None:
    """As `tell_operator`, for the first trouble of its kind in this process."""
    if kind not in _told_once:
        _told_once.add(kind)
        tell_operator(line)


def was_told(kind: str) -> bool:
    """Whether `tell_operator_once` has told the first trouble of its kind."""
    return kind in _told_once


def _is_heard() -> bool:
    node: logging.Logger | None = logger
    found = False
    while node is not None:
        for handler in node.handlers:
            if getattr(handler, "writes_lines", True):
                return True
            found = True
        node = node.parent if node.propagate else None
    return not found


class Stats(Struct, frozen=True, kw_only=True):
    """What became of the records, in records (not requests).

    While the pipeline is at rest ``accepted == delivered + refused + sum(dropped.values()) + waiting``; each term is
    counted by itself. While it runs, each may be a moment old.

    Attributes:
        accepted: records with a block that the handler took or is taking now, and those that were read back from the
            disk for an earlier process.
        replayed: of those accepted, the ones read back.
        delivered: their request got its 2xx.
        refused: the receiver refused them.
        dropped: given up here, by reason: invalid, queue_full, spool_full, spool_damaged, too_large, expired, exit,
            no_destination, off, tracing_off, trace_queue_full, route_down, sampled, over_budget, internal.
        waiting: queued, being assembled, batched, sent, or on disk for later.
        requests: POSTs that were answered, whatever the answer.
        retries: attempts after the first.
        truncated: texts shortened to fit.
        mirrored: items that the Workshop mirror took.
        open_interactions: interactions begun and not finished.
    """

    accepted: int = 0
    replayed: int = 0
    delivered: int = 0
    refused: int = 0
    dropped: dict[str, int] = {}
    waiting: int = 0
    requests: int = 0
    retries: int = 0
    truncated: int = 0
    mirrored: int = 0
    open_interactions: int = 0

    def added(self, other: Stats) -> Stats:
        """The figures of two pipelines together."""
        sums = {
            name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__ if name != "dropped"
        }
        dropped = dict(self.dropped)
        for reason, records in other.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + records
        return Stats(**sums, dropped=dropped)


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
    """A number that any thread, signal handler or finalizer may raise by one: a single C call, no lock.

    That call answers with what was there before, where it is counted from ``first`` in steps of ``step``.
    """

    __slots__ = ("_first", "_step", "_steps", "one")

    def __init__(self, first: int = 0, step: int = 1) -> None:
        self._first = first
        self._step = step
        self._steps = itertools.count(first, step)
        self.one: Callable[[], int] = self._steps.__next__

    def __int__(self) -> int:
        reached, _, _ = repr(self._steps)[len("count(") : -1].partition(",")
        return (int(reached) - self._first) // self._step


def _records(count: int) -> str:
    """How many, in brackets; nothing where all were told before."""
    return f" ({count} record{'s' * (count != 1)})" if count else ""


class Ledger:
    """The counters of one pipeline.

    Callers raise the `Count`s, without a lock; everything else is raised by the pipeline's own threads, under a
    lock that no log call ever takes. ``accepted`` gives each record the bits that its ids are made of.
    """

    def __init__(self) -> None:
        self.accepted = Count(mint_bits(FIRST_BITS), ID_STEP)
        self.withdrawn = Count()
        self.overflowed = Count()
        self.unheard = Count()
        self.disk_full = Count()
        self.uncaptured = Count()
        self._lock = threading.RLock()  # a signal handler may flush while its thread asks for figures
        self._sums: dict[str, int] = {}
        self._dropped: dict[str, int] = {}

    def add(self, name: str, number: int) -> None:
        """Raise one of the figures of `Stats`."""
        if number:
            with self._lock:
                self._sums[name] = self._sums.get(name, 0) + number

    def drop(self, reason: str, records: int) -> None:
        """Count records given up."""
        if records:
            with self._lock:
                self._dropped[reason] = self._dropped.get(reason, 0) + records

    def stats(self, *, waiting: int, open_interactions: int, unheard_reason: str) -> Stats:
        """All figures now."""
        sums, dropped = self._sums.copy(), self._dropped.copy()  # no lock: a signal handler may log, and deliver, here
        callers = {
            "queue_full": self.overflowed,
            "spool_full": self.disk_full,
            unheard_reason: self.unheard,
            "internal": self.uncaptured,
        }
        for reason, counted in callers.items():
            if number := int(counted):
                dropped[reason] = dropped.get(reason, 0) + number
        accepted = int(self.accepted) - int(self.withdrawn) + sums.get("replayed", 0)
        return Stats(accepted=accepted, dropped=dropped, waiting=waiting, open_interactions=open_interactions, **sums)


class Diagnostics:
    """Trouble gathered by kind, told as one line: at once the first time, then once an interval with counts.

    A thread of its own tells it, since a handler of the application's may hang, and neither the listener nor the end of
    the process may wait for that.
    """

    def __init__(self, clock: Callable[[], float], *, every: float = DIAGNOSTIC_INTERVAL) -> None:
        self._clock = clock
        self._every = every
        self._lock = threading.RLock()
        self._due: float | None = None
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}
        self._teller: threading.Thread | None = None

    def note(self, kind: str, detail: str, records: int = 1) -> None:
        """Remember a trouble: ``kind`` groups it, ``detail`` of the first one is told."""
        with self._lock:
            self._counts[kind] = self._counts.get(kind, 0) + records
            self._first.setdefault(kind, detail)

    def next_due(self) -> float | None:
        """When `tell` has something to say next."""
        return (self._due if self._due is not None else self._clock()) if self._counts else None

    def tell(self, *, last_chance: bool = False, wait: float = 0.0) -> None:
        """Write the line if there is something to tell, and an interval has passed or it is the last chance.

        At most ``wait`` seconds are waited until it, or one that is on its way, is written.
        """
        line = self._line(last_chance=last_chance)
        if line is not None:
            teller = threading.Thread(
                target=self._told, args=(line, self._teller), name="raindrop-diagnostics", daemon=True
            )
            try:
                teller.start()
                self._teller = teller
            except RuntimeError:  # the interpreter is shutting down
                tell_operator(line)
        if wait and self._teller is not None:
            self._teller.join(wait)

    @staticmethod
    def _told(line: str, before: threading.Thread | None) -> None:
        if before is not None:
            before.join(DIAGNOSTIC_INTERVAL)
        tell_operator(line)

    def _line(self, *, last_chance: bool) -> str | None:
        with self._lock:
            now = self._clock()
            if not self._counts or (self._due is not None and now < self._due and not last_chance):
                return None
            counts, self._counts = self._counts, {}
            first, self._first = self._first, {}
            self._due = now + self._every
        return "; ".join(f"{kind}{_records(count)}: {first[kind]}" for kind, count in counts.items())
