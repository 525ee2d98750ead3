"""The package's own requests are never news to itself: what libraries log of them becomes no record and no request."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.wire.harness import PATIENCE, Heard, attach, log, say

if TYPE_CHECKING:
    from raindrop_logging import RaindropHandler
    from tests.wire.recorder import Recorder

LIBRARIES = ("httpx", "httpcore", "opentelemetry", "raindrop_logging")
IDLE_SECONDS = 1.5
BLOCK = {"type": "event", "user_id": "u", "event": "everything"}


@pytest.fixture
def at_debug(recorder: Recorder) -> Iterator[tuple[RaindropHandler, Heard]]:
    """A handler on the root and one that hears all, with every library that takes part at DEBUG."""
    handler = attach(recorder.endpoint, upload_interval=0.05, partial_flush_interval=0.05, trace_flush_interval=0.05)
    handler.setLevel(logging.DEBUG)
    logging.root.setLevel(logging.DEBUG)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield handler, Heard()
    handler.shutdown(PATIENCE)


@pytest.fixture
def block_everywhere() -> Iterator[None]:
    """A record factory that puts a block into each record that is made, of whatever library."""
    before = logging.getLogRecordFactory()

    def factory(*args: Any, **named: Any) -> logging.LogRecord:
        record = before(*args, **named)
        record.raindrop = dict(BLOCK)
        return record

    logging.setLogRecordFactory(factory)
    yield
    logging.setLogRecordFactory(before)


def _say_one_of_each() -> None:
    say({**BLOCK, "event": "said"})
    say({"type": "begin", "event_id": "i", "user_id": "u", "event": "said", "input": "q"})
    say({"type": "span", "kind": "tool", "name": "said"})
    say({"type": "signal", "event_id": "i", "name": "said"})
    say({"type": "identify", "user_id": "u", "traits": {"a": 1}})


def _assert_at_rest(recorder: Recorder, handler: RaindropHandler) -> None:
    """No further flush sends anything, and nothing is done while nothing is logged."""
    assert handler.flush(PATIENCE)
    sent, accepted = len(recorder.requests), handler.stats().accepted
    for _ in range(20):
        assert handler.flush(PATIENCE)
    spent = time.process_time()
    threading.Event().wait(IDLE_SECONDS)
    assert time.process_time() - spent < IDLE_SECONDS / 3
    assert (len(recorder.requests), handler.stats().accepted) == (sent, accepted)


def test_our_own_requests_are_not_news(recorder: Recorder, at_debug: tuple[RaindropHandler, Heard]) -> None:
    """The libraries did log, to a console beside us, and after the flush all is quiet."""
    handler, heard = at_debug
    _say_one_of_each()
    _assert_at_rest(recorder, handler)
    assert "httpcore" in {record.name.partition(".")[0] for record in heard.records}
    assert handler.stats().accepted == 5


@pytest.mark.usefixtures("block_everywhere")
def test_not_even_where_every_record_holds_a_block(recorder: Recorder, at_debug: tuple[RaindropHandler, Heard]) -> None:
    """A factory that adds a block to all records makes none of those of our own requests an event."""
    handler, _ = at_debug
    logging.getLogger("shop.agent").debug("one of the program's")
    _assert_at_rest(recorder, handler)
    assert handler.stats().accepted == 1
    assert [item["event"] for item in recorder.items("events/track")] == ["everything"]


def test_a_client_of_the_program_s_own_may_log_what_it_does(
    recorder: Recorder, at_debug: tuple[RaindropHandler, Heard]
) -> None:
    """Records with a block that are made while the program's own httpx client asks something are delivered."""
    handler, _ = at_debug

    def on_answer(response: httpx.Response) -> None:
        log.info("asked", extra={"raindrop": {**BLOCK, "properties": {"status": response.status_code}}})

    with httpx.Client(event_hooks={"response": [on_answer]}, trust_env=False) as client:
        for _ in range(3):
            assert client.get(f"{recorder.base}/shop").status_code == 204
    _assert_at_rest(recorder, handler)
    said = [item for item in recorder.items("events/track") if item["event"] == "everything"]
    assert [item["properties"]["status"] for item in said] == [204, 204, 204]
