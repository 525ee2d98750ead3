"""What a signal that ends the process does first: deliver, within `shutdown_timeout`, and then as it was before.

    raindrop_logging.install_signal_handlers()                      SIGTERM, which Python answers with sudden death
    raindrop_logging.install_signal_handlers(signal.SIGTERM, signal.SIGHUP)

A handler runs on the main thread, between any two of its instructions, whatever lock that thread holds there. So the
handler takes no lock and makes no `threading.Thread`, whose start takes one: a raw thread does the work, and is waited
for until a deadline. A drain that needs what the main thread holds ends there, and the process ends in time.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from inspect import currentframe
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Final

from raindrop_logging._pipeline.bounded_queue import OWN_THREADS
from raindrop_logging._pipeline.registry import LONGEST_WAIT, end, flush, pipelines, shutdown
from raindrop_logging._pipeline.stats import FlushResult
from raindrop_logging.errors import RaindropLoggingError

_GRACE_SECONDS: Final = 0.25
"""For the drain to say, beyond the time that it may take to send, what was lost."""

_SURVIVED: Final = {
    getattr(signal, name, None)
    for name in ("SIGCHLD", "SIGCONT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH", "SIGINFO")
}
"""Signals that by default end no process."""

_Previous = Callable[[int, FrameType | None], Any] | int | signal.Handlers


class _Running:
    """The one signal that is being answered in this process, if any: others that come meanwhile do not drain again."""

    def __init__(self) -> None:
        self.answering = 0  # the process that does; a child of it answers its own signals
        self.drained: SimpleQueue[None] = SimpleQueue()


_running: Final = _Running()


class _Answer:
    """Python's handler of one signal, from when it was installed: drains, then does as `previous` says.

    An object an installation, so that one that was wrapped by another library and installed again above it still
    knows its own `previous`, and never calls itself.
    """

    def __init__(self, previous: _Previous) -> None:
        self._previous = previous

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        spawn = _spawn_of_gevent()
        if spawn is not None:
            spawn(self, signum, frame)
            return
        if _running.answering == os.getpid():
            _running.drained.put(None)  # a second signal: whoever waits does so no longer
            self._as_before(signum, frame)
            return
        _running.answering = os.getpid()
        try:
            _drain(self._end(signum))
            self._as_before(signum, frame)
        finally:
            _running.answering = 0

    def _end(self, signum: int) -> Callable[[], FlushResult]:
        """How to drain: for good where the process dies by the signal, else so that it can go on."""
        if self._previous == signal.SIG_IGN or (self._previous == signal.SIG_DFL and signum in _SURVIVED):
            return flush
        return end if self._previous == signal.SIG_DFL else shutdown

    def _as_before(self, signum: int, frame: FrameType | None) -> None:
        if callable(self._previous):
            self._previous(signum, frame)
        elif self._previous == signal.SIG_DFL:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)
            signal.signal(signum, self)  # one that stops or does nothing by default, and the process lives on


def install_signal_handlers(*signals: signal.Signals) -> None:
    """Deliver what was logged when one of these signals comes, and then do what would have been done without this.

    The drain takes at most the `shutdown_timeout` of the handlers, and a moment to say what was lost. A handler that
    was installed before is then called with the signal and the frame; where there was none the process dies by the
    signal, as its exit status says; an ignored signal stays ignored, and only flushes. A second signal during the drain
    ends it, and does at once as before. Installing again changes nothing, unless another library's handler took the
    place meanwhile: that one is then called after the drain. A child of fork inherits the handlers and drains its own
    records.

    The main thread, on which signals are answered, does nothing else meanwhile. Under asyncio the loop stands still for
    the drain; under gevent other greenlets go on. `loop.add_signal_handler`, and servers that install handlers of their
    own when they start (gunicorn, uvicorn, Celery), replace these: call this after them, or see
    `raindrop_logging.contrib`. A program that ends by itself after a signal, by `sys.exit`, KeyboardInterrupt or a loop
    that stops, delivers without any of this.

    Args:
        signals: those to answer; SIGTERM by default.

    Raises:
        RaindropLoggingError: this is not the main thread, the signal cannot be handled, such as SIGKILL, or what
            handles it now was not installed by Python, so that it could not be called afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RaindropLoggingError("install_signal_handlers works on the main thread only, as signal.signal does")
    for signum in signals or (signal.SIGTERM,):
        previous = signal.getsignal(signum)
        if isinstance(previous, _Answer):
            continue
        if previous is None:
            raise RaindropLoggingError(f"{signum.name} is handled outside of Python, which could not be called after")
        try:
            signal.signal(signum, _Answer(previous))
        except (OSError, ValueError) as error:
            raise RaindropLoggingError(f"{signum.name} cannot be handled here: {error}") from error


def _spawn_of_gevent() -> Callable[..., object] | None:
    """How to start a greenlet, where the signal found one in which nothing may wait: gevent's own, in which its loop
    runs, or one of ours, since the drain would wait for it as it waits for the drain."""
    gevent: Any = sys.modules.get("gevent")
    if gevent is None or not (isinstance(gevent.getcurrent(), gevent.hub.Hub) or _is_of_ours(currentframe())):
        return None
    spawn: Callable[..., object] = gevent.spawn
    return spawn


def _is_of_ours(frame: FrameType | None) -> bool:
    """Whether it runs in a thread of ours; `threading.current_thread` would say so as well, but may take a lock."""
    while frame is not None and frame.f_code is not threading.Thread.run.__code__:
        frame = frame.f_back
    thread = None if frame is None else frame.f_locals.get("self")
    return isinstance(thread, threading.Thread) and thread.name.startswith(OWN_THREADS)


def _drain(drain: Callable[[], FlushResult]) -> None:
    """Have a thread end or flush every pipeline, and wait for it as long as it may take."""
    allowed = max((pipeline.settings.shutdown_timeout for pipeline in pipelines()), default=0.0)
    drained = _running.drained = SimpleQueue()
    with suppress(RuntimeError):  # no thread starts any more: the hooks at exit have drained, or are about to
        start_new_thread(_ended, (drain, drained))
        with suppress(Empty):
            drained.get(timeout=min(allowed, LONGEST_WAIT) + _GRACE_SECONDS)


def _ended(drain: Callable[[], FlushResult], drained: SimpleQueue[None]) -> None:
    try:
        drain()
    finally:
        drained.put(None)
