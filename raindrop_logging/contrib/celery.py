"""Celery: deliver what a child of the pool has logged before it leaves, which it does by os._exit.

    logging.config.dictConfig(...)              # first: the handlers that the root logger has now are those that stay
    raindrop_logging.contrib.celery.install()   # in the module of the application

Celery takes all handlers from the root logger when a worker starts; ours are put back. The level stays Celery's: start
the worker with ``--loglevel INFO``, or name the handler at a logger of yours. A receiver of the signal `setup_logging`
leaves logging to you altogether.
"""

from __future__ import annotations

import logging
import signal
from typing import Any

from raindrop_logging.errors import RaindropLoggingError
from raindrop_logging.handler import RaindropHandler, shutdown
from raindrop_logging.signals import install_signal_handlers

_kept: list[RaindropHandler] = []


def install() -> None:
    """Connect to Celery's signals; doing so again only learns the handlers that the root logger has by then.

    Raises:
        RaindropLoggingError: Celery is not installed.
    """
    try:
        from celery import signals  # pyright: ignore[reportMissingTypeStubs]
    except ModuleNotFoundError as error:
        raise RaindropLoggingError("raindrop_logging.contrib.celery needs Celery: pip install celery") from error

    _kept[:] = [handler for handler in logging.root.handlers if isinstance(handler, RaindropHandler)]
    receivers = {
        signals.after_setup_logger: _restore,
        signals.worker_init: _prepare,
        signals.worker_process_init: _answer_sigterm,
        signals.worker_process_shutdown: _deliver_undisturbed,
        signals.worker_shutdown: _deliver,  # the worker itself, and the pools that run in it
    }
    for sent, receiver in receivers.items():
        sent.connect(receiver, weak=False, dispatch_uid=f"{__name__}.{receiver.__name__}")


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
