"""The bounded queue with a disk beside it, so that a record outlives its process, or a crowd finds room.

As a journal, every snapshot is on disk before the log call returns, and memory only helps out where the disk fails. For
`spill` it is the other way round: memory first, and the disk while memory is full. Either way the second one is used
until it is empty again, so that what one thread logs stays in order.

In: Snapshot, from any thread
Out: Snapshot, to the listener
Touches: a stream of the spool, besides what the bounded queue touches
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from raindrop_logging._pipeline.bounded_queue import BoundedQueue, Bounds
from raindrop_logging._pipeline.entries import Snapshot
from raindrop_logging._pipeline.frames import Frame
from raindrop_logging._pipeline.spool import Stream
from raindrop_logging._pipeline.stats import Count
from raindrop_logging._pipeline.stored import SNAPSHOT, snapshot_bytes, snapshot_of

READ_BYTES = 256 * 1024
"""What is read back at once; more would only wait in memory."""


class Journal(BoundedQueue):
    """Snapshots between callers and the listener, on disk and in memory.

    Args:
        bounds: of what is in memory.
        overflowed: counts what ``when_full`` gives up.
        stream: where they are kept.
        only_when_full: memory comes first.
        disk_full: counts what has no room below ``spool_max_bytes``.
        damaged: told how many records can never be read back.

    Attributes:
        unwritable: how often the disk took nothing although there was room; such snapshots wait in memory.
    """

    def __init__(
        self,
        bounds: Bounds,
        overflowed: Count,
        *,
        stream: Stream,
        only_when_full: bool,
        disk_full: Count,
        damaged: Callable[[int], None],
    ) -> None:
        super().__init__(bounds, overflowed)
        self.unwritable = Count()
        self._stream = stream
        self._only_when_full = only_when_full
        self._disk_full = disk_full
        self._damaged = damaged
        self._appended = Count()
        self._taken = 0
        self._read: deque[Frame] = deque()
        self._in_memory_only: set[int] = set()

    def __len__(self) -> int:
        return self.in_memory + self._on_disk()

    def _on_disk(self) -> int:
        """Appended and not taken yet; a frame may be taken a moment before it is counted."""
        return max(int(self._appended) - self._taken, 0)

    def mark(self) -> int:
        """As `BoundedQueue.mark`."""
        return int(self._appended)

    def is_past(self, mark: int) -> bool:
        """As `BoundedQueue.is_past`."""
        return self._taken >= mark

    def put(self, snapshot: Snapshot) -> None:
        """Take a snapshot onto the disk or into memory, as the class says; the rest is the bounded queue's."""
        disk_first = not self.in_memory if not self._only_when_full else self.is_full or self._on_disk()
        if not disk_first:
            self._put_in_memory(snapshot)
            return
        data = snapshot_bytes(snapshot)
        if self._stream.append(SNAPSHOT, snapshot.bits, data):
            appended = self._appended.one() + 1
            try:
                self.wake(appended - self._taken)
            except RecursionError:  # as in memory
                return
        elif self._stream.has_room(len(data)):
            self.unwritable.one()
            self._put_in_memory(snapshot)
        elif self._only_when_full:
            self._put_in_memory(snapshot)
        else:
            self._disk_full.one()

    def _put_in_memory(self, snapshot: Snapshot) -> None:
        if not self._only_when_full:
            self._in_memory_only.add(snapshot.bits)
        super().put(snapshot)

    def give_up(self, snapshot: Snapshot) -> None:
        """As `BoundedQueue.give_up`; nothing is left of it that could be kept."""
        self._in_memory_only.discard(snapshot.bits)
        super().give_up(snapshot)

    def take(self) -> Snapshot | None:
        """The oldest snapshot, or None; for the listener.

        The second place is looked at before the first one: what is there by then came after everything in the first,
        while what a caller puts there later may have come after something in the first that was not seen.
        """
        if self._only_when_full:
            spilled = self._on_disk()
            return super().take() or (self._take_from_disk() if spilled else None)
        unkept = self.in_memory
        return self._take_from_disk() or (super().take() if unkept else None)

    def confirm(self, idents: Iterable[int]) -> None:
        """Snapshots that were taken need not be kept any longer."""
        self._in_memory_only.difference_update(idents)
        self._stream.confirm(idents)

    @property
    def unkept(self) -> int:
        """Snapshots of a journal that are in memory alone and not confirmed: what the end of the process would lose."""
        return len(self._in_memory_only)

    def _take_from_disk(self) -> Snapshot | None:
        while self._on_disk():
            if not self._read and not self._read_on():
                return None
            frame = self._read.popleft()
            self._taken += 1
            try:
                return snapshot_of(frame.ident, frame.payload)
            except (msgspec.MsgspecError, ValueError):
                self._damaged(1)
                self._stream.confirm((frame.ident,))
        return None

    def _read_on(self) -> bool:
        """Read the next frames; where there are none although some were appended, somebody has damaged the files."""
        counted = int(self._appended)
        self._read.extend(self._stream.read(READ_BYTES))
        if not self._read and not self._stream.unread and counted > self._taken:
            self._damaged(counted - self._taken)
            self._taken = counted
        return bool(self._read)
