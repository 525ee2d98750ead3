"""Join the records of one interaction into what goes out: one complete event, or partials and a final.

An interaction that ends before its first partial was due is one complete event. A longer one sends what is new as
pending partials, at most one an interval, and at its end everything it adds up to (wire contract, section 11).

In: Entry, in arrival order, with the time it came
Out: Told
Touches: nothing (pure); time arrives as a number
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from copy import copy
from math import inf
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from raindrop_logging._pipeline.entries import Entry, Source, Told, exact
from raindrop_logging.identifiers import uuid_text
from raindrop_logging.vocabulary import Attachment, Finish
from raindrop_logging.wire import Lane

_BEHIND_SECONDS = 0.1
"""The least time until a pending partial is looked at again that was not made for want of room."""

_LONG_SECONDS = 10.0
"""An interaction that is open for so long is shown before it ends, however many there are."""

_SCALARS = ("user_id", "event", "input", "output", "model", "convo_id")


class _Open(Struct, gc=False, eq=False):
    """One open interaction: what it adds up to, what of it is not sent yet, and the signals that wait for it."""

    event_id: str
    trace_id: str | None
    source: Source
    began: float
    opened: float
    timestamp: float | None  # None where the begin, made elsewhere, has said it
    sent: bool
    quiet: bool  # read back from the disk: says nothing before all of it was read, or it is final
    block: Finish
    fresh: Finish | None = None  # until a part of it is sent, all of it is
    held: list[Told] = []
    attached: list[tuple[Attachment, str]] = []  # not sent yet, each with an id for where it has none
    idents: list[int] = []  # of all its records, where they are on disk
    records: int = 0
    begun: bool = False  # of the partials that are left out by some rule, one was not
    due: float | None = None
    last: float = 0.0


def _opened(entry: Entry, now: float, *, resumed: bool, quiet: bool) -> _Open:
    at = None if resumed and entry.block.timestamp is None else entry.timestamp
    return _Open(entry.event_id, entry.trace_id, entry.source, entry.timestamp, now, at, resumed, quiet, Finish())


class _Closed(Struct, frozen=True, gc=False, array_like=True):
    """What a late change needs of a finished interaction to be whole; kept as bytes, in a third of the memory."""

    user_id: str | None
    event: str | None
    convo_id: str | None
    timestamp: float | None
    trace_id: str | None


_close = msgspec.msgpack.Encoder().encode
_reopen = msgspec.msgpack.Decoder(_Closed).decode


class Assembler:
    """Open interactions by event id, bounded in number and in idle time.

    Args:
        interval: seconds between two pending partials of one interaction.
        ttl: idle seconds after which an interaction goes out as it stands and is forgotten.
        max_open: interactions held at once; beyond it the longest idle one goes out as it stands.
        on_disk: records are kept on disk until they are settled, an interaction's all together with its end.
        keeps: whether the pending partials of an event and its conversation go anywhere; None where all do.
    """

    def __init__(
        self,
        *,
        interval: float,
        ttl: float,
        max_open: int,
        on_disk: bool = False,
        keeps: Callable[[str, str | None], bool] | None = None,
    ) -> None:
        self._interval = interval
        self._ttl = ttl
        self._max_open = max_open
        self._on_disk = on_disk
        self._keeps = keeps
        self._replaying = False
        self._open: OrderedDict[str, _Open] = OrderedDict()  # longest idle first
        self._closed: OrderedDict[str, bytes] = OrderedDict()
        self._due: deque[tuple[float, _Open]] = deque()  # one interval for all: arrival order is due order
        self._sent = 0  # open interactions of which a part was sent
        self.records = 0
        self._steps: dict[str, Callable[[Entry, float], list[Told]]] = {
            "ai": self._event,
            "event": self._event,
            "identify": self._user,
            "span": self._span,
            "signal": self._signal,
            "begin": self._change,
            "update": self._change,
            "finish": self._finish,
        }

    def __len__(self) -> int:
        return len(self._open)

    def feed(self, entry: Entry, now: float, *, replayed: bool = False) -> list[Told]:
        """Take one entry; what it makes ready to go out, in order.

        ``replayed`` says that an earlier process logged it. An interaction that opens so may have been finished by
        what follows, and its final may have arrived: it is never pending, until `let_go` says that all was read.
        """
        self._replaying = replayed
        return self._steps[entry.type](entry, now)

    def end(self, event_id: str) -> list[Told]:
        """Close an interaction as it stands; its finish was refused, and nothing else will come."""
        interaction = self._open.get(event_id)
        return [] if interaction is None else self._ended(interaction)

    def let_go(self) -> list[Told]:
        """Have what was read back and is still open go out as it stands: nobody will finish it."""
        return [told for one in list(self._open.values()) if one.quiet for told in self._let_go(one)]

    def tick(self, now: float, *, behind: bool = False, most_sent: float = inf) -> list[Told]:
        """What is due at this time.

        ``behind`` leaves pending partials for later, since finals come first. Where parts of ``most_sent`` open
        interactions were sent, others have to be open for long before they begin to: each of them takes a request of
        its own to end, while one of which nothing was sent is a complete event, and shares its request.
        """
        told = self._expire(now)
        while self._due and self._due[0][0] <= now:
            due, interaction = self._due.popleft()
            if interaction.due != due:
                continue
            has_time = not interaction.sent and now - interaction.opened < _LONG_SECONDS
            if behind or (has_time and self._sent >= most_sent):
                self._schedule(interaction, now + max(_BEHIND_SECONDS - self._interval, 0.0))
            else:
                told += self._pending(interaction)
        return told

    def next_due(self) -> float | None:
        """When `tick` has work next."""
        times = [self._due[0][0]] if self._due else []
        if self._open:
            times.append(next(iter(self._open.values())).last + self._ttl)
        return min(times, default=None)

    def drain(self) -> list[Told]:
        """Everything that is not sent yet, as pending; the interactions stay open."""
        self._due.clear()
        return [told for one in self._open.values() if not one.quiet for told in self._pending(one)]

    # ---- one entry

    def _event(self, entry: Entry, now: float) -> list[Told]:
        """A complete event; where an interaction of its id is open it is the end of that, and what comes later under an
        id that the caller knows is a revision."""
        if entry.event_id in self._open:
            return self._finish(entry, now)
        if entry.block.event_id is not None:
            self._remember(entry.event_id, entry.block, entry.timestamp, entry.trace_id)
        return [self._alone(entry, Lane.EVENTS, entry.event_id)]

    def _signal(self, entry: Entry, _now: float) -> list[Told]:
        told = self._alone(entry, Lane.SIGNALS, entry.event_id)
        interaction = self._open.get(entry.event_id)
        if interaction is None or interaction.sent:
            return [told]
        interaction.held.append(told)
        self.records += 1
        return []

    def _user(self, entry: Entry, _now: float) -> list[Told]:
        return [self._alone(entry, Lane.USERS, f"user {entry.block.user_id}")]

    def _span(self, entry: Entry, _now: float) -> list[Told]:
        return [self._alone(entry, Lane.TRACES, None)]

    def _alone(self, entry: Entry, lane: Lane, key: str | None) -> Told:
        """One record that goes out by itself."""
        return Told(
            lane,
            entry.block,
            entry.event_id,
            entry.trace_id,
            entry.timestamp,
            key,
            entry.source,
            bits=entry.bits,
            idents=(entry.bits,) if self._on_disk else (),
        )

    def _change(self, entry: Entry, now: float) -> list[Told]:
        interaction = self._joined(entry, now)
        if interaction is None:
            return [self._revision(entry)]
        if interaction.due is None and not interaction.quiet:
            self._schedule(interaction, now)
        return self._evicted()

    def _finish(self, entry: Entry, now: float) -> list[Told]:
        interaction = self._joined(entry, now)
        if interaction is None:
            return [self._revision(entry)]
        return self._ended(interaction)

    # ---- one interaction

    def _ended(self, interaction: _Open) -> list[Told]:
        self._forget(interaction)
        self._remember(interaction.event_id, interaction.block, interaction.timestamp, interaction.trace_id)
        final = self._told(interaction, interaction.block, pending=False)
        return [final, *self._released(interaction)]

    def _joined(self, entry: Entry, now: float) -> _Open | None:
        """The interaction with this entry merged in, opened if it is new; None where it has ended already."""
        interaction = self._open.get(entry.event_id)
        if interaction is None:
            if entry.event_id in self._closed:
                return None
            interaction = _opened(entry, now, resumed=entry.type != "begin", quiet=self._replaying)
            self._open[entry.event_id] = interaction
            self._sent += interaction.sent
        self._merge(interaction, entry, now)
        return interaction

    def _merge(self, interaction: _Open, entry: Entry, now: float) -> None:
        _absorb(interaction.block, entry.block)
        if interaction.fresh is not None:
            _absorb(interaction.fresh, entry.block)
        if entry.block.attachments:
            interaction.attached += _attached(entry)
        interaction.quiet = interaction.quiet and self._replaying  # a live record: it goes on in this process
        if interaction.quiet and entry.timestamp - interaction.began >= self._interval:
            self._mark_sent(interaction)  # the process that logged it has had the time for a partial
        interaction.records += 1
        self.records += 1
        if self._on_disk:
            interaction.idents.append(entry.bits)
        interaction.last = now
        self._open.move_to_end(entry.event_id)

    def _mark_sent(self, interaction: _Open) -> None:
        self._sent += not interaction.sent
        interaction.sent = True

    def _schedule(self, interaction: _Open, now: float) -> None:
        interaction.due = now + self._interval
        self._due.append((interaction.due, interaction))

    def _pending(self, interaction: _Open, *, last: bool = False) -> list[Told]:
        interaction.due = None
        if not interaction.records and not last:
            return []
        block = copy(interaction.block) if interaction.fresh is None else interaction.fresh
        for key in ("user_id", "event", "convo_id"):
            setattr(block, key, getattr(interaction.block, key))
        told = self._told(interaction, block, pending=True)
        interaction.fresh = Finish()
        if interaction.event_id in self._open:
            self._mark_sent(interaction)
        return [told, *self._released(interaction)]

    def _told(self, interaction: _Open, block: Finish, *, pending: bool) -> Told:
        """What goes out of an interaction now; it speaks for every record since the last time."""
        texts = block.input or block.output  # without one, events/track has no place for model and conversation
        whole = not pending and not interaction.sent and bool(block.user_id and block.event and texts)
        attached = interaction.attached
        if not pending or self._keeps is None:
            interaction.attached = []
        elif interaction.begun or self._keeps(interaction.event_id, interaction.block.convo_id):
            interaction.attached, interaction.begun = [], True
        alone = whole and not self._on_disk  # else a part may have been sent, by this process or an earlier one
        block.attachments = [one if alone else _named(one, made_up) for one, made_up in attached] or None
        records, interaction.records = interaction.records, 0
        self.records -= records
        return Told(
            lane=Lane.EVENTS if whole else Lane.PARTIALS,
            block=block,
            event_id=interaction.event_id,
            trace_id=interaction.trace_id,
            timestamp=interaction.timestamp,
            key=interaction.event_id,
            source=interaction.source,
            records=records,
            pending=None if whole else pending,
            idents=() if pending else tuple(interaction.idents),
            begun=interaction.begun,
        )

    def _released(self, interaction: _Open) -> list[Told]:
        held, interaction.held = interaction.held, []
        self.records -= len(held)
        return held

    def _revision(self, entry: Entry) -> Told:
        """A change after the end: never pending again, and whole enough to be read without what came before."""
        closed = _reopen(self._closed[entry.event_id])
        block = Finish()
        _absorb(block, entry.block)
        block.attachments = [_named(one, made_up) for one, made_up in _attached(entry)] or None
        for key in ("user_id", "event", "convo_id"):
            if getattr(block, key) is None:
                setattr(block, key, getattr(closed, key))
        return Told(
            lane=Lane.PARTIALS,
            block=block,
            event_id=entry.event_id,
            trace_id=closed.trace_id,
            timestamp=closed.timestamp,
            key=entry.event_id,
            source=entry.source,
            pending=False,
            idents=(entry.bits,) if self._on_disk else (),
        )

    # ---- bounds

    def _remember(self, event_id: str, block: Any, timestamp: float | None, trace_id: str | None) -> None:
        convo_id = getattr(block, "convo_id", None)
        self._closed[event_id] = exact((_close((block.user_id, block.event, convo_id, timestamp, trace_id)), b""))
        self._closed.move_to_end(event_id)
        if len(self._closed) > self._max_open:
            self._closed.popitem(last=False)

    def _forget(self, interaction: _Open) -> None:
        interaction.due = None
        self._sent -= interaction.sent
        del self._open[interaction.event_id]

    def _evicted(self) -> list[Told]:
        if len(self._open) <= self._max_open:
            return []
        return self._let_go(next(iter(self._open.values())))

    def _expire(self, now: float) -> list[Told]:
        told: list[Told] = []
        while self._open:
            oldest = next(iter(self._open.values()))
            if oldest.last + self._ttl > now:
                break
            told += self._let_go(oldest)
        return told

    def _let_go(self, interaction: _Open) -> list[Told]:
        """As it stands, and for the last time: what is kept of it on disk is settled with this."""
        self._forget(interaction)
        if not interaction.records and not interaction.idents:
            return []
        told, *held = self._pending(interaction, last=True)
        return [replace(told, idents=tuple(interaction.idents)), *held]


def _absorb(total: Finish, change: Any) -> None:
    """Merge a change into a total: scalars replace, properties and flags merge. Attachments are no part of a total:
    each goes out once."""
    for key in _SCALARS:
        value = getattr(change, key, None)
        if value is not None:
            setattr(total, key, value)
    if change.properties:
        total.properties = {**(total.properties or {}), **change.properties}
    if change.feature_flags:
        total.feature_flags = {**(total.feature_flags or {}), **change.feature_flags}


def _attached(entry: Entry) -> list[tuple[Attachment, str]]:
    """The attachments of one record, with ids made of the record's own, so that a repeated request adds none twice."""
    attachments = entry.block.attachments or ()
    return [
        (one, uuid_text(entry.bits ^ number << _ABOVE_THE_STEPS)) for number, one in enumerate(attachments, start=1)
    ]


_ABOVE_THE_STEPS = 96
"""The bits of a pipeline's records differ below this one, by far more than they have attachments."""


def _named(attachment: Attachment, made_up: str) -> Attachment:
    if attachment.attachment_id is None:
        attachment.attachment_id = made_up
    return attachment
