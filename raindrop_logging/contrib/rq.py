"""RQ: deliver what a job has logged before its work horse leaves, which it does by os._exit.

    rq worker --worker-class raindrop_logging.contrib.rq.DrainingWorker

For another kind of worker: ``class MyWorker(DrainingWorker, HerokuWorker): ...``. RQ's SpawnWorker starts a class of
one's own only since RQ 3; before that its jobs have to flush by themselves.
"""

from __future__ import annotations

from typing import Any

import httpx  # noqa: F401  # pyright: ignore[reportUnusedImport]  # once, before the fork, instead of in each work horse

from raindrop_logging.errors import RaindropLoggingError
from raindrop_logging.handler import flush

try:
    from rq import Worker
except ModuleNotFoundError as error:
    raise RaindropLoggingError("raindrop_logging.contrib.rq needs RQ: pip install rq") from error


class DrainingWorker(Worker):
    """RQ's worker, which delivers what a job has logged, whatever became of the job, within `shutdown_timeout`.

    That time is not taken from the job's own.
    """

    def perform_job(self, *arguments: Any, **keywords: Any) -> bool:
        """Do what the worker does, then deliver."""
        try:
            return super().perform_job(*arguments, **keywords)
        finally:
            flush()
