"""All pipelines of the process: who shares one, what ends them with the process, and what a fork does to them.

In: Settings of handlers; the process's exits and forks
Out: Pipeline; figures of all of them
Touches: atexit, fork hooks, multiprocessing's own way out
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from raindrop_logging._pipeline.pipeline import Pipeline
from raindrop_logging._pipeline.stats import FlushResult, Stats
from raindrop_logging.errors import SettingsError
from raindrop_logging.settings import Settings

if TYPE_CHECKING:
    import httpx

LONGEST_WAIT = 31_536_000.0
"""Seconds; a wait of more overflows on some platforms, so infinity means this."""


class User(Protocol):
    """A handler, as it is seen from here."""

    settings: Settings

    def redirect(self, pipeline: Pipeline) -> None:
        """Put every record from now on into this pipeline."""


class _Registry:
    """The pipelines by what their handlers were told, and the figures of those that are gone.

    While there are ``captures``, all handlers put their records into the last of them; ``homeless`` are the handlers
    made meanwhile, which have no pipeline of their own yet, with their transports.
    """

    def __init__(self) -> None:
        self.pipelines: dict[tuple[Settings, Any], Pipeline] = {}
        self.captures: list[Pipeline] = []
        self.homeless: weakref.WeakKeyDictionary[User, httpx.BaseTransport | None] = weakref.WeakKeyDictionary()
        self.retired = Stats()
        self.lock = threading.RLock()  # taken when handlers are set up and pipelines end, never by a log call
        self.finalized_in = 0  # the child of multiprocessing that knows how to end

    def forget(self, pipeline: Pipeline) -> None:
        """End a pipeline that no handler uses, and keep its figures."""
        with self.lock:
            known = [key for key, found in self.pipelines.items() if found is pipeline]
            if pipeline.users or not known:
                return
            for key in known:
                del self.pipelines[key]
            self.retired = self.retired.added(pipeline.stats())
        pipeline.retire()


_registry = _Registry()


def pipeline_for(user: User, settings: Settings, transport: httpx.BaseTransport | None) -> Pipeline:
    """The pipeline of a handler: handlers with equal settings share one, however often logging is configured.

    Raises:
        SettingsError: what the settings name cannot work on this machine.
    """
    with _registry.lock:
        if _registry.captures:
            _registry.homeless[user] = transport
            return _registry.captures[-1]
    return _own_pipeline(user, settings, transport)


def _own_pipeline(user: User, settings: Settings, transport: httpx.BaseTransport | None) -> Pipeline:
    key = (settings, transport)
    for unused in [one for one in pipelines() if not one.users and not one.is_running]:
        _registry.forget(unused)  # one that runs ends itself when it is at rest: its listener may have a record in hand
    with _registry.lock:
        pipeline = _registry.pipelines.get(key)
        if pipeline is None:
            pipeline = Pipeline(
                settings, transport=transport, forget=_registry.forget, started=_end_with_multiprocessing
            )
            _registry.pipelines[key] = pipeline
        pipeline.users.add(user)
    pipeline.look_back()
    return pipeline


@contextmanager
def captured_by(pipeline: Pipeline) -> Generator[None]:
    """Have every handler of the process put its records into this pipeline, those that are made meanwhile too.

    Their own pipelines get nothing new until it ends, but carry on with what they have. The last of several that
    overlap is the one that counts. `flush`, `shutdown` and `stats` ask that one alone.
    """
    with _registry.lock:
        _registry.captures.append(pipeline)
        _redirect()
    try:
        yield
    finally:
        with _registry.lock:
            _registry.captures.remove(pipeline)
            _redirect()


def _redirect() -> None:
    own = [(user, pipeline) for pipeline in pipelines() for user in pipeline.users]
    if _registry.captures:
        last = _registry.captures[-1]
        for user in (*(user for user, _ in own), *_registry.homeless):
            user.redirect(last)
        return
    for user, pipeline in own:
        user.redirect(pipeline)
    while _registry.homeless:
        user, transport = _registry.homeless.popitem()
        user.redirect(_home_of(user, transport))


def _home_of(user: User, transport: httpx.BaseTransport | None) -> Pipeline:
    """The pipeline that a handler made during a capture would have got; nobody is there to hear of a bad directory."""
    try:
        return _own_pipeline(user, user.settings, transport)
    except SettingsError as error:
        pipeline = _own_pipeline(user, replace(user.settings, durability="memory"), transport)
        pipeline.diagnostics.note("spool_unwritable", f"{error}; records wait in memory", 0)
        return pipeline


def pipelines() -> list[Pipeline]:
    """Every pipeline of the process: those in use, and those that still have something to send."""
    return list(_registry.pipelines.values())


def _asked() -> list[Pipeline]:
    """What a flush, a shutdown and the figures are about: all pipelines, or only the one that captures."""
    return _registry.captures[-1:] or pipelines()


def clear() -> None:
    """Forget every pipeline and every figure, as if the process were new."""
    _registry.pipelines.clear()
    _registry.retired = Stats()


def flush(timeout: float | None = None) -> FlushResult:
    """Flush every pipeline; the timeout is for all of them, by default each has its own ``shutdown_timeout``."""
    return _all(_asked(), lambda pipeline, left: pipeline.flush(left), timeout)


def shutdown(timeout: float | None = None) -> FlushResult:
    """Shut every pipeline down; the timeout is as for `flush`."""
    return _all(_asked(), lambda pipeline, left: pipeline.shutdown(left), timeout)


def _all(
    found: Sequence[Pipeline], end: Callable[[Pipeline, float], FlushResult], timeout: float | None
) -> FlushResult:
    """Set all pipelines going, then wait for one after the other, each until its own deadline."""
    start = time.monotonic()
    delivered = sum(pipeline.stats().delivered for pipeline in found)
    for pipeline in found:
        pipeline.kick()
    results = []
    for pipeline in found:
        allowed = pipeline.settings.shutdown_timeout if timeout is None else min(timeout, LONGEST_WAIT)
        results.append(end(pipeline, max(start + allowed - time.monotonic(), 0.0)))
    return FlushResult(
        sent=sum(pipeline.stats().delivered for pipeline in found) - delivered,
        left=sum(result.left for result in results),
        timed_out=any(result.timed_out for result in results),
    )


def stats() -> Stats:
    """Figures of every pipeline that this process has had, added up."""
    with _registry.lock:
        total, found = Stats() if _registry.captures else _registry.retired, _asked()
    for pipeline in found:
        total = total.added(pipeline.stats())
    return total


# ---- the end of the process, and forks -----------------------------------------------------------------------------


@atexit.register
def end() -> FlushResult:
    """Deliver at the end of the process; what is logged after it is delivered by the log call itself.

    Registered when this module is imported, so that what user code registers later runs, and logs, before it.
    """
    return _all(pipelines(), lambda pipeline, left: pipeline.shutdown(left, final=True), None)


def _end_with_multiprocessing() -> None:
    """A child of multiprocessing runs no atexit functions, only its own finalizers; asked for with its first record."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is None or process is None or process.parent_process() is None or _registry.finalized_in == os.getpid():
        return
    _registry.finalized_in = os.getpid()
    util.Finalize(None, end, exitpriority=_LAST)


_LAST = -1_000


def _after_fork_in_child() -> None:
    _registry.lock = threading.RLock()  # the one held by a thread of the parent would never be released
    _registry.retired = Stats()
    for pipeline in pipelines():
        pipeline.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
