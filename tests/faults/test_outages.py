"""Outages that are over before the budget for retries is: nothing is lost."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults import faulty_server as faults
from tests.wire.harness import diagnostics

if TYPE_CHECKING:
    from tests.faults.conftest import Service
    from tests.faults.faulty_server import FaultyServer

DEFAULTS = {"base_delay": 1, "max_delay": 30, "timeout": 15, "upload_interval": 1, "jitter": 0.2}


@pytest.mark.slow
def test_ten_seconds_without_a_server_lose_nothing(server: FaultyServer, service: Service) -> None:
    """A hundred events a second, ten seconds down, default keys: every event arrives once, and one line is told."""
    heard = diagnostics()
    service.starts(**DEFAULTS)
    pace, started = threading.Event(), time.monotonic()
    for number in range(1_200):
        if number == 100:
            server.stop()
        if number == 1_100:
            server.start()
        service.says(f"e{number}")
        pace.wait(max(0.0, started + number / 100 - time.monotonic()))
    assert service.flushes(30.0)
    found = server.bodies_by_event()
    assert len(found) == 1_200
    assert {event_id for event_id, bodies in found.items() if len(set(bodies)) > 1} == set()
    assert (service.counts().delivered, service.counts().dropped) == (1_200, {})
    assert [line.count("is not available (") for line in heard.lines] == [1]


def test_a_disk_keeps_what_any_number_of_attempts_could_not_send(
    server: FaultyServer, service: Service, durability: dict[str, Any]
) -> None:
    """`max_attempts` and `retry_budget` are of memory alone: what is on disk goes once the server is back."""
    server.default = faults.status(503)
    service.starts(max_attempts=2, retry_budget=0.2)
    service.says("e")
    server.wait_for("more attempts than that", lambda: len(server.requests) >= 2 + 2 * bool(durability))
    server.default = faults.status(200)
    assert service.flushes()
    counts = service.counts()
    assert (counts.delivered, counts.dropped) == ((1, {}) if durability else (0, {"expired": 1}))
