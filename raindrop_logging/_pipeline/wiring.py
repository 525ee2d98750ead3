"""The only file that knows the order of the stages: builds a pipeline, runs records along it, ends it.

In: Settings; Snapshots from the handler
Out: requests at the senders; Stats, FlushResult
Touches: the life of the stages' threads
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from raindrop_logging._pipeline.assembler import Assembler
from raindrop_logging._pipeline.batcher import Batcher, Limits
from raindrop_logging._pipeline.bounded_queue import BoundedQueue
from raindrop_logging._pipeline.encoder import Encoder, Stamp, as_final_partial, constants
from raindrop_logging._pipeline.entries import Item, Refusal, Request, Snapshot, Told
from raindrop_logging._pipeline.listener import Listener
from raindrop_logging._pipeline.otlp import SpanEncoder
from raindrop_logging._pipeline.outbox import Outbox, Patience, Settled, Verdict
from raindrop_logging._pipeline.router import Router
from raindrop_logging._pipeline.sender import Attempted, Receiver, Sender, Trouble
from raindrop_logging._pipeline.stats import Diagnostics, FlushResult, Ledger, Stats
from raindrop_logging.deployment import Commit, Deployment
from raindrop_logging.identifiers import mint_bits
from raindrop_logging.settings import Settings
from raindrop_logging.version import __version__
from raindrop_logging.wire import Lane

if TYPE_CHECKING:
    import httpx

MAX_SENDER_BYTES = 8 * 1024 * 1024
MAX_SENDER_REQUESTS = 256
"""What the sender may hold before the listener leaves the rest in the queue, where `when_full` rules."""

_LISTENER_SECONDS = 0.5
"""How long a shutdown waits for the listener to put down what it is holding."""

MIRROR_TIMEOUT = 2.0
MAX_MIRROR_REQUESTS = 1_000
"""The mirror is best effort: one attempt each, and while this many wait, or MAX_SENDER_BYTES, it gets nothing."""


class Pipeline:
    """One road from capture to the receivers, shared by the handlers with equal settings (`users`).

    Args:
        settings: checked keys.
        transport: an httpx transport for the receiver, instead of the network.
        clock: seconds, monotonic.
        random: numbers in [0, 1) for the jitter.
        environ: the process's environment, for the workspace properties and the application's commit.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self._transport = transport
        self._clock = clock
        self._random = random or Random().random  # noqa: S311 -- jitter, not a secret
        self._environ = os.environ if environ is None else environ
        self._deployment = _deployment(settings, self._environ)  # a child of fork keeps what it has found
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()
        self._build()

    def _build(self) -> None:
        """Join the stages in the order that a record meets them; called again in a child of fork."""
        settings = self.settings
        self.pid = os.getpid()
        self.number = mint_bits(64)  # of this pipeline in this process, for the stamp on records it has captured
        self.ledger = Ledger()
        self.diagnostics = Diagnostics(self._clock)
        self.queue = BoundedQueue(
            max_size=settings.max_queue_size,
            max_bytes=settings.max_queue_bytes,
            when_full=settings.when_full,
            block_timeout=settings.block_timeout,
            overflowed=self.ledger.overflowed,
            wake_size=min(settings.upload_size, max(1, settings.max_queue_size // 2)),
            wake_bytes=min(settings.upload_bytes, settings.max_queue_bytes // 2),
        )
        self._router = Router(dict(settings.defaults))
        self._encoder = _encoder(settings, self._environ, self._deployment)
        self._listener = Listener(self.queue, self, clock=self._clock, look_every=_shortest_interval(settings))
        self._overflow_told = 0
        self._build_what_holds_records()

    def _build_what_holds_records(self) -> None:
        """The stages behind the queue that hold records; built anew when a shutdown has emptied them."""
        settings = self.settings
        self._assembler = Assembler(
            interval=settings.partial_flush_interval,
            ttl=settings.interaction_ttl,
            max_open=settings.max_open_interactions,
        )
        self._batcher = Batcher(_limits(settings))
        self._primary = self._sender(_primary(settings), _patience(settings))
        mirrored = settings.workshop if settings.write_key else None
        self._mirror = None if mirrored is None else self._mirror_sender(mirrored)

    # ---- for the handler

    @property
    def silence(self) -> str | None:
        """Why records go nowhere, as the reason that counts them; None where they are sent."""
        settings = self.settings
        if not settings.enabled or settings.mode == "off":
            return "off"
        return None if settings.write_key or settings.workshop else "no_destination"

    @property
    def is_running(self) -> bool:
        """Whether it has a thread, or something for one to do."""
        return self._listener.is_alive or self.stats().waiting > 0

    def put(self, snapshot: Snapshot) -> None:
        """Take a snapshot on the caller's thread."""
        self.queue.put(snapshot)
        if not self._listener.is_alive:
            self._listener.start()

    def after_fork(self) -> None:
        """Start anew in a child: an empty queue, new locks and threads, a new client; the parent owns the rest."""
        self._build()

    def kick(self) -> None:
        """Have everything that was logged before now on its way, without waiting for it."""
        if self.stats().waiting:
            self._push(0.0)

    def flush(self, timeout: float, *, last_try: bool = False) -> FlushResult:
        """Send everything logged before now; see `RaindropHandler.flush`. ``last_try`` ends pauses between retries."""
        deadline = self._clock() + timeout
        before = self.stats()
        done = True
        if before.waiting or self._listener.is_alive:  # else there is nothing a thread would have to be started for
            done = self._push(timeout) and self._sent(deadline, last_try=last_try)
        self.diagnostics.tell()
        after = self.stats()
        return FlushResult(sent=after.delivered - before.delivered, left=after.waiting, timed_out=not done)

    def _push(self, timeout: float) -> bool:
        """Have the listener hand over what it has; where no thread can start any more, this one does its work."""
        _waits_for_no_program.here = True
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
            self._mirror.wait(min(deadline, self._clock() + MIRROR_TIMEOUT))
        return done

    def shutdown(self, timeout: float, *, final: bool = False) -> FlushResult:
        """Send what can be sent in time, end the threads, count and tell what is lost.

        Records that others log meanwhile are no part of it: they keep the threads going, or start them anew; only at
        the ``final`` end of the process they have to be in time as well.
        """
        deadline = self._clock() + timeout
        result = self.flush(timeout, last_try=True)
        while final and result.left and not result.timed_out:
            result = self.flush(deadline - self._clock(), last_try=True)
        self._listener.stop(timeout=_LISTENER_SECONDS)
        with self._listener.driving:
            newer = not final and not result.timed_out and self.stats().waiting > 0
            lost = 0 if newer else self._discarded(with_queue=final)
        if lost:
            self.ledger.drop("exit", lost)
            self.diagnostics.note("lost at exit", "the receiver did not take them within shutdown_timeout", lost)
        self.diagnostics.tell(last_chance=True)
        if newer or len(self.queue):
            self._listener.start()
        elif not self.users:
            _forget(self)
        return FlushResult(sent=result.sent, left=lost + len(self.queue), timed_out=result.timed_out)

    def _discarded(self, *, with_queue: bool) -> int:
        """End the senders and empty the stages; the records that are lost by it."""
        lost = self._primary.stop() + self._assembler.records + self._batcher.records
        lost += self._emptied() if with_queue else 0
        if self._mirror is not None:
            self._mirror.stop()
        self._build_what_holds_records()
        return lost

    def _emptied(self) -> int:
        taken = 0
        while self.queue.take() is not None:
            taken += 1
        return taken

    def retire(self) -> None:
        """End the threads of a pipeline that no handler uses any more and that has nothing left to send."""
        self._listener.stop(timeout=0.0)
        self._primary.stop()
        if self._mirror is not None:
            self._mirror.stop()

    def stats(self) -> Stats:
        """All figures now; see `Stats`."""
        waiting = len(self.queue) + self._assembler.records + self._batcher.records + self._primary.records
        return self.ledger.stats(
            waiting=waiting, open_interactions=len(self._assembler), unheard_reason=self.silence or "off"
        )

    # ---- the road; driven by the listener

    def accept(self, snapshot: Snapshot, now: float) -> None:
        """Carry one snapshot as far as it goes."""
        entry = self._router.route(snapshot)
        if isinstance(entry, Refusal):
            self._refused(entry)
            ready = [] if entry.ends is None else self._assembler.end(entry.ends)
        else:
            ready = self._assembler.feed(entry, now)
        for told in ready:
            self._send(told, now)

    def tick(self, now: float) -> float | None:
        """Do what is due; when there is work next."""
        if not self.users and not self.stats().waiting:
            _forget(self)
        for told in self._assembler.tick(now, behind=self.is_behind()):
            self._send(told, now)
        for request in self._batcher.tick(now):
            self._submit(request)
        self._note_overflow()
        self.diagnostics.tell()
        times = (self._assembler.next_due(), self._batcher.next_due(), self.diagnostics.next_due())
        return min((at for at in times if at is not None), default=None)

    def push(self, now: float) -> None:
        """Carry everything that waits on this side to the sender."""
        for told in self._assembler.drain():
            self._send(told, now)
        for request in self._batcher.drain():
            self._submit(request)

    def failed(self, snapshot: Snapshot | None, error: Exception) -> None:
        """Count a snapshot that broke a stage, and say so."""
        self.ledger.drop("internal", 0 if snapshot is None else 1)
        where = "" if snapshot is None else f" on a record of {snapshot.source}"
        said = f"{type(error).__name__}: {error}" if self.settings.debug else type(error).__name__
        self.diagnostics.note("internal", f"{said}{where}; please report it")

    def is_behind(self) -> bool:
        """Whether the sender has all it can hold."""
        return self._primary.nbytes >= MAX_SENDER_BYTES or self._primary.requests >= MAX_SENDER_REQUESTS

    def _send(self, told: Told, now: float) -> None:
        item = self._encoder.encode(told)
        if isinstance(item, Refusal):
            self._refused(item)
            return
        self.ledger.add("truncated", item.truncated)
        if item.ai and self.settings.write_key is None:
            item = as_final_partial(item)
        for request in self._batcher.add(item, now):
            self._submit(request)

    def _submit(self, request: Request) -> None:
        mirror = self._mirror
        if mirror is not None and mirror.requests < MAX_MIRROR_REQUESTS and mirror.nbytes < MAX_SENDER_BYTES:
            for mirrored in _for_mirror(request):
                mirror.submit(mirrored)
        self._primary.submit(request)
        if request.lane is Lane.TRACES:
            lost = self._primary.trim(Lane.TRACES, self.settings.trace_queue_size)
            if lost:
                self.ledger.drop("trace_queue_full", lost)
                self.diagnostics.note("trace_queue_full", "more spans wait than trace_queue_size allows", lost)

    # ---- accounts

    def _refused(self, refusal: Refusal) -> None:
        self.ledger.drop(refusal.reason, refusal.records)
        if refusal.reason == "tracing_off":  # as the user asked
            return
        where = str(refusal.source) if self.settings.debug else f"logger '{refusal.source.logger}'"
        self.diagnostics.note(refusal.reason, f"{refusal.detail} ({where})", refusal.records)

    def _note_overflow(self) -> None:
        total = int(self.ledger.overflowed)
        if total > self._overflow_told:
            detail = f"more is logged than leaves, when_full is {self.settings.when_full}"
            self.diagnostics.note("queue_full", detail, total - self._overflow_told)
            self._overflow_told = total

    def _settled(self, settled: Settled, attempted: Attempted) -> None:
        self.ledger.add("requests", 0 if attempted.verdict is Verdict.UNREACHABLE else 1)
        self.ledger.add("retries", 1 if attempted.number > 1 else 0)
        self.ledger.add("delivered", _records(settled.delivered))
        self.ledger.add("refused", _records(settled.refused))
        self.ledger.drop("expired", _records(settled.expired))

    def _mirrored(self, settled: Settled, _attempted: Attempted) -> None:
        self.ledger.add("mirrored", len(settled.delivered))

    def _trouble(self, trouble: Trouble) -> None:
        self.diagnostics.note(trouble.kind, trouble.detail, trouble.records)
        self.queue.ring()

    def _mirror_trouble(self, _trouble: Trouble) -> None:
        """The mirror is best effort: what it does not take is seen in `Stats.mirrored` alone."""

    # ---- senders

    def _sender(self, receiver: Receiver, patience: Patience) -> Sender:
        return Sender(
            receiver,
            Outbox(patience, self._random),
            clock=self._clock,
            settled=self._settled,
            trouble=self._trouble,
            transport=self._transport,
        )

    def _mirror_sender(self, endpoint: str) -> Sender:
        return Sender(
            _receiver(self.settings, "workshop", endpoint, keyed=False, timeout=MIRROR_TIMEOUT),
            Outbox(Patience(0.0, 0.001, 0.001, 0.0, 1, keeps=False), self._random),
            clock=self._clock,
            settled=self._mirrored,
            trouble=self._mirror_trouble,
        )


# ---- all pipelines of the process ----------------------------------------------------------------------------------

_waits_for_no_program = threading.local()
"""Marks a thread that came with a flush or a shutdown, the only way for a caller's thread to encode anything: it may
do the listener's work at the end of the process, but git is never run on it."""

_Key = tuple[Settings, Any]
_pipelines: dict[_Key, Pipeline] = {}
_pipelines_lock = threading.Lock()  # taken when handlers are set up and pipelines end, never by a log call


def pipeline_for(user: object, settings: Settings, transport: httpx.BaseTransport | None) -> Pipeline:
    """The pipeline of a handler: handlers with equal settings share one, however often logging is configured."""
    key = (settings, transport)
    with _pipelines_lock:
        for unused in [key for key, found in _pipelines.items() if not found.users and not found.is_running]:
            del _pipelines[
                unused
            ]  # one that runs ends itself when it is at rest: its listener may have a record in hand
        pipeline = _pipelines.get(key)
        if pipeline is None:
            pipeline = _pipelines[key] = Pipeline(settings, transport=transport)
        pipeline.users.add(user)
    return pipeline


def pipelines() -> list[Pipeline]:
    """Every pipeline of the process: those in use, and those that still have something to send."""
    return list(_pipelines.values())


def _forget(pipeline: Pipeline) -> None:
    with _pipelines_lock:
        if pipeline.users:
            return
        for key in [key for key, value in _pipelines.items() if value is pipeline]:
            del _pipelines[key]
    pipeline.retire()


def _after_fork_in_child() -> None:
    global _pipelines_lock  # noqa: PLW0603 -- the one held by a thread of the parent would never be released
    _pipelines_lock = threading.Lock()
    for pipeline in pipelines():
        pipeline.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)


def _records(items: tuple[Item, ...]) -> int:
    return sum(item.records for item in items)


def _for_mirror(request: Request) -> list[Request]:
    """What the mirror gets of a request: AI events as final partials, one each, the rest as it is."""
    shown = tuple(item for item in request.items if item.ai)
    others = tuple(item for item in request.items if not item.ai)
    partials = [Request(Lane.PARTIALS, (as_final_partial(item),)) for item in shown]
    return [Request(request.lane, others), *partials] if others else partials


def _limits(settings: Settings) -> dict[Lane, Limits]:
    uploads = Limits(settings.upload_size, settings.upload_bytes, settings.upload_interval)
    traces = Limits(settings.trace_batch_size, settings.upload_bytes, settings.trace_flush_interval)
    return {Lane.EVENTS: uploads, Lane.SIGNALS: uploads, Lane.TRACES: traces}


def _shortest_interval(settings: Settings) -> float:
    intervals = (settings.upload_interval, settings.partial_flush_interval, settings.trace_flush_interval)
    return min((seconds for seconds in intervals if seconds), default=1.0)


def _patience(settings: Settings) -> Patience:
    return Patience(
        settings.retry_budget, settings.base_delay, settings.max_delay, settings.jitter, settings.max_attempts
    )


def _primary(settings: Settings) -> Receiver:
    if settings.write_key is None and settings.workshop is not None:
        return _receiver(settings, "workshop", settings.workshop, keyed=False, timeout=settings.timeout)
    return _receiver(settings, "cloud", settings.endpoint, keyed=True, timeout=settings.timeout)


def _receiver(settings: Settings, name: str, endpoint: str, *, keyed: bool, timeout: float) -> Receiver:
    return Receiver(
        name=name,
        endpoint=endpoint,
        write_key=settings.write_key if keyed else None,
        project_id=settings.project_id,
        timeout=timeout,
        proxy=settings.proxy,
        verify=settings.verify,
        user_agent=f"raindrop-logging/{__version__}",
        quotes_answers=settings.debug,
    )


def _deployment(settings: Settings, environ: Mapping[str, str]) -> Deployment:
    return Deployment(
        named=Commit(settings.commit_sha, settings.commit_dirty, settings.branch),
        source_directory=settings.git_source_directory,
        auto_detect=settings.git_auto_detect,
        with_branch=settings.git_branch,
        environ=environ,
        may_ask=lambda: not hasattr(_waits_for_no_program, "here"),
    )


def _encoder(settings: Settings, environ: Mapping[str, str], stamp: Stamp) -> Encoder:
    encode_span = None
    if settings.tracing:
        encode_span = SpanEncoder(
            service_name=settings.service_name,
            service_version=settings.service_version or __version__,
            library_version=__version__,
            project_id=settings.project_id,
            stamp=stamp,
        )
    said = constants(version=__version__, wizard_session=settings.wizard_session, workspace=_workspace(environ))
    return Encoder(constants=said, max_text_chars=settings.max_text_chars, encode_span=encode_span, stamp=stamp)


def _workspace(environ: Mapping[str, str]) -> dict[str, str] | None:
    """``properties.workspace``: all three variables or nothing (wire contract, ``$context`` block)."""
    names = {"id": "RAINDROP_WORKSPACE_ID", "name": "RAINDROP_WORKSPACE_NAME", "root": "RAINDROP_WORKSPACE_ROOT"}
    found = {key: environ.get(variable, "") for key, variable in names.items()}
    return found if all(found.values()) else None
