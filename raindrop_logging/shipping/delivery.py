"""The road of every log record, driven so that it can be said of each whether it has arrived.

In: Said.  Out: whether all so far was settled, and what was refused.  Touches: the network, by the handler.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from msgspec import Struct

from raindrop_logging._pipeline import parts
from raindrop_logging._pipeline.capture import capture
from raindrop_logging._pipeline.entries import Refusal
from raindrop_logging._pipeline.registry import pipeline_for
from raindrop_logging._pipeline.stats import Stats
from raindrop_logging.context import Scope, within
from raindrop_logging.errors import SettingsError
from raindrop_logging.handler import BLOCK_KEY, STAMP_KEY, RaindropHandler
from raindrop_logging.settings import Settings, read_settings
from raindrop_logging.shipping.records import Said

WINDOW_RECORDS: Final = 5_000
WINDOW_BYTES: Final = 16 * 2**20
"""Records and bytes of lines that may be under way before it is waited for what became of them. This bounds the memory,
and what is sent again after a kill."""

_A_YEAR: Final = 31_536_000.0
_OVERRULED: Final[dict[str, Any]] = {
    "mode": "thread",
    "enabled": True,
    "debug": True,  # answers are quoted, since somebody watches
    "when_full": "block",
    "block_timeout": _A_YEAR,
    "max_queue_size": 2 * WINDOW_RECORDS,
    "max_queue_bytes": 8 * WINDOW_BYTES,
    "trace_queue_size": 2 * WINDOW_RECORDS,
    "partial_flush_interval": _A_YEAR,  # read at once, an interaction of an hour is one complete event
    "retry_budget": _A_YEAR,  # how long to try is the shipment's to say
    "max_attempts": 2**31,
    "budgets": {},  # a minute's worth, of records that were an hour's
    "durability": "memory",  # the file that is read keeps what has not arrived
    "shutdown_timeout": 1.0,
}
"""Keys that a shipment needs to be so, whatever a configuration says for a service."""

_SLICE_SECONDS: Final = 0.25


class Outcome(Struct, frozen=True):
    """What became of everything that was sent so far: ``settled``, or not and ``why``."""

    settled: bool
    why: str = ""


class Delivery(Protocol):
    """Where records go; ``settings`` say how."""

    settings: Settings

    def send(self, said: Said) -> bool:
        """Take one record; false where nobody would have sent it either."""
        ...

    def settle(self, go_on: Callable[[], bool]) -> Outcome:
        """Wait until everything has arrived or was refused; ``go_on`` is asked often whether to wait any longer."""
        ...

    def refusals(self) -> list[Refusal]:
        """What was refused since the last time; each names the line as its source."""
        ...

    def delivered(self) -> int:
        """Records that have arrived."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Road:
    """Delivery by a `RaindropHandler`.

    Args:
        keys: the handler's keys.
        patience: seconds to wait while nothing at all arrives.

    Raises:
        SettingsError: a key is wrong, or nothing says where to ship to.
    """

    def __init__(self, keys: Mapping[str, Any], *, patience: float) -> None:
        self._handler = RaindropHandler(**_for_a_shipment(keys))
        self.settings: Settings = self._handler.settings
        _check_destination(self.settings)
        self._pipeline = pipeline_for(self._handler, self.settings, None)  # the one that the handler has
        self._before = self._handler.stats()
        self._refusals: deque[Refusal] = deque()
        self._named = Counter[str]()
        self._pipeline.witness = self._witness
        self._patience = patience

    def send(self, said: Said) -> bool:
        """Take one record, as if it were logged now."""
        with within(Scope(said.scope)):
            return self._handler.handle(said.record)

    def settle(self, go_on: Callable[[], bool]) -> Outcome:
        """Wait until everything has arrived or was refused."""
        settled, moved = self._settled_records(), time.monotonic()
        while not self._handler.flush(_SLICE_SECONDS):
            if settled != (settled := self._settled_records()):
                moved = time.monotonic()
            if time.monotonic() - moved > self._patience:
                return Outcome(settled=False, why=f"nothing has arrived for {self._patience:g} s")
            if not go_on():
                return Outcome(settled=False, why="interrupted before all had arrived")
        before = self._before.dropped
        lost = Counter({reason: n - before.get(reason, 0) for reason, n in self._handler.stats().dropped.items()})
        lost.subtract(self._named)
        lost.pop("sampled", None)  # as the configuration asks
        said = ", ".join(f"{count} {reason}" for reason, count in lost.items() if count > 0)
        return Outcome(settled=not said, why=f"records were given up ({said})" if said else "")

    def _witness(self, refusal: Refusal) -> None:
        """Keep what is refused; a record that was named is not lost, since it would be refused every time."""
        if refusal.reason != "refused":  # which is no reason of ours
            self._named[refusal.reason] += refusal.records
        self._refusals.append(refusal)

    def _settled_records(self) -> int:
        stats: Stats = self._handler.stats()
        return stats.delivered + stats.refused + sum(stats.dropped.values())

    def refusals(self) -> list[Refusal]:
        """What was refused since the last time."""
        return [self._refusals.popleft() for _ in range(len(self._refusals))]

    def delivered(self) -> int:
        """Records whose requests got their 2xx."""
        return self._handler.stats().delivered - self._before.delivered

    def close(self) -> None:
        """Give up what has not arrived: its file keeps it."""
        self._pipeline.witness = None
        self._handler.shutdown(0.0)


class Rehearsal:
    """No delivery at all: says what would be refused before it is sent."""

    def __init__(self, keys: Mapping[str, Any]) -> None:
        self.settings: Settings = read_settings(_for_a_shipment(keys))
        self._router = parts.router(self.settings, parts.redactor(self.settings))
        self._refusals: list[Refusal] = []
        self._valid = 0

    def send(self, said: Said) -> bool:
        """Look at one record."""
        fields = said.record.__dict__
        found = self._router.route(capture(fields, fields[BLOCK_KEY], said.scope, fields[STAMP_KEY][0]))
        if isinstance(found, Refusal):
            self._refusals.append(found)
        else:
            self._valid += 1
        return True

    def settle(self, go_on: Callable[[], bool]) -> Outcome:  # noqa: ARG002 -- there is nothing to wait for
        """Nothing was sent, and nothing is remembered."""
        return Outcome(settled=True)

    def refusals(self) -> list[Refusal]:
        """What would be refused."""
        found, self._refusals = self._refusals, []
        return found

    def delivered(self) -> int:
        """Records that would be sent."""
        return self._valid

    def close(self) -> None:
        """Nothing to end."""


def _for_a_shipment(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {**{key: value for key, value in keys.items() if key != "spool_dir"}, **_OVERRULED}


class NoDestinationError(SettingsError):
    """Nothing says where to ship to."""


def _check_destination(settings: Settings) -> None:
    if settings.write_key is None and settings.workshop is None:
        raise NoDestinationError(
            "nowhere to ship to: set RAINDROP_WRITE_KEY, or name a Workshop with RAINDROP_WORKSHOP or --workshop URL"
        )
