"""The only file that knows the order of the stages: runs records along a pipeline, and ends it.

In: Settings; Snapshots from the handler
Out: requests at the senders; Stats, FlushResult
Touches: the life of the stages' threads
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain
from random import Random
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from raindrop_logging._pipeline import parts
from raindrop_logging._pipeline.backlog import LOGGED, Backlog, Portion
from raindrop_logging._pipeline.encoder import as_final_partial
from raindrop_logging._pipeline.entries import Item, Refusal, Request, Snapshot, Source, Told
from raindrop_logging._pipeline.journal import Journal
from raindrop_logging._pipeline.listener import Listener
from raindrop_logging._pipeline.outbox import Outbox, Settled, Verdict
from raindrop_logging._pipeline.redact import redacted
from raindrop_logging._pipeline.sender import Attempted, Receiver, Sender, Trouble
from raindrop_logging._pipeline.stats import Diagnostics, FlushResult, Ledger, Stats
from raindrop_logging.errors import SettingsError
from raindrop_logging.identifiers import mint_bits, reseed
from raindrop_logging.settings import Settings
from raindrop_logging.wire import Lane

if TYPE_CHECKING:
    import httpx

    from raindrop_logging.redaction import Redactor

_LISTENER_SECONDS = 0.5
"""How long a shutdown waits for the listener to put down what it is holding."""

_DISK_SECONDS = 1.0

_TELL_SECONDS = 0.25
"""How long a flush or a shutdown waits until the operator was told."""


class Pipeline:
    """One road from capture to the receivers, shared by the handlers with equal settings (`users`).

    Args:
        settings: checked keys.
        transport: an httpx transport for the receiver, instead of the network.
        clock: seconds, monotonic.
        random: numbers in [0, 1) for the jitter.
        environ: the process's environment, for the workspace properties and the application's commit.
        forget: told when the pipeline is at rest and nobody uses it.
        started: told whenever its listener starts.

    Raises:
        SettingsError: what the settings name cannot work on this machine.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] | None = None,
        environ: Mapping[str, str] | None = None,
        forget: Callable[[Pipeline], None] = lambda _: None,
        started: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self._transport = transport
        self._clock = clock
        self._random = random or Random().random  # noqa: S311 -- jitter, not a secret
        self._environ = os.environ if environ is None else environ
        self._forget = forget
        self._started = started
        self.silence: Final = _silence(settings)
        """Why records go nowhere, as the reason that counts them; None where they are sent."""
        # A child of fork keeps what these have found and imported.
        self._deployment = parts.deployment(settings, self._environ, _may_wait_for_git)
        self._redactor = parts.redactor(settings)
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()
        self.witness: Callable[[Refusal], None] | None = None
        """Told of each refusal, instead of the operator; on a thread of ours."""
        self._settling = threading.Lock()
        self._build()

    def _build(self) -> None:
        """Join the stages in the order that a record meets them; called again in a child of fork."""
        settings = self.settings
        self.number = mint_bits(64)  # of this pipeline in this process, for the stamp on records it has captured
        self.ledger = Ledger()
        self.diagnostics = Diagnostics(self._clock)
        self._spool = None if self.silence else parts.spool(settings)
        self._backlog = None if self._spool is None else Backlog(self._spool, lambda: mint_bits(128))
        logged = None if self._spool is None else self._spool.stream(LOGGED)
        self.queue = parts.queue(settings, self.ledger, logged, self._damaged)
        self._router = parts.router(settings, self._redactor)
        self._encoder = parts.encoder(settings, self._environ, self._deployment)
        self._listener = Listener(self.queue, self, clock=self._clock, look_every=parts.shortest_interval(settings))
        self._told: dict[str, int] = {}
        self._portions = 0
        self._inline = settings.mode == "sync"
        self._delivering = threading.Lock()  # of `sync` mode
        self._working = threading.local()  # whether this thread is in here, with locks of the stages perhaps
        self._ends_at: float | None = None
        self._assembler = parts.assembler(settings)
        self._build_senders()
        self.pid = os.getpid()
        self.queue.attend = self._attend
        self.queue.attended(by_listener=False)
        self.accepted = self.ledger.accepted.one
        self.put: Callable[[Snapshot], None] = self.queue.put
        if self._redactor is not None and self._spool is not None:  # what may reach the disk is redacted before
            self.put = partial(self._put_redacted, self._redactor)

    def _build_senders(self, held: Iterable[Request] = ()) -> None:
        """The stages that hold what is encoded; built anew when a shutdown has ended them."""
        settings = self.settings
        self._batcher = parts.batcher(settings)
        outbox = Outbox(parts.patience(settings), self._random)
        for request in held:
            outbox.add(request)
        self._primary = Sender(
            parts.primary(settings),
            outbox,
            clock=self._clock,
            settled=self._settled,
            trouble=self._trouble,
            transport=self._transport,
            inline=self._inline,
        )
        mirror = parts.mirror(settings)
        self._mirror = None if mirror is None else self._mirror_sender(mirror)

    def _mirror_sender(self, receiver: Receiver) -> Sender:
        return Sender(
            receiver,
            Outbox(parts.MIRROR_PATIENCE, self._random),
            clock=self._clock,
            settled=self._mirrored,
            trouble=lambda _: None,  # what the mirror does not take is seen in `Stats.mirrored` alone
        )

    # ---- for the handler

    @property
    def is_running(self) -> bool:
        """Whether it has a thread, or something for one to do."""
        return self._listener.is_alive or self.stats().waiting > 0

    def look_back(self) -> None:
        """Start with what earlier processes have left, if there is any."""
        if self._has_backlog and not self._inline:
            self._start()

    def _put_redacted(self, redactor: Redactor, snapshot: Snapshot) -> None:
        self.queue.put(redacted(snapshot, redactor))

    def _attend(self) -> None:
        """See to it that somebody takes what the caller has put: the listener, or in `sync` mode and at the end of the
        process the caller."""
        if self._inline:
            self._started()
            self._deliver()
        elif not self._listener.is_alive:
            self._start()

    def _start(self) -> None:
        self._started()
        self._listener.start()

    def _deliver(self) -> None:
        """Carry what waits to the receiver on the calling thread. What a signal handler or a finalizer logs while this
        thread is in here is taken along further out; what others log, by whoever delivers now or by a later call."""
        deadline = self._clock() + self.settings.shutdown_timeout if self._ends_at is None else self._ends_at
        while not hasattr(self._working, "here") and _has_frames(_DELIVERY_FRAMES):
            with self._at_work():
                if not self._delivering.acquire(timeout=max(deadline - self._clock(), 0.0)):
                    return
                try:
                    self._deliver_all(deadline)
                finally:
                    self._delivering.release()
            if not self._has_more_until(deadline):
                return

    def _deliver_all(self, deadline: float) -> None:
        while True:
            self._listener.drive()
            self._primary.work_inline(deadline, patient=False)
            if not self._has_more_until(deadline):
                break
        if self._ends_at is not None:
            with self._listener.driven() as driving:
                if driving:
                    self._end_senders(final=True)
        self.diagnostics.tell()

    def _has_more_until(self, deadline: float) -> bool:
        return len(self.queue) > 0 and not self.is_behind() and self._clock() < deadline

    @contextmanager
    def _at_work(self) -> Generator[None]:
        """Say that this thread is in here; where it was already, that goes on to be so."""
        working = self._working  # a child that is forked in here has another one
        if hasattr(working, "here"):
            yield
            return
        working.here = True
        try:
            yield
        finally:
            del working.here

    def settle_in(self) -> None:
        """Start anew if this is a child of a fork that ran no hooks, such as uWSGI's."""
        if self.pid != os.getpid():
            with self._settling:
                if self.pid != os.getpid():
                    reseed()
                    self.after_fork()

    def after_fork(self) -> None:
        """Start anew in a child: an empty queue, new locks and threads, a new client; the parent owns the rest."""
        try:
            self._build()
        except SettingsError as error:  # what was fine at set-up is not any more
            self.settings = replace(self.settings, durability="memory")
            self._build()
            self.diagnostics.note("spool_unwritable", f"{error}; records wait in memory", 0)

    def kick(self) -> None:
        """Have everything that was logged before now on its way, without waiting for it."""
        self.settle_in()
        if self.stats().waiting and not self._inline:
            self._push(0.0)

    def flush(self, timeout: float) -> FlushResult:
        """Send everything logged before now; see `RaindropHandler.flush`."""
        self.settle_in()
        if self._is_interrupted:
            return self._later()
        with self._at_work():
            result = self._flush(timeout)
        self._deliver_what_came_between()
        return result

    @property
    def _is_interrupted(self) -> bool:
        """Whether this thread was delivering when a signal handler or a finalizer came in between."""
        return self._inline and hasattr(self._working, "here")

    def _later(self) -> FlushResult:
        """What is said to one who came in between: it is sent once this thread goes on."""
        return FlushResult(sent=0, left=self.stats().waiting, timed_out=True)

    def _deliver_what_came_between(self) -> None:
        """Where nobody else will: what a signal handler or a finalizer has logged on this thread meanwhile."""
        at_the_end = self._ends_at is not None  # which leaves on disk what is there
        left = self.queue.in_memory if at_the_end else len(self.queue)
        if self._inline and left:
            self._deliver()

    def _flush(self, timeout: float, *, last_try: bool = False) -> FlushResult:
        """As `flush`; ``last_try`` ends pauses between retries."""
        deadline = self._clock() + timeout
        if self._ends_at is not None:  # logging's own end of the process flushes and closes every handler once more
            deadline = min(deadline, self._ends_at)
        before = self.stats()
        done = True
        # Else there is nothing a thread would have to be started for.
        if before.waiting or self._listener.is_alive or self._has_backlog:
            done = self._empty(deadline, last_try=last_try)
        self.diagnostics.tell(wait=_TELL_SECONDS if timeout else 0.0)
        after = self.stats()
        return FlushResult(sent=after.delivered - before.delivered, left=after.waiting, timed_out=not done)

    @property
    def _has_backlog(self) -> bool:
        return self._backlog is not None and self._backlog.has_more

    def _empty(self, deadline: float, *, last_try: bool) -> bool:
        """Carry on until all is sent that waits now, what is on disk included, of which only so much is in memory."""
        mark, before = self.queue.mark(), _NOTHING_READ
        while True:
            is_past = self.queue.is_past(mark)  # what was taken before the push is with the sender after it
            if not (self._push(deadline - self._clock()) and self._sent(deadline, last_try=last_try)):
                return False
            now = self._read_so_far()
            if self._clock() >= deadline:
                return False
            if is_past and (now == before or (not now.more and now.portions == before.portions)):
                return True
            before = now

    def _read_so_far(self) -> _ReadSoFar:
        """How far the disk is read, between two portions."""
        with self._listener.driven(_LISTENER_SECONDS):
            return _ReadSoFar(self._portions, self.stats().requests, self._has_backlog)

    def _push(self, timeout: float) -> bool:
        """Have the listener hand over what it has; where no thread can start any more, this one does its work."""
        _waits_for_no_program.here = True
        if self._inline:
            return self._listener.drain_inline(max(timeout, 0.0))
        return self._listener.push(timeout)

    def _sent(self, deadline: float, *, last_try: bool) -> bool:
        """Wait for the sender; a last try ends the pause that is running, and half-way the one asked for meanwhile."""
        done = False
        for until in ((self._clock() + deadline) / 2, deadline) if last_try else (deadline,):
            if last_try:
                self._primary.hurry()
            if not self._primary.has_threads and self._primary.requests:
                self._primary.work_inline(until)
            done = self._primary.wait(until)
            if done:
                break
        if self._mirror is not None and done:
            self._mirror.wait(min(deadline, self._clock() + parts.MIRROR_TIMEOUT))
        return done

    def shutdown(self, timeout: float, *, final: bool = False) -> FlushResult:
        """Send what can be sent in time, end the threads, keep on disk or count and tell what is left.

        Records that others log meanwhile are no part of it: they keep the threads going, or start them anew; only at
        the ``final`` end of the process they have to be in time as well.
        """
        self.settle_in()
        if self._is_interrupted:
            return self._later()
        with self._at_work():
            result = self._shut_down(timeout, final=final)
        self._deliver_what_came_between()
        return result

    def _shut_down(self, timeout: float, *, final: bool) -> FlushResult:
        deadline = self._clock() + timeout - self._seconds_for_the_disk(timeout)
        result = self._flush(deadline - self._clock(), last_try=True)
        while final and result.left and not result.timed_out and self._clock() < deadline:
            result = self._flush(deadline - self._clock(), last_try=True)
        self._listener.stop(timeout=_LISTENER_SECONDS)
        self._inline = self._inline or final  # the senders that are built next have no threads
        newer = not final and not result.timed_out and self.stats().waiting > 0
        lost = 0 if newer else self._put_down(final=final)
        self._tell_the_end(lost, kept=0 if newer or self._spool is None else self.stats().waiting)
        if newer or (not final and self.queue.in_memory):
            if not self._inline:
                self._listener.start()
        elif not self.users:
            self._forget(self)
        left = self.stats().waiting
        if final:
            self._ends_at = deadline
            if self._spool is not None and not left:
                self._spool.close()
        return FlushResult(sent=result.sent, left=left + lost, timed_out=result.timed_out)

    def _seconds_for_the_disk(self, timeout: float) -> float:
        """What of a shutdown's time is left to write down what the receiver has not taken."""
        return 0.0 if self._spool is None else min(timeout / 4, _DISK_SECONDS)

    def _put_down(self, *, final: bool) -> int:
        """Have nothing on its way any more; the records that are lost by it."""
        if final or self._spool is not None:
            self._listener.drain_inline(_LISTENER_SECONDS)
        with self._listener.driven(_LISTENER_SECONDS) as driving:
            return self._end_senders(final=final) if driving else 0

    def _end_senders(self, *, final: bool) -> int:
        """End the senders, and put what they hold onto the disk if there is one; the records that are lost."""
        if self._spool is not None:
            self.push(self._clock())
        left = self._primary.stop()
        if self._mirror is not None:
            self._mirror.stop()
        if isinstance(self.queue, Journal) and self.settings.durability == "journal" and not self.queue.unkept:
            self._build_senders(held=left)  # every record of it is on disk
            return 0
        lost = self._kept_or_lost(item for request in (*left, *self._batcher.drain()) for item in request.items)
        if self._spool is None:
            lost += self._assembler.records + (self._emptied() if final else 0)
            self._assembler = parts.assembler(self.settings)
        self._build_senders()
        self.ledger.drop("exit", lost)
        return lost

    def _kept_or_lost(self, items: Iterable[Item]) -> int:
        """Put items onto the disk; the records that are lost, since there is none or it takes no more."""
        lost = 0
        kept: list[int] = []
        for item in items:
            if self._backlog is not None and self._backlog.keep(item):
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

    def _tell_the_end(self, lost: int, *, kept: int) -> None:
        if lost:
            self.diagnostics.note("lost at exit", "the receiver did not take them within shutdown_timeout", lost)
        if kept:
            self.diagnostics.note("kept", "in spool_dir, for the next process to send", kept)
        self.diagnostics.tell(last_chance=True, wait=_TELL_SECONDS)

    def retire(self) -> None:
        """End the threads of a pipeline that no handler uses any more and that has nothing left to send."""
        self._listener.stop(timeout=0.0)
        self._primary.stop()
        if self._mirror is not None:
            self._mirror.stop()
        if self._spool is not None:
            self._spool.close()

    def stats(self) -> Stats:
        """All figures now; see `Stats`."""
        self.settle_in()
        waiting = len(self.queue) + self._assembler.records + self._batcher.records + self._primary.records
        if self._backlog is not None:
            waiting += self._backlog.records
        return self.ledger.stats(
            waiting=waiting, open_interactions=len(self._assembler), unheard_reason=self.silence or "off"
        )

    # ---- the road; driven by the listener

    def accept(self, snapshot: Snapshot, now: float, *, replayed: bool = False) -> None:
        """Carry one snapshot as far as it goes; ``replayed`` where an earlier process left it, redacted or not."""
        if self._redactor is not None and (replayed or self._spool is None):
            snapshot = redacted(snapshot, self._redactor)
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
        if not self.users and not self.stats().waiting:
            self._forget(self)
        if not self.is_behind():
            self._replay(now)
        for told in self._assembler.tick(now, behind=self._primary.is_busy):
            self._send(told, now)
        for request in self._batcher.drain() if self._inline else self._batcher.tick(now):
            self._submit(request)
        self._primary.wake()
        self._note_counts()
        self.diagnostics.tell()
        times = [self._assembler.next_due(), self._batcher.next_due(), self.diagnostics.next_due()]
        if self._backlog is not None:
            times.append(self._backlog.next_due(now))
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
        where = "" if source is None else f" on a record of {source}"
        said = f"{type(error).__name__}: {error}" if self.settings.debug else type(error).__name__
        self.diagnostics.note("internal", f"{said}{where}; please report it", records)

    def is_behind(self) -> bool:
        """Whether the sender has all it can hold."""
        return self._primary.is_full

    def _send(self, told: Told, now: float) -> None:
        try:
            item = self._encoder.encode(told)
        except Exception as error:  # noqa: BLE001 -- a fault of ours costs what it struck, and not what comes with it
            self._broke(error, told.records, told.idents, told.source)
            return
        if isinstance(item, Refusal):
            self._refused(item, told.idents)
            return
        if item.truncated:
            self.ledger.add("truncated", item.truncated)
        if item.ai and self.settings.write_key is None:
            item = as_final_partial(item)
        self._batch(item, now)

    def _batch(self, item: Item, now: float) -> None:
        for request in self._batcher.add(item, now):
            self._submit(request)

    def _submit(self, request: Request) -> None:
        if self._mirror is not None and not self._mirror.is_busy:
            for mirrored in _for_mirror(request):
                self._mirror.submit(mirrored)
        lane = request.lane
        crowded = self._primary.is_crowded(lane)
        if self._backlog is not None and (crowded or self._backlog.is_ahead(lane)):
            self.ledger.drop("spool_full", self._kept_or_lost(request.items))
            return
        self._primary.submit(request)
        if self._backlog is None:
            self._trim(lane, "trace_queue_full", self.settings.trace_queue_size if lane is Lane.TRACES else None)
            self._trim(lane, "route_down", self._primary.items_waiting(lane) - len(request.items) if crowded else None)

    def _trim(self, lane: Lane, reason: str, most: int | None) -> None:
        """Give up the oldest of a lane that would otherwise be without bound, or in the way of others."""
        lost = 0 if most is None else _records(self._primary.trim(lane, most))
        if lost:
            self.ledger.drop(reason, lost)
            self.diagnostics.note(reason, f"more {lane.value} wait than may, the oldest are given up", lost)

    # ---- what waits on disk

    def _replay(self, now: float) -> None:
        """Carry the next portion of what earlier processes left, as if it were logged now."""
        portion = None if self._backlog is None else self._backlog.read(now, is_down=self._primary.is_crowded)
        if portion is None:
            return
        self._portions += 1
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
            self._primary.submit(request)

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
        if isinstance(self.queue, Journal) and self._backlog is not None and (said := tuple(idents)):
            self.queue.confirm(said)
            self._backlog.confirm(said)

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
        if isinstance(self.queue, Journal) and self._ends_at is None:
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
        self.ledger.drop("expired", _records(settled.expired))
        ended = chain(settled.delivered, settled.refused, settled.expired)
        self._confirm(ident for item in ended for ident in item.idents)

    def _mirrored(self, settled: Settled, _attempted: Attempted) -> None:
        self.ledger.add("mirrored", len(settled.delivered))

    def _trouble(self, trouble: Trouble) -> None:
        self.diagnostics.note(trouble.kind, trouble.detail, trouble.records)
        self.queue.ring()


def _silence(settings: Settings) -> str | None:
    if not settings.enabled or settings.mode == "off":
        return "off"
    return None if settings.write_key or settings.workshop else "no_destination"


class _ReadSoFar(Struct, frozen=True):
    """What a flush looks at: portions read from the disk, requests answered, and whether the disk has more."""

    portions: int
    requests: int
    more: bool


_NOTHING_READ = _ReadSoFar(0, -1, more=True)

_DELIVERY_FRAMES = 300
"""Calls inside of one another that a delivery may take, late imports included. Where the caller has nearly used its
stack up nothing is begun that could break off in the middle."""


def _has_frames(number: int) -> bool:
    try:
        return number == 0 or _has_frames(number - 1)
    except RecursionError:
        return False


_waits_for_no_program = threading.local()
"""Marks a thread that came with a flush or a shutdown, the only way for a caller's thread to encode anything: it may
do the listener's work at the end of the process, but git is never run on it."""


def _may_wait_for_git() -> bool:
    return not hasattr(_waits_for_no_program, "here")


def _records(items: Iterable[Item]) -> int:
    return sum(item.records for item in items)


def _for_mirror(request: Request) -> list[Request]:
    """What the mirror gets of a request: AI events as final partials, one each, the rest as it is."""
    shown = tuple(item for item in request.items if item.ai)
    others = tuple(item for item in request.items if not item.ai)
    partials = [Request(Lane.PARTIALS, (as_final_partial(item),)) for item in shown]
    return [Request(request.lane, others), *partials] if others else partials
