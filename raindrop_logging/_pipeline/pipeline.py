"""One pipeline's life: who works on its road, from the first record to a flush, a fork, a shutdown and the very end.

In: Settings; Snapshots from the handler
Out: Stats, FlushResult
Touches: the life of the stages' threads
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from raindrop_logging._pipeline import parts
from raindrop_logging._pipeline.entries import Refusal, Snapshot
from raindrop_logging._pipeline.listener import Listener
from raindrop_logging._pipeline.redact import redacted
from raindrop_logging._pipeline.stats import FlushResult, Stats
from raindrop_logging._pipeline.wiring import Road, Surroundings
from raindrop_logging.errors import SettingsError
from raindrop_logging.identifiers import mint_bits, reseed
from raindrop_logging.settings import Settings

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
        self.silence: Final = _silence(settings)
        """Why records go nowhere, as the reason that counts them; None where they are sent."""
        self._clock = clock
        self._forget = forget
        self._started = started
        environ = os.environ if environ is None else environ
        self._around = Surroundings(
            transport,
            clock,
            random or Random().random,  # noqa: S311 -- jitter, not a secret
            environ,
            parts.deployment(settings, environ, _may_wait_for_git),
            parts.redactor(settings),
        )
        self.breadcrumbs = None if self.silence else parts.breadcrumbs(settings)
        self._witness: Callable[[Refusal], None] | None = None
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()
        self._settling = threading.Lock()
        self._build()

    def _build(self) -> None:
        """Begin with nothing logged; called again in a child of fork."""
        settings = self.settings
        self.number = mint_bits(64)  # of this pipeline in this process, for the stamp on records it has captured
        road = Road(settings, self._around, is_silent=self.silence is not None, at_tick=self._let_go_if_unused)
        road.witness = self._witness
        self._road = road
        self._listener = Listener(road.queue, road, clock=self._clock, look_every=parts.shortest_interval(settings))
        self._delivering = threading.Lock()  # of `sync` mode
        self._working = threading.local()  # whether this thread is in here, with locks of the stages perhaps
        self._ends_at: float | None = None
        self.pid = os.getpid()
        self.ledger, self.queue, self.diagnostics = road.ledger, road.queue, road.diagnostics
        self.queue.attend = self._attend
        self.queue.attended(by_listener=False)
        self.accepted, self.withdrawn = self.ledger.accepted.one, self.ledger.withdrawn.one
        self.put: Callable[[Snapshot], None] = self.queue.put
        if self._around.redactor is not None and road.spool is not None:  # what may reach the disk is redacted before
            self.put = partial(self._put_redacted, self._around.redactor)

    def _let_go_if_unused(self) -> None:
        if not self.users and not self.stats().waiting:
            self._forget(self)

    @property
    def witness(self) -> Callable[[Refusal], None] | None:
        """Told of each refusal instead of the operator, on a thread of ours; None where nobody is."""
        return self._witness

    @witness.setter
    def witness(self, witness: Callable[[Refusal], None] | None) -> None:
        self._witness = self._road.witness = witness

    # ---- for the handler

    @property
    def is_running(self) -> bool:
        """Whether it has a thread, or something for one to do."""
        return self._listener.is_alive or self.stats().waiting > 0

    def look_back(self) -> None:
        """Start with what earlier processes have left, if there is any."""
        if self._has_backlog and not self._road.inline:
            self._start()

    def _put_redacted(self, redactor: Redactor, snapshot: Snapshot) -> None:
        self.queue.put(redacted(snapshot, redactor))

    def _attend(self) -> None:
        """See to it that somebody takes what the caller has put: the listener, or in `sync` mode and at the end of the
        process the caller."""
        if self._road.inline:
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
            self._road.primary.work_inline(deadline, patient=False)
            if not self._has_more_until(deadline):
                break
        if self._ends_at is not None:
            with self._listener.driven() as driving:
                if driving:
                    self._road.end_senders(final=True)
        self.diagnostics.tell()

    def _has_more_until(self, deadline: float) -> bool:
        return len(self.queue) > 0 and not self._road.is_behind() and self._clock() < deadline

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
        if self.stats().waiting and not self._road.inline:
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
        return self._road.inline and hasattr(self._working, "here")

    def _later(self) -> FlushResult:
        """What is said to one who came in between: it is sent once this thread goes on."""
        return FlushResult(sent=0, left=self.stats().waiting, timed_out=True)

    def _deliver_what_came_between(self) -> None:
        """Where nobody else will: what a signal handler or a finalizer has logged on this thread meanwhile."""
        at_the_end = self._ends_at is not None  # which leaves on disk what is there
        left = self.queue.in_memory if at_the_end else len(self.queue)
        if self._road.inline and left:
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
        return self._road.backlog is not None and self._road.backlog.has_more

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
            return _ReadSoFar(self._road.portions, self.stats().requests, self._has_backlog)

    def _push(self, timeout: float) -> bool:
        """Have the listener hand over what it has; where no thread can start any more, this one does its work."""
        _waits_for_no_program.here = True
        if self._road.inline:
            return self._listener.drain_inline(max(timeout, 0.0))
        return self._listener.push(timeout)

    def _sent(self, deadline: float, *, last_try: bool) -> bool:
        """Wait for the sender; a last try ends the pause that is running, and half-way the one asked for meanwhile."""
        done = False
        for until in ((self._clock() + deadline) / 2, deadline) if last_try else (deadline,):
            if last_try:
                self._road.primary.hurry()
            if not self._road.primary.has_threads and self._road.primary.requests:
                self._road.primary.work_inline(until)
            done = self._road.primary.wait(until)
            if done:
                break
        if self._road.mirror is not None and done:
            self._road.mirror.wait(min(deadline, self._clock() + parts.MIRROR_TIMEOUT))
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
        self._road.inline = self._road.inline or final  # the senders that are built next have no threads
        newer = not final and not result.timed_out and self.stats().waiting > 0
        lost = 0 if newer else self._put_down(final=final)
        self._tell_the_end(lost, kept=0 if newer or self._road.spool is None else self.stats().waiting)
        if newer or (not final and self.queue.in_memory):
            if not self._road.inline:
                self._listener.start()
        elif not self.users:
            self._forget(self)
        left = self.stats().waiting
        if final:
            self._ends_at, self._road.is_over = deadline, True
            if self._road.spool is not None and not left:
                self._road.spool.close()
        return FlushResult(sent=result.sent, left=left + lost, timed_out=result.timed_out)

    def _seconds_for_the_disk(self, timeout: float) -> float:
        """What of a shutdown's time is left to write down what the receiver has not taken."""
        return 0.0 if self._road.spool is None else min(timeout / 4, _DISK_SECONDS)

    def _put_down(self, *, final: bool) -> int:
        """Have nothing on its way any more; the records that are lost by it."""
        if final or self._road.spool is not None:
            self._listener.drain_inline(_LISTENER_SECONDS)
        with self._listener.driven(_LISTENER_SECONDS) as driving:
            return self._road.end_senders(final=final) if driving else 0

    def _tell_the_end(self, lost: int, *, kept: int) -> None:
        if lost:
            self.diagnostics.note("lost at exit", "the receiver did not take them within shutdown_timeout", lost)
        if kept:
            self.diagnostics.note("kept", "in spool_dir, for the next process to send", kept)
        self.diagnostics.tell(last_chance=True, wait=_TELL_SECONDS)

    def retire(self) -> None:
        """End the threads of a pipeline that no handler uses any more and that has nothing left to send."""
        self._listener.stop(timeout=0.0)
        self._road.primary.stop()
        if self._road.mirror is not None:
            self._road.mirror.stop()
        if self._road.spool is not None:
            self._road.spool.close()

    def stats(self) -> Stats:
        """All figures now; see `Stats`."""
        self.settle_in()
        return self._road.stats(self.silence or "off")


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
