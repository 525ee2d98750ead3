"""The JSON API over the Workshop itself.

In: GET requests.  Out: JSON.  Touches: the store, the receiver's counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.concurrency import run_in_threadpool

from raindrop_logging.workshop import times
from raindrop_logging.workshop.api.responses import answer
from raindrop_logging.workshop.api.schemas.health import Health
from raindrop_logging.workshop.route_table import Row
from raindrop_logging.workshop.store import NAME, Store

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.receiving.receiver import Receiver


class HealthCheck:
    """The route that says what runs here, since this was made."""

    def __init__(self, store: Store, receiver: Receiver, version: str) -> None:
        self._store = store
        self._receiver = receiver
        self._version = version
        self._started_at = times.now()

    def rows(self) -> list[Row]:
        """GET only."""
        return [
            Row(
                method="GET", path="/api/health", name="health", endpoint=self._health, answer=Health, refusals=(503,),
                says="What runs here, and how much it holds.",
            ),
        ]  # fmt: skip

    async def _health(self, request: Request) -> Response:
        del request
        counts = await run_in_threadpool(self._store.counts)
        upkeep = await run_in_threadpool(self._store.upkeep)
        about = Health(
            name=NAME,
            version=self._version,
            database=self._store.location,
            strict=self._receiver.strict,
            started_at=self._started_at,
            received_bodies=self._receiver.bodies,
            ignored_keys=dict(self._receiver.ignored_keys),
            **msgspec.structs.asdict(counts),
            **msgspec.structs.asdict(upkeep),
        )
        return answer(about)
