"""A server that takes 0.3 s for each answer keeps up with a service, whichever way it logs."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults import faulty_server as faults
from tests.wire.harness import say

if TYPE_CHECKING:
    from tests.faults.conftest import Service
    from tests.faults.faulty_server import FaultyServer

RECORDS, A_SECOND = 1_000, 250
LATENCY = 0.3


@pytest.mark.slow
def test_complete_events_are_through_at_once(server: FaultyServer, service: Service) -> None:
    """A thousand events at 250/s go in batches: none is lost, and a flush behind them takes a few answers' time."""
    server.default = faults.slow(LATENCY)
    service.starts(timeout=15, upload_interval=1.0)
    pace = _Pace()
    for number in range(RECORDS):
        service.says(f"e{number}")
        pace.keep(number)
    assert service.flushes(10.0)
    assert {event_id: len(bodies) for event_id, bodies in server.bodies_by_event().items()} == {
        f"e{number}": 1 for number in range(RECORDS)
    }
    assert (service.counts().delivered, service.counts().dropped) == (RECORDS, {})


@pytest.mark.slow
def test_interactions_longer_than_a_partial_interval_are_through_in_time(
    server: FaultyServer, service: Service
) -> None:
    """Five hundred interactions at 125/s, each a request or two of its own: none is lost, none goes back to pending."""
    server.default = faults.slow(LATENCY)
    service.starts(timeout=15, upload_interval=1.0, partial_flush_interval=0.3)
    pace, lasts = _Pace(), A_SECOND // 2
    for number in range(RECORDS // 2 + lasts):
        if number < RECORDS // 2:
            say({"type": "begin", "event_id": f"i{number}", "user_id": "u", "event": "run", "input": "q"})
            pace.keep(2 * number)
        if number >= lasts:
            say({"type": "finish", "event_id": f"i{number - lasts}", "user_id": "u", "event": "run", "output": "a"})
            pace.keep(2 * number + 1)
    assert service.flushes(30.0)
    found = server.bodies_by_event()
    assert len(found) == RECORDS // 2
    for bodies in found.values():
        steps = [json.loads(body) for body in bodies]
        assert [step.get("is_pending", False) for step in steps] == [*[True] * (len(steps) - 1), False]
        assert steps[-1]["ai_data"] == {"input": "q", "output": "a"}
    assert (service.counts().delivered, service.counts().dropped) == (RECORDS, {})


class _Pace:
    def __init__(self) -> None:
        self._never, self._started = threading.Event(), time.monotonic()

    def keep(self, number: int) -> None:
        """Wait for the moment at which this record is due."""
        self._never.wait(max(0.0, self._started + number / A_SECOND - time.monotonic()))
