"""The joints between the stages, where none of them can be asked by itself."""

from __future__ import annotations

import threading
import time

import httpx

from raindrop_logging._pipeline.entries import request_of
from raindrop_logging._pipeline.wiring import Road, Surroundings
from raindrop_logging.settings import read_settings
from raindrop_logging.wire import Lane
from tests.stages.entries_made import item

PATIENCE = 10.0


class Slow(httpx.BaseTransport):
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()

    def handle_request(self, _request: httpx.Request) -> httpx.Response:
        """Taken, later."""
        assert self.may_answer.wait(PATIENCE)
        return httpx.Response(204)


def test_who_waits_for_room_at_the_sender_is_rung_when_there_is() -> None:
    """A listener that was told that the sender is full sleeps, and a settled request wakes it."""
    transport = Slow()
    around = Surroundings(transport, time.monotonic, lambda: 0.5, {}, lambda _said: {}, None)
    settings = read_settings({"write_key": "key"}, environ={})
    road = Road(settings, around, is_silent=False, at_tick=lambda: None)
    numbers = iter(range(100))
    try:
        while not road.is_behind():
            number = next(numbers)
            road.primary.submit(request_of(Lane.EVENTS, (item(Lane.EVENTS, b"x" * 1_000_000, f"e{number}"),)))
        transport.may_answer.set()
        before = time.monotonic()
        road.queue.sleep(PATIENCE, until_first=False)
        assert time.monotonic() - before < PATIENCE
        assert not road.is_behind()
    finally:
        road.primary.stop()
