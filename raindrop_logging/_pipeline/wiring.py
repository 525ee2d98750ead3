"""The only file that knows the order of the stages: carries records along them, and keeps the accounts.

In: Settings; Snapshots, as the listener takes them
Out: requests at the senders; Stats
Touches: nothing itself; its stages' threads and files are made here
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from raindrop_logging._pipeline import parts
from raindrop_logging._pipeline.backlog import LOGGED, Backlog, Portion
from raindrop_logging._pipeline.encoder import Stamp, as_final_partial
from raindrop_logging._pipeline.entries import Item, Refusal, Request, Snapshot, Source, Told, request_of
from raindrop_logging._pipeline.journal import Journal
from raindrop_logging._pipeline.outbox import Outbox, Settled, Verdict
from raindrop_logging._pipeline.redact import redacted
from raindrop_logging._pipeline.sender import Attempted, Receiver, Sender, Trouble
from raindrop_logging._pipeline.stats import Diagnostics, Ledger, Stats
from raindrop_logging.identifiers import mint_bits
from raindrop_logging.settings import Settings
from raindrop_logging.wire import Lane

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from raindrop_logging.redaction import Redactor


class Surroundings(NamedTuple):
    """What a road finds where it runs, and keeps in a child of fork.

    ``transport`` is used instead of the network, ``clock`` is monotonic, in seconds, ``random`` are numbers in [0, 1)
    for the jitter, ``environ`` is the process's environment, ``deployment`` says what was deployed, ``redactor`` what
    must not leave.
    """

    transport: httpx.BaseTransport | None
    clock: Callable[[], float]
    random: Callable[[], float]
    environ: Mapping[str, str]
    deployment: Stamp
    redactor: Redactor | None


class Road:
    """The stages of one pipeline, joined in the order that a record meets them; the listener drives it.

    Args:
        settings: checked keys.
        around: where it runs.
        is_silent: nothing is ever sent, so nothing is kept on disk.
        at_tick: told whenever the time has moved on.

    Attributes:
        queue: where callers put what they have captured.
        primary, mirror: the senders, new ones once a shutdown has ended them.
        spool, backlog: what is on disk, and what of it waits to be sent; None where nothing is.
        portions: how often something was read from it.
        inline: no thread works here, callers do.
        is_over: the process has come to its end.
        witness: told of each refusal instead of the operator, on a thread of ours; None where nobody is.

    Raises:
        SettingsError: what the settings name cannot work on this machine.
    """

    def __init__(
        self, settings: Settings, around: Surroundings, *, is_silent: bool, at_tick: Callable[[], None]
    ) -> None:
        self.settings = settings
        self._around = around
        self._at_tick = at_tick
        self.ledger = Ledger()
        self.diagnostics = Diagnostics(around.clock)
        self.spool = None if is_silent else parts.spool(settings)
        self.backlog = None if self.spool is None else Backlog(self.spool, lambda: mint_bits(128))
        logged = None if self.spool is None else self.spool.stream(LOGGED)
        self.queue = parts.queue(settings, self.ledger, logged, self._damaged)
        self._router = parts.router(settings, around.redactor)
        self._sampler = parts.sampler(settings)
        self._assembler = parts.assembler(settings, self._sampler)
        self._encoder = parts.encoder(settings, around.environ, around.deployment)
        self._budgets = parts.budgets(settings)
        self._told: dict[str, int] = {}
        self.portions = 0
        self.inline = settings.mode == "sync"
        self.is_over = False
        self._is_held_up = False
        self.witness: Callable[[Refusal], None] | None = None
        self._build_senders()

    def _build_senders(self, held: Iterable[Request] = ()) -> None:
        """The stages that hold what is encoded; built anew when a shutdown has ended them."""
        settings, around = self.settings, self._around
        self._batcher = parts.batcher(settings)
        outbox = Outbox(parts.patience(settings), around.random)
        for request in held:
            outbox.add(request)
        self.primary = Sender(
            parts.primary(settings),
            outbox,
            clock=around.clock,
            settled=self._settled,
            trouble=self._trouble,
            transport=around.transport,
            inline=self.inline,
        )
        mirror = parts.mirror(settings)
        self.mirror = None if mirror is None else self._mirror_sender(mirror)

    def _mirror_sender(self, receiver: Receiver) -> Sender:
        return Sender(
            receiver,
            Outbox(parts.MIRROR_PATIENCE, self._around.random),
            clock=self._around.clock,
            settled=self._mirrored,
            trouble=lambda _: None,  # what the mirror does not take is seen in `Stats.mirrored` alone
        )

    def stats(self, unheard_reason: str) -> Stats:
        """All figures now; ``unheard_reason`` is why records go nowhere that do."""
        waiting = len(self.queue) + self._assembler.records + self._batcher.records + self.primary.records
        if self.backlog is not None:
            waiting += self.backlog.records
        return self.ledger.stats(waiting=waiting, open_interactions=len(self._assembler), unheard_reason=unheard_reason)

    # ---- from a snapshot to the sender; driven by the listener

    def accept(self, snapshot: Snapshot, now: float, *, replayed: bool = False) -> None:
        """Carry one snapshot as far as it goes; ``replayed`` where an earlier process left it, redacted or not."""
        if self._around.redactor is not None and (replayed or self.spool is None):
            snapshot = redacted(snapshot, self._around.redactor)
        entry = self._router.route(snapshot)
        if isinstance(entry, Refusal):
            self._refused(entry, (snapshot.bits,))
            ready = [] if entry.ends is None else self._assembler.end(entry.ends)
        else:
            ready = self._assembler.feed(entry, now, replayed=replayed)
        for told in ready:
            self._send(told, now)

    def tick(self, now: float) -> float | None:
        """Do what is due; when there is work next."""
        self._at_tick()
        if not self.is_behind():
            self._replay(now)
        for told in self._assembler.tick(now, behind=self.primary.is_busy, most_sent=self.primary.a_second):
            self._send(told, now)
        for request in self._batcher.drain() if self.inline else self._batcher.tick(now):
            self._submit(request)
        self.primary.wake()
        self._note_counts()
        self.diagnostics.tell()
        times = [self._assembler.next_due(), self._batcher.next_due(), self.diagnostics.next_due()]
        if self.backlog is not None:
            times.append(self.backlog.next_due(now))
        return min((at for at in times if at is not None), default=None)

    def push(self, now: float) -> None:
        """Carry everything that waits on this side to the sender."""
        if not self.is_behind():
            self._replay(now)
        for told in self._assembler.drain():
            self._send(told, now)
        for request in self._batcher.drain():
            self._submit(request)

    def failed(self, snapshot: Snapshot | None, error: Exception) -> None:
        """Count a snapshot that broke a stage, and say so."""
        if snapshot is None:
            self._broke(error, 0, (), None)
        else:
            self._broke(error, 1, (snapshot.bits,), snapshot.source)

    def _broke(self, error: Exception, records: int, idents: Iterable[int], source: Source | None) -> None:
        self.ledger.drop("internal", records)
        self._confirm(idents)
        if self.witness is not None and source is not None:
            self.witness(Refusal("internal", f"{type(error).__name__}: {error}; please report it", source, records))
            return
        where = "" if source is None else f" on a record of {source}"
        said = f"{type(error).__name__}: {error}" if self.settings.debug else type(error).__name__
        self.diagnostics.note("internal", f"{said}{where}; please report it", records)

    def is_behind(self) -> bool:
        """Whether the sender has all it can hold; the listener is rung once there is room again."""
        self._is_held_up = True  # before the look: what is settled from here on rings
        self._is_held_up = self.primary.is_full
        return self._is_held_up

    def _send(self, told: Told, now: float) -> None:
        if self._sampler is not None and not self._sampler.keeps(told):
            self._left_out("sampled", told)
            return
        try:
            item = self._encoder.encode(told)
        except Exception as error:  # noqa: BLE001 -- a fault of ours costs what it struck, and not what comes with it
            self._broke(error, told.records, told.idents, told.source)
            return
        if isinstance(item, Refusal):
            self._refused(item, told.idents)
            return
        if self._budgets is not None and not self._budgets.has_room(told, len(item.body), now):
            self._left_out("over_budget", told)
            detail = f"logger '{told.source.logger}' says more than the key 'budgets' allows it a minute"
            self.diagnostics.note("over_budget", detail, told.records)
            return
        if item.truncated:
            self.ledger.add("truncated", item.truncated)
        if item.ai and self.settings.write_key is None:
            item = as_final_partial(item)
        self._batch(item, now)

    def _left_out(self, reason: str, told: Told) -> None:
        """Count what does not go because the operator wants less of it."""
        self.ledger.drop(reason, told.records)
        self._confirm(told.idents)

    def _batch(self, item: Item, now: float) -> None:
        for request in self._batcher.add(item, now):
            self._submit(request)

    def _submit(self, request: Request) -> None:
        if self.mirror is not None and not self.mirror.is_busy:
            for mirrored in _for_mirror(request):
                self.mirror.submit(mirrored)
        lane = request.lane
        crowded = self.primary.is_crowded(lane)
        if self.backlog is not None and (crowded or self.backlog.is_ahead(lane)):
            self.ledger.drop("spool_full", self._kept_or_lost(request.items))
            return
        self.primary.submit(request)
        if self.backlog is None:
            self._trim(lane, "trace_queue_full", self.settings.trace_queue_size if lane is Lane.TRACES else None)
            self._trim(lane, "route_down", self.primary.items_waiting(lane) - len(request.items) if crowded else None)

    def _trim(self, lane: Lane, reason: str, most: int | None) -> None:
        """Give up the oldest of a lane that would otherwise be without bound, or in the way of others."""
        lost = 0 if most is None else _records(self.primary.trim(lane, most))
        if lost:
            self.ledger.drop(reason, lost)
            self.diagnostics.note(reason, f"more {lane.value} wait than may, the oldest are given up", lost)

    # ---- what waits on disk

    def _replay(self, now: float) -> None:
        """Carry the next portion of what earlier processes left, as if it were logged now."""
        portion = None if self.backlog is None else self.backlog.read(now, is_down=self.primary.is_crowded)
        if portion is None:
            return
        self.portions += 1
        self._count_read_back(portion)
        for snapshot in portion.snapshots:
            try:
                self.accept(snapshot, now, replayed=True)
            except Exception as error:  # noqa: BLE001 -- as in the listener: it costs this snapshot only
                self.failed(snapshot, error)
        if portion.own:
            self._resubmit(portion.items, now)
        else:
            for item in portion.items:
                self._batch(item, now)
        if portion.ended:
            for told in self._assembler.let_go():
                self._send(told, now)

    def _resubmit(self, items: Iterable[Item], now: float) -> None:
        """What this process had put on disk: the mirror has it, and nothing that came later goes before it."""
        batcher = parts.batcher(self.settings)
        ready = [request for item in items for request in batcher.add(item, now)]
        for request in (*ready, *batcher.drain()):
            self.primary.submit(request)

    def _count_read_back(self, portion: Portion) -> None:
        if not portion.own:
            self.ledger.add("replayed", len(portion.snapshots) + _records(portion.items) + portion.damaged)
        if portion.damaged:
            self._damaged(portion.damaged)
        if portion.skipped:
            self.diagnostics.note("spool_damaged", f"{portion.skipped} regions of a spool file are no records", 0)

    def _damaged(self, records: int) -> None:
        self.ledger.drop("spool_damaged", records)
        self.diagnostics.note("spool_damaged", "what was on disk cannot be read back", records)

    def _confirm(self, idents: Iterable[int]) -> None:
        """Have records no longer kept on disk."""
        if isinstance(self.queue, Journal) and self.backlog is not None and (said := tuple(idents)):
            self.queue.confirm(said)
            self.backlog.confirm(said)

    # ---- the end

    def end_senders(self, *, final: bool) -> int:
        """End the senders, and put what they hold onto the disk if there is one; the records that are lost."""
        if self.spool is not None:
            self.push(self._around.clock())
        left = self.primary.stop()
        if self.mirror is not None:
            self.mirror.stop()
        if isinstance(self.queue, Journal) and self.settings.durability == "journal" and not self.queue.unkept:
            self._build_senders(held=left)  # every record of it is on disk
            return 0
        lost = self._kept_or_lost(item for request in (*left, *self._batcher.drain()) for item in request.items)
        if self.spool is None:
            lost += self._assembler.records + (self._emptied() if final else 0)
            self._assembler = parts.assembler(self.settings, self._sampler)
        self._build_senders()
        self.ledger.drop("exit", lost)
        return lost

    def _kept_or_lost(self, items: Iterable[Item]) -> int:
        """Put items onto the disk; the records that are lost, since there is none or it takes no more."""
        lost = 0
        kept: list[int] = []
        for item in items:
            if self.backlog is not None and self.backlog.keep(item):
                kept += item.idents
            else:
                lost += item.records
        self._confirm(kept)
        return lost

    def _emptied(self) -> int:
        taken = 0
        while self.queue.take() is not None:
            taken += 1
        return taken

    # ---- accounts

    def _refused(self, refusal: Refusal, idents: Iterable[int]) -> None:
        self.ledger.drop(refusal.reason, refusal.records)
        self._confirm(idents)
        if self.witness is not None:
            self.witness(refusal)
            return
        if refusal.reason == "tracing_off":  # as the user asked
            return
        where = str(refusal.source) if self.settings.debug else f"logger '{refusal.source.logger}'"
        self.diagnostics.note(refusal.reason, f"{refusal.detail} ({where})", refusal.records)

    def _note_counts(self) -> None:
        """Say what callers have counted since the last time."""
        counts = {
            "queue_full": (
                self.ledger.overflowed,
                f"more is logged than leaves, when_full is {self.settings.when_full}",
            ),
            "spool_full": (self.ledger.disk_full, "more waits on disk than spool_max_bytes allows"),
        }
        if isinstance(self.queue, Journal) and not self.is_over:
            detail = "spool_dir took nothing: its disk is full, gone or read-only; until then memory is all there is"
            counts["spool_unwritable"] = (self.queue.unwritable, detail)
        for kind, (counted, detail) in counts.items():
            total = int(counted)
            if total > self._told.get(kind, 0):
                self.diagnostics.note(kind, detail, total - self._told.get(kind, 0))
                self._told[kind] = total

    def _settled(self, settled: Settled, attempted: Attempted) -> None:
        self.ledger.add("requests", 0 if attempted.verdict is Verdict.UNREACHABLE else 1)
        self.ledger.add("retries", 1 if attempted.number > 1 else 0)
        self.ledger.add("delivered", _records(settled.delivered))
        self.ledger.add("refused", _records(settled.refused))
        if self.witness is not None:
            for item in settled.refused:
                said = f"the receiver answered {attempted.answer}"
                self.witness(Refusal("refused", said, item.source, item.records))
        self.ledger.drop("expired", _records(settled.expired))
        ended = chain(settled.delivered, settled.refused, settled.expired)
        self._confirm(ident for item in ended for ident in item.idents)
        if self._is_held_up and not self.primary.is_full:
            self._is_held_up = False
            self.queue.ring()

    def _mirrored(self, settled: Settled, _attempted: Attempted) -> None:
        self.ledger.add("mirrored", len(settled.delivered))

    def _trouble(self, trouble: Trouble) -> None:
        self.diagnostics.note(trouble.kind, trouble.detail, trouble.records)
        self.queue.ring()


def _records(items: Iterable[Item]) -> int:
    return sum([item.records for item in items])


def _for_mirror(request: Request) -> list[Request]:
    """What the mirror gets of a request: AI events as final partials, one each, the rest as it is."""
    shown = tuple(item for item in request.items if item.ai)
    others = tuple(item for item in request.items if not item.ai)
    partials = [request_of(Lane.PARTIALS, (as_final_partial(item),)) for item in shown]
    return [request_of(request.lane, others), *partials] if others else partials
