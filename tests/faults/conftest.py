"""What the faults' tests start from: a faulty server, and a handler for each durability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.faulty_server import FaultyServer
from tests.wire.harness import attach, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from raindrop_logging import FlushResult, RaindropHandler, Stats

KEYS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "memory": lambda _: {},
    "spill": lambda tmp_path: {"spool_dir": str(tmp_path)},
    "journal": lambda tmp_path: {"spool_dir": str(tmp_path), "durability": "journal"},
}
"""Keys by durability; every promise about a fault is kept under each of them."""

QUICK: dict[str, Any] = {"base_delay": 0.05, "max_delay": 0.5, "timeout": 0.6, "upload_interval": 0.05, "jitter": 0.1}


class Service:
    """A service that logs into a handler of these keys."""

    def __init__(self, server: FaultyServer, durability: dict[str, Any]) -> None:
        self._server = server
        self._durability = durability
        self.handler: RaindropHandler

    def starts(self, **keys: Any) -> None:
        """Configure logging: quick retries but for these keys."""
        self.handler = attach(self._server.endpoint, **{**QUICK, **self._durability, **keys})

    def says(self, *event_ids: str, **fields: Any) -> None:
        """Log one complete event each."""
        for event_id in event_ids:
            say({"type": "ai", "event_id": event_id, "user_id": "u", "event": "chat", "input": "q", **fields})

    def flushes(self, timeout: float = 20.0) -> FlushResult:
        """Wait for the server to have it all."""
        return self.handler.flush(timeout)

    def counts(self) -> Stats:
        """The handler's figures, which must add up."""
        stats = self.handler.stats()
        assert stats.accepted == stats.delivered + stats.refused + sum(stats.dropped.values()) + stats.waiting
        return stats


@pytest.fixture(params=KEYS)
def durability(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The keys of one durability."""
    return KEYS[request.param](tmp_path)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """A faulty server of this test's own."""
    with FaultyServer() as running:
        yield running


@pytest.fixture
def service(server: FaultyServer, durability: dict[str, Any]) -> Service:
    """A service that speaks to it, not started yet."""
    return Service(server, durability)
