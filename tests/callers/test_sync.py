"""`mode: sync`: the log call itself delivers, on the calling thread, within bounds, whatever interrupts it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import raindrop_logging
from tests.wire.harness import PATIENCE, attach, say
from tests.wire.recorder import Answer, Recorder

BOUND = 1.0
KEYS: dict[str, Any] = {"mode": "sync", "shutdown_timeout": BOUND, "base_delay": 0.01, "max_delay": 0.05, "jitter": 0}
MARGIN = 3.0
"""Seconds of a slow machine beyond every bound."""


def _event(number: int, **fields: Any) -> dict[str, Any]:
    return {"type": "event", "user_id": "u", "event": f"e{number}", **fields}


def _events(recorder: Recorder) -> list[str]:
    return [item["event"] for item in recorder.items("events/track")]


Started = Callable[[], list[str]]
"""Asks for the names of the package's threads that the test has started; the one that tells the operator is meant."""


@pytest.fixture
def started() -> Started:
    """What earlier tests have left is not counted."""
    before = set(threading.enumerate())

    def ask() -> list[str]:
        names = [thread.name for thread in threading.enumerate() if thread not in before]
        return [name for name in names if name.startswith("raindrop-") and name != "raindrop-diagnostics"]

    return ask


# ---- delivered when the log call returns


BLOCKS: dict[str, tuple[dict[str, Any], str]] = {
    "ai": ({"type": "ai", "user_id": "u", "event": "e", "input": "q", "output": "a"}, "events/track"),
    "event": ({"type": "event", "user_id": "u", "event": "e"}, "events/track"),
    "signal": ({"type": "signal", "event_id": "e1", "name": "thumbs_up"}, "signals/track"),
    "identify": ({"type": "identify", "user_id": "u", "traits": {"plan": "free"}}, "users/identify"),
    "span": ({"type": "span", "kind": "tool", "name": "t", "event_id": "e1"}, "traces"),
    "a finish of another process's": (
        {"type": "finish", "event_id": "i", "user_id": "u", "event": "e", "output": "a"},
        "events/track_partial",
    ),
}


@pytest.mark.parametrize(("block", "route"), BLOCKS.values(), ids=BLOCKS)
def test_a_record_is_delivered_when_its_log_call_returns(
    block: dict[str, Any], route: str, recorder: Recorder, started: Started
) -> None:
    """What is complete in itself is with the receiver, and counted, by the time the call is back; no thread is left."""
    handler = attach(recorder.endpoint, **KEYS)
    say(block)
    assert [request.route for request in recorder.requests] == [route]
    assert (handler.stats().delivered, handler.stats().waiting, started()) == (1, 0, [])


def test_it_is_the_calling_thread_that_sends() -> None:
    """The transport is used on the thread that logs, whichever that is."""
    import httpx

    senders: list[threading.Thread] = []

    def answer(_: httpx.Request) -> httpx.Response:
        senders.append(threading.current_thread())
        return httpx.Response(204)

    handler = raindrop_logging.RaindropHandler(write_key="k", transport=httpx.MockTransport(answer), **KEYS)
    logging.getLogger("shop.agent").addHandler(handler)
    logging.getLogger("shop.agent").setLevel("INFO")
    other = threading.Thread(target=say, args=(_event(1),))
    other.start()
    other.join()
    say(_event(2))
    assert senders == [other, threading.current_thread()]


def test_an_interaction_goes_out_at_its_finish(recorder: Recorder, started: Started) -> None:
    """Its parts wait for one another, and its finish delivers all of them as one event."""
    handler = attach(recorder.endpoint, **KEYS)
    interaction = raindrop_logging.begin(user_id="u", event="run", input="q")
    interaction.set_property("region", "eu")
    assert recorder.requests == []
    interaction.finish(output="a")
    (item,) = recorder.items("events/track")
    assert (item["properties"]["region"], item["ai_data"]["output"]) == ("eu", "a")
    stats = handler.stats()
    assert (stats.delivered, stats.waiting, started()) == (stats.accepted, 0, [])


def test_the_spans_of_an_interaction_go_out_as_they_end(recorder: Recorder, started: Started) -> None:
    """Each span is delivered when its block is left, and belongs to the interaction around it."""
    attach(recorder.endpoint, **KEYS)
    interaction = raindrop_logging.begin(user_id="u", event="run", input="q")
    with interaction.tool_span("outer"):
        with interaction.tool_span("inner"):
            assert recorder.spans() == []
        assert [span["name"] for span in recorder.spans()] == ["inner"]
    assert [span["name"] for span in recorder.spans()] == ["inner", "outer"]
    interaction.finish(output="a")
    assert started() == []


def test_a_flush_brings_what_is_open_out_as_pending(recorder: Recorder, started: Started) -> None:
    """An interaction that is not finished is shown by a flush, on the calling thread too."""
    attach(recorder.endpoint, **KEYS)
    raindrop_logging.begin(user_id="u", event="run", input="q")
    assert raindrop_logging.flush(PATIENCE)
    (partial,) = recorder.bodies("events/track_partial")
    assert (partial["is_pending"], started()) == (True, [])


def test_records_of_several_threads_all_arrive(recorder: Recorder, started: Started) -> None:
    """Eight threads log at once; each record is delivered by some call of them, and none is sent twice."""
    handler = attach(recorder.endpoint, **KEYS)

    def work(first: int) -> None:
        for number in range(first, first + 25):
            say(_event(number))

    threads = [threading.Thread(target=work, args=(100 * one,)) for one in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(_events(recorder)) == sorted(f"e{100 * one + number}" for one in range(8) for number in range(25))
    assert (handler.stats().delivered, handler.stats().waiting, started()) == (200, 0, [])


# ---- the server is down


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds + MARGIN


DOWN: dict[str, Answer] = {
    "503": Answer(503),
    "401": Answer(401),
    "hangs up": Answer(None),
    "never answers": Answer(gate=threading.Event()),
}


@pytest.mark.parametrize("answer", DOWN.values(), ids=DOWN)
def test_a_server_that_is_down_holds_the_call_within_bounds(
    answer: Answer, recorder: Recorder, started: Started
) -> None:
    """The call returns within shutdown_timeout, and its record goes with a later one."""
    recorder.default = answer
    handler = attach(recorder.endpoint, **KEYS)
    with _within(BOUND):
        say(_event(1))
    assert (handler.stats().waiting, handler.stats().delivered) == (1, 0)
    recorder.default = Answer()
    _say_until(lambda: "e1" in _events(recorder) and handler.stats().waiting == 0)
    assert handler.stats().delivered == handler.stats().accepted
    assert started() == []


def _say_until(done: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    number = 100
    while not done():
        assert time.monotonic() < deadline
        say(_event(number))
        number += 1
        time.sleep(0.01)


def test_a_server_that_is_not_there_costs_little(recorder: Recorder) -> None:
    """While it is known to be away calls return at once: a pause between attempts is nobody's to wait for."""
    endpoint = recorder.endpoint
    recorder.close()
    handler = attach(endpoint, **{**KEYS, "base_delay": 60.0, "max_delay": 60.0})
    with _within(BOUND):
        for number in range(200):
            say(_event(number))
    assert handler.stats().waiting == 200


def test_several_threads_do_not_wait_for_one_another_without_end(recorder: Recorder) -> None:
    """A server that never answers holds each of five threads no longer than a few bounds, not five after another."""
    recorder.default = Answer(gate=threading.Event())
    attach(recorder.endpoint, **{**KEYS, "base_delay": 60.0, "max_delay": 60.0})
    threads = [threading.Thread(target=say, args=(_event(number),)) for number in range(5)]
    with _within(BOUND):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def test_what_waits_is_bounded_and_nobody_waits_for_room(recorder: Recorder) -> None:
    """While the server is down when_full rules; `block` has no meaning where who would wait is who makes room."""
    recorder.default = Answer(503)
    keys = {**KEYS, "base_delay": 60.0, "max_delay": 60.0, "max_queue_size": 1, "when_full": "block"}
    handler = attach(recorder.endpoint, **keys, block_timeout=30.0)
    with _within(15.0):  # who waited once would wait twice as long
        for number in range(4_400):
            say(_event(number))
    stats = handler.stats()
    assert stats.accepted == stats.waiting + sum(stats.dropped.values()) == 4_400
    assert stats.dropped["queue_full"] >= 100


# ---- other processes

SERVICE = """
import logging, os, signal, sys, time
import raindrop_logging
endpoint, directory = sys.argv[1:3]
disk = {"spool_dir": directory, "durability": sys.argv[3]} if len(sys.argv) > 3 else {}
handler = raindrop_logging.RaindropHandler(write_key="k", endpoint=endpoint, mode="sync", shutdown_timeout=4.0, **disk)
logging.basicConfig(level="INFO", handlers=[handler])
log = logging.getLogger("shop")
def say(number): log.info("event", extra={"raindrop": {"user_id": "u", "event": f"e{number}"}})
"""


def _start(recorder: Recorder, directory: Path, body: str, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SERVICE + textwrap.dedent(body), recorder.endpoint, str(directory), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(recorder: Recorder, directory: Path, body: str, *more: str) -> str:
    process = _start(recorder, directory, body, *more)
    try:
        said, errors = process.communicate(timeout=40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert process.returncode == 0, errors
    return said


INTERRUPTED = {
    "while it logs": "say(number)",
    "while it flushes": "say(number); raindrop_logging.flush(5.0)",
    "while it asks for figures": "raindrop_logging.stats(); handler.stats()",
    "while it shuts down": "say(number); raindrop_logging.shutdown(5.0)",
}


@pytest.mark.slow
@pytest.mark.parametrize("work", INTERRUPTED.values(), ids=INTERRUPTED)
def test_a_signal_handler_that_logs_in_the_middle_of_a_call_does_no_harm(
    work: str, recorder: Recorder, tmp_path: Path
) -> None:
    """Interrupted after each millisecond of its own work, nothing stands still, and each record arrives once."""
    body = f"""
    import faulthandler
    faulthandler.dump_traceback_later(25, exit=True)
    rung = 0
    def ring(*_):
        global rung
        rung += 1
        say(f"s{{rung}}")
        if time.monotonic() < until:  # a timer that went on by itself would leave a slow machine no time for the rest
            signal.setitimer(signal.ITIMER_REAL, 0.001)
    signal.signal(signal.SIGALRM, ring)
    say("first")
    until = time.monotonic() + 2.0
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    number = 0
    while time.monotonic() < until:
        number += 1
        {work}
    signal.setitimer(signal.ITIMER_REAL, 0)
    raindrop_logging.flush(10.0)
    stats = raindrop_logging.stats()
    print(rung, stats.accepted, stats.delivered, stats.waiting, sum(stats.dropped.values()))
    """
    rung, accepted, delivered, waiting, dropped = map(int, _run(recorder, tmp_path, body).split())
    assert rung > 10
    assert (waiting, dropped, delivered) == (0, 0, accepted)
    arrived = _events(recorder)
    assert len(arrived) == accepted
    assert {f"es{one}" for one in range(1, rung + 1)} <= set(arrived)


def test_what_is_left_in_memory_at_the_exit_is_tried_once_more(recorder: Recorder, tmp_path: Path) -> None:
    """A server that was away when the record was logged gets it at the end of the process."""
    recorder.script(Answer(503))
    _run(recorder, tmp_path, "say(1)")
    assert _events(recorder) == ["e1", "e1"]


@pytest.mark.parametrize("durability", ["spill", "journal"])
def test_what_is_left_at_the_exit_is_sent_by_the_next_process(
    durability: str, recorder: Recorder, tmp_path: Path
) -> None:
    """Kept on disk, it goes with the first record of the next process, in order, before that ends."""
    recorder.default = Answer(503)
    _run(recorder, tmp_path, "say(1); say(2)", durability)
    before = len(recorder.requests)
    recorder.default = Answer()
    _run(recorder, tmp_path, "say(3); print(handler.stats().waiting)", durability)
    arrived = [item["event"] for request in recorder.requests[before:] for item in request.json]
    assert sorted(arrived) == ["e1", "e2", "e3"]
    _run(recorder, tmp_path, "", durability)
    assert len(_events(recorder)) == before_items(recorder, before) + 3


def before_items(recorder: Recorder, requests: int) -> int:
    """Items in the first so many requests."""
    return sum(len(request.json) for request in recorder.requests[:requests])


@pytest.mark.parametrize("durability", ["spill", "journal"])
def test_a_process_that_logs_nothing_sends_what_was_left(durability: str, recorder: Recorder, tmp_path: Path) -> None:
    """Its end is enough."""
    recorder.default = Answer(503)
    _run(recorder, tmp_path, "say(1)", durability)
    before = len(recorder.requests)
    recorder.default = Answer()
    _run(recorder, tmp_path, "", durability)
    assert [item["event"] for request in recorder.requests[before:] for item in request.json] == ["e1"]


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "killed"])
def test_a_process_that_stops_right_after_the_call_has_delivered(
    how: signal.Signals, recorder: Recorder, tmp_path: Path
) -> None:
    """As a function that is frozen between two invocations: nothing of what was logged waits for it to go on."""
    process = _start(recorder, tmp_path, f"say(1); os.kill(os.getpid(), {int(how)})")
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert _events(recorder) == ["e1"]
    finally:
        process.kill()
        process.communicate()


def test_a_frozen_process_goes_on_where_it_was(recorder: Recorder, tmp_path: Path) -> None:
    """Thawed, it delivers its next record, over a new connection if need be, and the first one is not sent again."""
    process = _start(recorder, tmp_path, f"say(1); os.kill(os.getpid(), {int(signal.SIGSTOP)}); say(2)")
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        os.kill(process.pid, signal.SIGCONT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
    assert _events(recorder) == ["e1", "e2"]


@pytest.mark.parametrize("durability", [[], ["journal"]], ids=["memory", "journal"])
def test_a_flush_in_a_signal_handler_never_hangs(durability: list[str], recorder: Recorder, tmp_path: Path) -> None:
    """It comes while this thread delivers: it answers at once, and what it logged goes out when that goes on."""
    body = """
    import time
    rung = 0
    def ring(_number, _frame):
        global rung
        rung += 1
        say(f"s{rung}")
        raindrop_logging.flush(1.0)
    signal.signal(signal.SIGALRM, ring)
    say("first")
    signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
    number = 0
    until = time.monotonic() + 2.0
    while time.monotonic() < until:
        number += 1
        say(number)
    signal.setitimer(signal.ITIMER_REAL, 0)
    raindrop_logging.flush(10.0)
    print(rung, number, raindrop_logging.stats().waiting)
    """
    rung, number, waiting = map(int, _run(recorder, tmp_path, body, *durability).split())
    assert (rung > 10, waiting) == (True, 0)
    assert len(set(_events(recorder))) == 1 + rung + number


def test_a_child_of_multiprocessing_keeps_nothing_back(recorder: Recorder, tmp_path: Path) -> None:
    """It ends without Python's own exit, and an interaction that is open there is sent all the same."""
    body = """
    import multiprocessing
    def work(): log.info("begin", extra={"raindrop": {"event_id": "i", "user_id": "u", "event": "run", "input": "q"}})
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    """
    _run(recorder, tmp_path, body)
    (partial,) = recorder.bodies("events/track_partial")
    assert (partial["event_id"], partial["is_pending"]) == ("i", True)
