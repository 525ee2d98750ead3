"""What waits on disk for its turn: what earlier processes left, and what this one has put there.

The oldest directory comes first, one stream after the other, a portion at a time. Processes that end while this one
lives are looked for every `LOOK_AGAIN` seconds.

In: the time; items, at a shutdown or while their lane is down
Out: Portion
Touches: the spool
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from raindrop_logging._pipeline.entries import Item, Snapshot
from raindrop_logging._pipeline.frames import Frame
from raindrop_logging._pipeline.spool import Spool, Stream
from raindrop_logging._pipeline.stored import ITEM, SNAPSHOT, item_bytes, item_of, snapshot_of
from raindrop_logging.wire import Lane

LOGGED = "logged"
"""The stream of snapshots. Items have one a lane, `encoded-<lane>`: where both are left they are older, and so sort."""

_AFTER = {Lane.PARTIALS: (Lane.EVENTS,), Lane.SIGNALS: (Lane.EVENTS, Lane.PARTIALS)}
"""Lanes that speak of what others carry, and wait for it on disk as well."""

LOOK_AGAIN = 10.0

_REST = 1.0
"""Seconds before a disk that could not be read is tried again."""

PORTION_BYTES = 512 * 1024


class Portion(Struct, frozen=True):
    """What was read back at once, in order: a stream holds snapshots or items.

    Attributes:
        own: this process had put it there; else an earlier one has logged it.
        ended: nothing more of its stream follows.
        damaged: things that are none; of its own, records that are not there any more.
        skipped: regions of the files that were skipped, told once the stream has ended.
    """

    snapshots: tuple[Snapshot, ...] = ()
    items: tuple[Item, ...] = ()
    own: bool = False
    ended: bool = False
    damaged: int = 0
    skipped: int = 0


class Backlog:
    """Reads back what waits in a spool; ``mint`` makes idents for what is put there."""

    def __init__(self, spool: Spool, mint: Callable[[], int]) -> None:
        self._spool = spool
        self._mint = mint
        self._own = {lane: spool.stream(f"encoded-{lane}") for lane in Lane}
        self._left: deque[Stream] = deque()  # not read to the end; the first one is being read
        self._unconfirmed: list[Stream] = []
        self._look_at: float | None = None  # when to look for others; None: at once
        self._rest_until = 0.0
        self._kept = dict.fromkeys(Lane, 0)  # records of this process's own that were put there and not read

    @property
    def records(self) -> int:
        """Log records that this process has put there."""
        return sum(self._kept.values())

    # ---- reading

    @property
    def has_more(self) -> bool:
        """Whether there is something to read now, as far as can be told without looking into it."""
        unread = bool(self._left) or any(stream.unread for stream in self._own.values())
        return unread or (self._look_at is None and self._spool.has_neighbours)

    def is_ahead(self, lane: Lane) -> bool:
        """Whether something on disk, put there by this process, has to go before what its lane gets now."""
        return self.records > 0 and any(self._own[one].unread for one in (lane, *_AFTER.get(lane, ())))

    def next_due(self, now: float) -> float | None:
        """When `read` has something, or looks for it."""
        if self._left or self.records or self._look_at is None:
            return max(now, self._rest_until)
        return self._look_at

    def read(self, now: float, *, is_down: Callable[[Lane], bool] = lambda _: False) -> Portion | None:
        """The next portion; None where nothing waits, or what does cannot be read or sent right now."""
        self._look(now)
        for lane, own in self._own.items():
            waits = any(self._own[one].unread for one in _AFTER.get(lane, ()))
            if not waits and not is_down(lane) and (portion := self._read_own(lane, own)) is not None:
                return portion
        stream = self._left[0] if self._left else None
        if stream is None or (not (frames := stream.read(PORTION_BYTES)) and stream.unread):
            self._left.rotate(-1)  # it cannot be read; another one perhaps can
            self._rest_until = now + _REST
            return None
        ended = not stream.unread
        if ended:
            self._left.popleft()
        if stream not in self._unconfirmed:
            self._unconfirmed.append(stream)
        return self._portion(stream, frames, ended=ended)

    def _read_own(self, lane: Lane, own: Stream) -> Portion | None:
        """What this process has put there for a lane; what somebody has destroyed of it waits no longer."""
        if not self._kept[lane]:
            return None
        portion = self._portion(own, own.read(PORTION_BYTES))
        left = self._kept[lane] - sum(item.records for item in portion.items)
        self._kept[lane] = left if own.unread else 0
        portion = replace(portion, damaged=left - self._kept[lane])
        return portion if portion.items or portion.damaged else None

    def _look(self, now: float) -> None:
        if self._left or (self._look_at is not None and now < self._look_at):
            return
        self._look_at = now + LOOK_AGAIN
        self._left.extend(self._spool.adopt())

    def confirm(self, idents: Iterable[int]) -> None:
        """What was read need not be kept any longer."""
        for own in self._own.values():
            own.confirm(idents)
        for stream in self._unconfirmed.copy():
            stream.confirm(idents)
            if not stream.nbytes:
                self._unconfirmed.remove(stream)

    def _portion(self, stream: Stream, frames: list[Frame], *, ended: bool = False) -> Portion:
        snapshots: list[Snapshot] = []
        items: list[Item] = []
        damaged: list[int] = []
        for frame in frames:
            try:
                if frame.kind == SNAPSHOT:
                    snapshots.append(snapshot_of(frame.ident, frame.payload))
                else:
                    items.append(item_of(frame.ident, frame.payload))
            except (ValueError, msgspec.MsgspecError):
                damaged.append(frame.ident)
        stream.confirm(damaged)
        skipped = stream.corrupt if ended else 0
        return Portion(tuple(snapshots), tuple(items), stream in self._own.values(), ended, len(damaged), skipped)

    # ---- writing

    def keep(self, item: Item) -> bool:
        """Put an item on disk, for this process if it goes on, else for the next one; whether it is there."""
        kept = self._own[item.lane].append(ITEM, self._mint(), item_bytes(item))
        self._kept[item.lane] += item.records if kept else 0
        return kept
