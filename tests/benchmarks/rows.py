"""The table: what is compared with what, and the ratio that is promised.

REF is ``logger.info("ai", extra={"raindrop": {...}})`` into a NullHandler, its block made anew each time; *SDK* is the
official Python SDK. Instructions are of the calling thread unless a row says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from tests.benchmarks.measures import Contest, Ratio, calls, encodes, imports, late_finals, later, own_share, watched

COUNTED = 0.03
TIMED = 0.10
"""Noise: of instructions, which differ a little from one run to the next with the threads' turns, and of times."""


class Row(NamedTuple):
    """One promise: ``at_most`` or else at least ``target``, give or take ``noise``."""

    name: str
    compared: str
    target: float
    measure: Callable[[], Ratio]
    noise: float = COUNTED
    at_most: bool = True
    unit: str = "x"

    def holds(self, value: float) -> bool:
        """Whether a measured value keeps the promise, the noise allowed for."""
        return value <= self.target * (1 + self.noise) if self.at_most else value >= self.target * (1 - self.noise)


def _at_least(name: str, compared: str, target: float, measure: Callable[[], Ratio]) -> Row:
    return Row(name, compared, target, measure, TIMED, at_most=False)


def _timed(name: str, compared: str, target: float, measure: Callable[[], Ratio], unit: str = "x") -> Row:
    return Row(name, compared, target, measure, TIMED, unit=unit)


_DEFAULT = Contest(60_000, 8_000)
_BEST = Contest(60_000, 20_000, "sdk-best")
_TURNS = Contest(20_000, 400, what="interactions")
_FAR = Contest(40_000, 400, delay=0.05, rounds=1)
_TLS = Contest(40_000, 200, tls=True)

ROWS = (
    Row("ai", "an ai record of 600 characters, snapshot taken / REF", 1.30, partial(calls, "ai")),
    Row("share", "what the handler adds to REF / a track_ai call of the SDK", 1 / 30, own_share),
    Row("journal", "the same with durability journal / REF", 2.0, partial(calls, "journal")),
    Row(
        "no-block",
        "a record without a block / into a NullHandler",
        1.03,
        partial(calls, "without a block", "without a block, ref"),
    ),
    Row("queue-handler", "an ai record / into the standard QueueHandler", 1.0, partial(calls, "ai", "queue handler")),
    Row("opentelemetry", "an ai record / into its LoggingHandler", 1.0, partial(calls, "ai", "opentelemetry")),
    Row("sentry", "an ai record / with sentry's logs", 1.0, partial(calls, "ai", "sentry")),
    Row("disabled", "a disabled level / with a NullHandler", 1.0, partial(calls, "disabled", "disabled, ref")),
    Row("interaction", "begin, update and finish records / REF", 4.2, partial(calls, "interaction")),
    Row("tool", "tool_span opened and closed / REF", 4.0, partial(calls, "tool")),
    Row(
        "structlog",
        "structlog and the handler / structlog and a NullHandler",
        1.2,
        partial(calls, "structlog", "structlog, ref"),
    ),
    Row("1MB", "a text of 1 MB / of 100 KB, for the caller", 1.2, partial(calls, "1 MB", "100 KB", fewer=20, more=50)),
    Row("encodes", "all threads' work on a text of 1 MB / one encode of it", 2.0, encodes),
    Row("full-queue", "a call with 10,000 queued / with 1,000", 1.2, partial(later, "queued", all_threads=False)),
    Row(
        "many-open", "a begin with 10,000 open / with 1,000, all threads", 1.2, partial(later, "open", all_threads=True)
    ),
    _timed(
        "p99",
        "p99 of a call while the sender is busy / of REF in turns with it",
        1.5,
        partial(watched, "calls", "ours", "null"),
    ),
    _timed(
        "wake",
        "p99 lateness of a thread while a backlog drains / idle",
        2.5,
        partial(watched, "wakes", "drain", "idle"),
    ),
    _timed(
        "memory",
        "memory of 10,000 queued events / their bytes on the wire",
        1.5,
        partial(watched, "memory", "held", "encoded"),
    ),
    _timed("import", "CPU of import and dictConfig / of importing the SDK", 0.1, imports),
    _at_least("rate", "ai events delivered a second / SDK as it comes", 20.0, _DEFAULT.rate),
    _timed("cpu", "CPU of an event / SDK as it comes", 0.1, _DEFAULT.cpu),
    _at_least("rate-best", "ai events delivered a second / SDK at its best", 4.0, _BEST.rate),
    _timed("cpu-best", "CPU of an event / SDK at its best", 0.2, _BEST.cpu),
    _at_least("turns", "begin and finish, interactions delivered a second / SDK", 50.0, _TURNS.rate),
    _at_least("far", "ai events delivered a second at 50 ms / SDK as it comes", 100.0, _FAR.rate),
    _timed("https", "CPU of an event over HTTPS / SDK as it comes", 0.01, _TLS.cpu),
    _timed("finals", "2,000 interactions of 3 s at 50 ms: last final after last finish", 2.0, late_finals, "s"),
)
