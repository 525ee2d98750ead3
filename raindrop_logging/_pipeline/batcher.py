"""Join items into requests by count, bytes and age.

In: Item, in order, with the time it came
Out: Request
Touches: nothing (pure); time arrives as a number
"""

from __future__ import annotations

from msgspec import Struct

from raindrop_logging._pipeline.entries import Item, Request, request_of
from raindrop_logging.wire import Lane


class Limits(Struct, frozen=True):
    """When a lane's batch is complete: items, body bytes, seconds since its first item (0: only a flush ends it)."""

    items: int
    nbytes: int
    seconds: float


class _Batch:
    __slots__ = ("due", "items", "keys", "nbytes", "records")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.keys: set[str] = set()
        self.nbytes = 0  # with what stands between two
        self.records = 0
        self.due: float | None = None


_AFTER_EVENTS = frozenset({Lane.SIGNALS, Lane.PARTIALS})
"""Lanes that speak of events: what they name must leave before them."""


class Batcher:
    """Open batches by lane; a lane without limits sends each item by itself."""

    def __init__(self, limits: dict[Lane, Limits]) -> None:
        self._limits = limits
        self._open = {lane: _Batch() for lane in limits}

    @property
    def records(self) -> int:
        """Log records in open batches."""
        return sum([batch.records for batch in self._open.values()])

    def add(self, item: Item, now: float) -> list[Request]:
        """Take one item; the requests that are complete with it."""
        ready: list[Request] = []
        lane, nbytes = item.lane, len(item.body) + 1
        limits = self._limits.get(lane)
        if limits is None:
            if lane in _AFTER_EVENTS and item.key in self._open[Lane.EVENTS].keys:
                ready = self._close(Lane.EVENTS)
            return [*ready, request_of(lane, (item,))]
        batch = self._open[lane]
        if batch.items and batch.nbytes + nbytes > limits.nbytes - 1:
            ready = self._close(lane)
            batch = self._open[lane]
        if not batch.items:
            batch.due = now + limits.seconds if limits.seconds else None
        batch.items.append(item)
        batch.nbytes += nbytes
        batch.records += item.records
        if item.key is not None:
            batch.keys.add(item.key)
        if len(batch.items) >= limits.items or batch.nbytes >= limits.nbytes:
            ready += self._close(lane)
        return ready

    def tick(self, now: float) -> list[Request]:
        """Requests whose time has come."""
        ready: list[Request] = []
        for lane in self._limits:
            due = self._open[lane].due
            if due is not None and due <= now:
                ready += self._close(lane)
        return ready

    def next_due(self) -> float | None:
        """When `tick` has work next."""
        return min((batch.due for batch in self._open.values() if batch.due is not None), default=None)

    def drain(self) -> list[Request]:
        """Every open batch, events first."""
        return [request for lane in self._limits for request in self._close(lane)]

    def _close(self, lane: Lane) -> list[Request]:
        batch = self._open[lane]
        if not batch.items:
            return []
        before = self._close(Lane.EVENTS) if lane in _AFTER_EVENTS else []
        self._open[lane] = _Batch()
        items, nbytes = tuple(batch.items), batch.nbytes - len(batch.items)
        return [*before, Request(lane, items, batch.records, nbytes, frozenset(batch.keys))]
