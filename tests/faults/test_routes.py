"""One route is down and the others are not: what goes elsewhere is not held up by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.faults import faulty_server as faults
from tests.wire.harness import say

if TYPE_CHECKING:
    from tests.faults.conftest import Service
    from tests.faults.faulty_server import FaultyServer, Request

SPANS = 400
"""Many more than a lane that is down may hold, at one a request."""


def _without_traces(request: Request) -> int:
    return 404 if request.path.endswith("traces") else 200


def _say_spans_and_events(service: Service, server: FaultyServer) -> None:
    service.starts(trace_batch_size=1, max_delay=0.2)
    say({"type": "span", "kind": "tool", "name": "first"})
    server.wait_for("the first span", lambda: len(server.requests) == 1)
    service.says("first")
    server.wait_for("the first event", lambda: "first" in server.bodies_by_event())
    for number in range(SPANS):
        say({"type": "span", "kind": "tool", "name": f"s{number}"})
        if number % 10 == 0:
            service.says(f"e{number}")


def test_a_route_that_is_not_there_holds_nothing_else_up(server: FaultyServer, service: Service) -> None:
    """Every event arrives though no span does, and every span is waiting or counted."""
    server.default = faults.judging(_without_traces)
    _say_spans_and_events(service, server)
    server.wait_for("every event", lambda: len(server.bodies_by_event()) == 1 + SPANS // 10)
    server.wait_for("its figures", lambda: service.counts().delivered == 1 + SPANS // 10)
    counts = service.counts()
    assert counts.refused == 0
    assert counts.waiting + counts.dropped.get("route_down", 0) == 1 + SPANS


def test_what_a_disk_keeps_for_a_route_is_sent_once_it_is_there(
    server: FaultyServer, service: Service, durability: dict[str, Any]
) -> None:
    """With a disk no span is lost, however many wait; without one the newest are kept."""
    server.default = faults.judging(_without_traces)
    _say_spans_and_events(service, server)
    server.wait_for("every event", lambda: len(server.bodies_by_event()) == 1 + SPANS // 10)
    server.default = faults.status(200)
    assert service.flushes()
    counts = service.counts()
    assert counts.delivered == counts.accepted - sum(counts.dropped.values())
    assert set(counts.dropped) == (set() if durability else {"route_down"})
