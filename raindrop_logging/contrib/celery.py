"""Celery: bind a task as its sender was, and deliver what a child of the pool has logged before it leaves.

    logging.config.dictConfig(...)              # first: the handlers that the root logger has now are those that stay
    raindrop_logging.contrib.celery.install()   # in the module of the application

Celery takes all handlers from the root logger when a worker starts; ours are put back. The level stays Celery's: start
the worker with ``--loglevel INFO``, or name the handler at a logger of yours. A receiver of the signal `setup_logging`
leaves logging to you altogether.

Children leave by os._exit. What is bound where a task is sent (user, conversation, properties, trace) travels in its
message and is bound around its run, of its retries too and of the tasks that it sends itself; an event id does not.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

import msgspec

from raindrop_logging._pipeline.entries import ABOUT
from raindrop_logging._pipeline.stats import tell_operator_once
from raindrop_logging.context import bind, current_scope, traceparent
from raindrop_logging.errors import RaindropLoggingError
from raindrop_logging.handler import RaindropHandler, shutdown
from raindrop_logging.signals import install_signal_handlers

_kept: list[RaindropHandler] = []


HEADER: Final = "raindrop"
"""Header of a task's message: a JSON object of texts, and of properties."""

LONGEST: Final = 8_192
"""Characters of that header. Properties that make it longer stay behind; a longer one that arrives is not read."""


def install(*, carry_context: bool = True) -> None:
    """Connect to Celery's signals; doing so again only learns the handlers that the root logger has by then.

    Args:
        carry_context: whether tasks take along what is bound where they are sent, and are bound as their message says.
            Whoever can put a task into the broker can say anything there. False, in a later call too, ends it.

    Raises:
        RaindropLoggingError: Celery is not installed.
    """
    try:
        from celery import signals  # pyright: ignore[reportMissingTypeStubs]
    except ModuleNotFoundError as error:
        raise RaindropLoggingError("raindrop_logging.contrib.celery needs Celery: pip install celery") from error

    _kept[:] = [handler for handler in logging.root.handlers if isinstance(handler, RaindropHandler)]
    receivers: dict[Any, Callable[..., None]] = {
        signals.after_setup_logger: _restore,
        signals.worker_init: _prepare,
        signals.worker_process_init: _answer_sigterm,
        signals.worker_process_shutdown: _deliver_undisturbed,
        signals.worker_shutdown: _deliver,  # the worker itself, and the pools that run in it
    }
    carriers: dict[Any, Callable[..., None]] = {
        signals.before_task_publish: _take_along,
        signals.task_prerun: _enter,
        signals.task_postrun: _leave,
    }
    for sent, receiver in (receivers | carriers if carry_context else receivers).items():
        sent.connect(receiver, weak=False, dispatch_uid=_uid(receiver))
    if not carry_context:
        for sent, receiver in carriers.items():
            sent.disconnect(receiver, dispatch_uid=_uid(receiver))


def _uid(receiver: Callable[..., None]) -> str:
    return f"{__name__}.{receiver.__name__}"


def _restore(logger: logging.Logger, **_: Any) -> None:
    for handler in _kept:
        logger.addHandler(handler)  # adding one that is there changes nothing


def _prepare(**_: Any) -> None:
    """Once before the fork instead of in each child, which may live for a task only."""
    import httpx  # noqa: F401  # pyright: ignore[reportUnusedImport]


def _answer_sigterm(**_: Any) -> None:
    """The pool ends its children by SIGTERM, those too that have just done their last task."""
    install_signal_handlers(signal.SIGTERM)


def _deliver_undisturbed(**_: Any) -> None:
    """In a child on its way out, which the pool may end meanwhile: it is gone within `shutdown_timeout` anyhow."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    shutdown()


def _deliver(**_: Any) -> None:
    shutdown()


# ---- what a task takes along


class _Carried(msgspec.Struct, omit_defaults=True):
    """What a message says; of other types it says nothing."""

    user_id: str | None = None
    convo_id: str | None = None
    traceparent: str | None = None
    properties: dict[str, Any] = {}


_decoder: Final = msgspec.json.Decoder(_Carried)
_entered: ContextVar[tuple[bind | None, ...]] = ContextVar("raindrop_celery_tasks", default=())
"""Of each task that runs here, the innermost last: an eager one runs inside another."""


def _take_along(headers: Any = None, **_: Any) -> None:
    scope = current_scope()
    if scope is None or not isinstance(headers, dict):
        return
    said = {**scope, **scope.get(ABOUT, {})}
    carried = _Carried(said.get("user_id"), said.get("convo_id"), traceparent(), said.get("properties") or {})
    if carried == _Carried():
        return
    header = msgspec.json.encode(carried).decode()
    if len(header) > LONGEST:
        tell_operator_once(
            "celery", f"the properties bound here are beyond {LONGEST} characters: no task takes them along"
        )
        header = msgspec.json.encode(msgspec.structs.replace(carried, properties={})).decode()
    headers[HEADER] = header


def _enter(task: Any = None, **_: Any) -> None:
    carried = _read(getattr(task.request, HEADER, None))
    bound = None
    if carried is not None:
        bound = bind(**msgspec.structs.asdict(carried))
        bound.__enter__()
    _entered.set((*_entered.get(), bound))


def _leave(**_: Any) -> None:
    entered = _entered.get()
    if entered:
        _entered.set(entered[:-1])
        if entered[-1] is not None:
            entered[-1].__exit__()


def _read(header: object) -> _Carried | None:
    if not isinstance(header, str) or len(header) > LONGEST:
        return None
    try:
        return _decoder.decode(header)
    except msgspec.DecodeError:  # nobody's of this package; the task runs unbound
        return None
