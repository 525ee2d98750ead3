"""AWS Lambda: deliver before the function is frozen, which it is as soon as its handler has returned.

    @deliver()
    def handler(event, context):
        log.info("ai", extra=extra.ai(...))

What could not be sent in time waits for the next invocation of the same process.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, TypeVar

from raindrop_logging.handler import flush

_Returned = TypeVar("_Returned")

SPARE_SECONDS: Final = 0.25
"""Of what Lambda leaves, not used: a handler that is out of time is killed, and the invocation fails."""


def deliver(timeout: float | None = None) -> Callable[[Callable[..., _Returned]], Callable[..., _Returned]]:
    """Decorate a handler, so that what it logged is delivered when it returns or raises.

    What it returns or raises is left as it is, whether the delivery went well or not. What could not be sent in time
    waits, and goes out with the next invocation of the same process, if there is one.

    Args:
        timeout: seconds to wait at most; the handlers' `shutdown_timeout` by default. Never longer than the invocation
            has left, by `context.get_remaining_time_in_millis()`, less a moment to return in.
    """

    def decorate(handler: Callable[..., _Returned]) -> Callable[..., _Returned]:
        @functools.wraps(handler)
        def delivering(event: Any, context: Any, *more: Any, **keywords: Any) -> _Returned:
            try:
                return handler(event, context, *more, **keywords)
            finally:
                _flush_within(timeout, context)

        return delivering

    return decorate


def _flush_within(timeout: float | None, context: Any) -> None:
    ask = getattr(context, "get_remaining_time_in_millis", None)
    if ask is None:  # called by a test, or a service that only resembles Lambda
        flush(timeout)
        return
    left = max(ask() / 1000 - SPARE_SECONDS, 0.0)
    flush(left if timeout is None else min(timeout, left))
