"""gunicorn: two hooks that a `gunicorn.conf.py` imports, and gunicorn finds by their names.

    from raindrop_logging.contrib.gunicorn import post_worker_init, worker_exit

With `--preload` or without, a worker starts with an empty queue and threads of its own by itself: there is nothing to
do after the fork.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from raindrop_logging.handler import shutdown
from raindrop_logging.signals import install_signal_handlers


def post_worker_init(worker: Any) -> None:  # noqa: ARG001 -- gunicorn's signature
    """Where a worker class leaves SIGTERM to sudden death, as uvicorn's does, have it deliver first."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        install_signal_handlers(signal.SIGTERM)


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 -- gunicorn's signature
    """Deliver what the worker has logged, within `shutdown_timeout`; keep gunicorn's `graceful_timeout` above that."""
    if worker.pid == os.getpid():  # gunicorn also calls it in the arbiter, for a worker that is gone
        shutdown()
