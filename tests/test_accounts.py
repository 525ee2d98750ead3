"""Every record ends once: what was accepted is delivered, refused, dropped for a reason, or waiting.

The receiver counts by itself. Each record carries a mark of its own, and what the receiver confirmed is what it has
seen in requests that it answered with a 2xx.
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raindrop_logging import RaindropHandler, Stats
from tests.conftest import logging_restored
from tests.wire.harness import PATIENCE, attach, log, say
from tests.wire.recorder import Answer, Recorder, Request

QUICK: dict[str, Any] = {"base_delay": 0.01, "max_delay": 0.02, "jitter": 0, "timeout": 5.0, "upload_interval": 0.05}
MARK = re.compile(rb"mark_[0-9]+_")


class Counted:
    """What a recorder has confirmed; ``answers`` says by the body what it answers, and 204 confirms."""

    def __init__(self, recorder: Recorder, answers: Callable[[bytes], int] = lambda _: 204) -> None:
        self.marks: set[bytes] = set()
        self.times = 0
        self.answers = answers
        recorder.judge = self._judge

    def _judge(self, request: Request) -> Answer:
        status = self.answers(request.body)
        if status < 300:
            self.marks |= set(MARK.findall(request.body))
            self.times += len(set(MARK.findall(request.body)))
        return Answer(status)


def event(number: int, **fields: Any) -> dict[str, Any]:
    """A block with a mark."""
    mark = f"mark_{number}_"
    return {"type": "event", "user_id": "u", "event": mark, "properties": {mark: True}, **fields}


def balanced(stats: Stats) -> bool:
    """Whether every record that was accepted is accounted for."""
    return stats.accepted == stats.delivered + stats.refused + sum(stats.dropped.values()) + stats.waiting


def _come_to_rest(handler: RaindropHandler) -> None:
    """Wait until the figures add up: while records move, those that move may be seen twice or not at all."""
    deadline = time.monotonic() + PATIENCE
    while not balanced(handler.stats()):
        assert time.monotonic() < deadline, handler.stats()
        time.sleep(0.01)


# ---- one situation each

ALL_TYPES: list[dict[str, Any]] = [
    event(1),
    {"type": "ai", "user_id": "u", "event": "e", "input": "q", "properties": {"mark_2_": 1}},
    {"type": "begin", "event_id": "i", "user_id": "u", "event": "e", "input": "q", "properties": {"mark_3_": 1}},
    {"type": "update", "event_id": "i", "properties": {"mark_4_": 1}},
    {"type": "signal", "event_id": "i", "name": "s", "properties": {"mark_5_": 1}},
    {"type": "finish", "event_id": "i", "output": "a", "properties": {"mark_6_": 1}},
    {"type": "identify", "user_id": "u", "traits": {"mark_7_": "x"}},
    {"type": "span", "kind": "tool", "name": "t", "event_id": "i", "attributes": {"mark_8_": "x"}},
    {"type": "begin", "event_id": "open", "user_id": "u", "event": "e", "input": "q", "properties": {"mark_9_": 1}},
]


@pytest.mark.parametrize("durability", ["memory", "spill", "journal"])
def test_what_is_valid_is_delivered(durability: str, recorder: Recorder, tmp_path: Path) -> None:
    """One record of each type: as many are delivered as the receiver confirmed, and nothing waits."""
    counted = Counted(recorder)
    handler = attach(recorder.endpoint, **QUICK, **_disk(durability, tmp_path))
    for block in ALL_TYPES:
        say(block)
    assert handler.flush(PATIENCE)
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, stats.dropped, stats.waiting) == (9, 9, {}, 0)
    assert len(counted.marks) == 9


@pytest.mark.parametrize("durability", ["memory", "spill", "journal"])
def test_what_is_invalid_is_dropped_as_that(durability: str, recorder: Recorder, tmp_path: Path) -> None:
    """Blocks with a fault are counted by reason, and those beside them are delivered."""
    counted = Counted(recorder)
    handler = attach(recorder.endpoint, **QUICK, **_disk(durability, tmp_path))
    bad: list[object] = [{"type": "evnt"}, 7, {"type": "ai", "event": "e"}, {"type": "finish", "event_id": 3}, [], "x"]
    for number, block in enumerate(bad):
        say(event(number))
        say(block)
    assert handler.flush(PATIENCE)
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, stats.dropped) == (12, 6, {"invalid": 6})
    assert (len(counted.marks), balanced(stats)) == (6, True)


@pytest.mark.parametrize("durability", ["memory", "spill", "journal"])
def test_what_the_receiver_refuses_is_refused_and_nothing_else(
    durability: str, recorder: Recorder, tmp_path: Path
) -> None:
    """A batch is split until only the culprits are refused."""
    counted = Counted(recorder, lambda body: 400 if b"culprit" in body else 204)
    handler = attach(recorder.endpoint, **QUICK, **_disk(durability, tmp_path))
    for number in range(20):
        say(event(number, event="culprit" if number in {3, 17} else "fine"))
    assert handler.flush(PATIENCE)
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, stats.refused, stats.dropped, stats.waiting) == (20, 18, 2, {}, 0)
    assert len(counted.marks) == 18


def test_what_nobody_took_in_time_is_expired(recorder: Recorder) -> None:
    """Beyond retry_budget records are dropped as expired; a server that comes back gets what comes then."""
    counted = Counted(recorder, lambda _: 503)
    handler = attach(recorder.endpoint, **QUICK, retry_budget=0.1)
    for number in range(5):
        say(event(number))
    handler.flush(PATIENCE)
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, stats.dropped) == (5, 0, {"expired": 5})
    counted.answers = lambda _: 204
    say(event(9))
    assert handler.flush(PATIENCE)
    assert (handler.stats().delivered, len(counted.marks), balanced(handler.stats())) == (1, 1, True)


@pytest.mark.parametrize("when_full", ["drop_oldest", "drop_newest", "block"])
def test_what_had_no_room_in_memory_is_queue_full(when_full: str, recorder: Recorder) -> None:
    """With a server that does not answer, the sender's share and the queue fill up, and the rest is counted."""
    gate = threading.Event()
    counted = Counted(recorder)
    recorder.script(*[Answer(gate=gate)] * 4)
    handler = attach(
        recorder.endpoint, **QUICK, upload_size=1, max_queue_size=5, when_full=when_full, block_timeout=0.01
    )
    for number in range(2_450):
        say(event(number))
    _come_to_rest(handler)
    gate.set()
    recorder.wait_for(4)
    assert handler.flush(PATIENCE)
    stats = handler.stats()
    assert stats.dropped["queue_full"] >= 10
    assert balanced(stats)
    scripted = {mark for request in recorder.requests[:4] for mark in MARK.findall(request.body)}
    assert stats.delivered == len(counted.marks | scripted)


def test_what_had_no_room_on_disk_is_spool_full(recorder: Recorder, tmp_path: Path) -> None:
    """A journal of a few kilobytes keeps what fits, delivers that, and counts the rest."""
    counted = Counted(recorder, lambda _: 503)
    handler = attach(recorder.endpoint, **QUICK, **_disk("journal", tmp_path), spool_max_bytes=4_000)
    for number in range(200):
        say(event(number))
    _come_to_rest(handler)
    counted.answers = lambda _: 204
    assert handler.flush(PATIENCE)
    stats = handler.stats()
    assert stats.dropped["spool_full"] > 0
    assert stats.dropped.keys() == {"spool_full"}
    assert (stats.delivered, balanced(stats), stats.waiting) == (len(counted.marks), True, 0)


def test_spill_loses_nothing_of_what_a_full_queue_would_have(recorder: Recorder, tmp_path: Path) -> None:
    """What memory has no room for waits on disk, and is delivered when the server is back."""
    counted = Counted(recorder, lambda _: 503)
    handler = attach(recorder.endpoint, **QUICK, **_disk("spill", tmp_path), max_queue_size=5, upload_size=1)
    for number in range(600):
        say(event(number))
    _come_to_rest(handler)
    counted.answers = lambda _: 204
    assert handler.flush(PATIENCE)
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, stats.dropped, len(counted.marks)) == (600, 600, {}, 600)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"mode": "off"}, "off"),
        ({"enabled": False}, "off"),
        ({"write_key": None}, "no_destination"),
        ({"tracing": False}, "tracing_off"),
    ],
)
def test_what_goes_nowhere_is_dropped_as_that(keys: dict[str, Any], reason: str, recorder: Recorder) -> None:
    """Switched off, without a destination, or spans where there is no tracing: each is a reason of its own."""
    counted = Counted(recorder)
    handler = attach(recorder.endpoint, **QUICK, **keys)
    for block in ALL_TYPES:
        say(block)
    assert handler.flush(PATIENCE)
    stats = handler.stats()
    dropped = 1 if reason == "tracing_off" else 9
    assert (stats.accepted, stats.dropped, stats.delivered) == (9, {reason: dropped}, 9 - dropped)
    assert len(counted.marks) == 9 - dropped


@pytest.mark.parametrize("redact", [False, True])
@pytest.mark.parametrize("mode", ["thread", "sync"])
@pytest.mark.parametrize("durability", ["memory", "spill", "journal"])
def test_at_the_end_of_the_callers_stack_a_record_ends_once(
    durability: str, mode: str, redact: bool, recorder: Recorder, tmp_path: Path
) -> None:
    """Wherever the recursion limit cuts a log call off, its record is taken whole or dropped, and counted once."""
    keys = {**QUICK, **_disk(durability, tmp_path), "mode": mode, "redact": redact}
    counted = Counted(recorder)
    handler = attach(recorder.endpoint, **keys)
    say(event(0))
    assert handler.flush(PATIENCE)
    said = 1
    for deep in range(sys.getrecursionlimit()):
        record = log.makeRecord("shop", logging.INFO, __file__, 1, "said", (), None, extra={"raindrop": event(said)})
        with suppress(RecursionError):
            said += _handled_within(deep, handler, record)
    assert said > 200
    assert handler.flush(PATIENCE)
    stats = handler.stats()
    assert (balanced(stats), stats.waiting, stats.delivered) == (True, 0, len(counted.marks))
    assert stats.accepted <= said
    assert stats.dropped.get("internal", 0) <= 40


def _handled_within(deep: int, handler: RaindropHandler, record: logging.LogRecord) -> int:
    """Have a record handled so many calls further in; 1 once it was."""
    if deep:
        return _handled_within(deep - 1, handler, record)
    handler.handle(record)
    return 1


# ---- the end of a process, and the next one

PROGRAM = """
import json, logging, sys
import raindrop_logging
endpoint, directory, durability, first, number = sys.argv[1:]
disk = {} if durability == "memory" else {"spool_dir": directory, "durability": durability}
keys = {"write_key": "k", "endpoint": endpoint, "shutdown_timeout": 0.3, "base_delay": 0.05, **disk}
handler = raindrop_logging.RaindropHandler(**keys)
logging.basicConfig(level="INFO", handlers=[handler])
log = logging.getLogger("shop")
for one in range(int(first), int(first) + int(number)):
    log.info("event", extra={"raindrop": {"user_id": "u", "event": "e", "properties": {f"mark_{one}_": True}}})
    log.info("begin", extra={"raindrop": {"event_id": f"i{one}", "user_id": "u", "event": "e", "input": "q"}})
    log.info("finish", extra={"raindrop": {"event_id": f"i{one}", "output": "a"}})
raindrop_logging.shutdown(10.0 if int(number) == 0 else 0.3)
import msgspec
print(json.dumps(msgspec.to_builtins(raindrop_logging.stats())))
"""


def _process(recorder: Recorder, directory: Path, durability: str, first: int, number: int) -> Stats:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, recorder.endpoint, str(directory), durability, str(first), str(number)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return Stats(**json.loads(ended.stdout))


def test_in_memory_what_is_left_at_the_end_is_lost_and_counted(recorder: Recorder, tmp_path: Path) -> None:
    """Nobody takes the records: all of them are dropped as `exit`, and the next process has none of them."""
    counted = Counted(recorder, lambda _: 503)
    ended = _process(recorder, tmp_path, "memory", 0, 5)
    assert (ended.accepted, ended.delivered, ended.dropped, ended.waiting) == (15, 0, {"exit": 15}, 0)
    counted.answers = lambda _: 204
    following = _process(recorder, tmp_path, "memory", 5, 0)
    assert (following.accepted, following.replayed, counted.marks) == (0, 0, set())


@pytest.mark.parametrize("durability", ["spill", "journal"])
def test_on_disk_what_is_left_at_the_end_waits_and_is_the_next_processs(
    durability: str, recorder: Recorder, tmp_path: Path
) -> None:
    """What waited in one process is accepted as replayed by the next, and delivered there, each record once."""
    counted = Counted(recorder, lambda _: 503)
    ended = _process(recorder, tmp_path, durability, 0, 5)
    assert (ended.accepted, ended.delivered, ended.dropped, ended.waiting) == (15, 0, {}, 15)
    counted.answers = lambda _: 204
    following = _process(recorder, tmp_path, durability, 5, 0)
    assert (following.accepted, following.replayed, following.delivered) == (15, 15, 15)
    assert (following.dropped, following.waiting, balanced(following)) == ({}, 0, True)
    assert (len(counted.marks), counted.times) == (5, 5)
    third = _process(recorder, tmp_path, durability, 5, 0)
    assert (third.accepted, third.replayed) == (0, 0)


@pytest.mark.parametrize("durability", ["spill", "journal"])
def test_a_process_that_adds_its_own_counts_both(durability: str, recorder: Recorder, tmp_path: Path) -> None:
    """Records of earlier processes and one's own add up, over as many processes as it takes."""
    counted = Counted(recorder, lambda _: 503)
    first = _process(recorder, tmp_path, durability, 0, 3)
    second = _process(recorder, tmp_path, durability, 10, 4)
    assert (first.waiting, second.waiting, balanced(second)) == (9, second.accepted, True)
    counted.answers = lambda _: 204
    third = _process(recorder, tmp_path, durability, 20, 0)
    assert (third.delivered, third.waiting, balanced(third)) == (third.accepted, 0, True)
    assert len(counted.marks) == 7


@pytest.mark.parametrize("durability", ["spill", "journal"])
def test_a_handler_that_goes_on_after_a_shutdown_sends_what_was_kept(
    durability: str, recorder: Recorder, tmp_path: Path
) -> None:
    """A shutdown keeps what nobody took; the next record of the same process brings it along."""
    counted = Counted(recorder, lambda _: 503)
    handler = attach(recorder.endpoint, **QUICK, **_disk(durability, tmp_path))
    for number in range(6):
        say(event(number))
    handler.shutdown(0.3)
    stats = handler.stats()
    assert (stats.accepted, stats.waiting, stats.dropped) == (6, 6, {})
    counted.answers = lambda _: 204
    say(event(6))
    assert handler.flush(PATIENCE)
    stats = handler.stats()
    assert (stats.accepted, stats.replayed, stats.delivered, stats.waiting) == (7, 0, 7, 0)
    assert len(counted.marks) == 7, "what was on its way when it ended may come twice"


# ---- any mix

MODES: list[dict[str, Any]] = [
    {"durability": "memory"},
    {"durability": "memory", "max_queue_size": 2},
    {"durability": "spill", "max_queue_size": 3},
    {"durability": "journal"},
    {"durability": "journal", "spool_max_bytes": 3_000},
    {"durability": "memory", "mode": "sync"},
    {"durability": "journal", "mode": "sync"},
]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(["event", "ai", "signal", "identify", "span", "invalid"])),
        st.tuples(st.just("say"), st.sampled_from(["begin", "update", "finish"])),
        st.tuples(st.just("answer"), st.sampled_from([204, 204, 400, 503, 401])),
        st.tuples(st.sampled_from(["flush", "shutdown"]), st.just("")),
    ),
    max_size=25,
)


class Mix:
    """A service that does as the steps say."""

    def __init__(self, handler: RaindropHandler, counted: Counted) -> None:
        self.handler, self.counted, self.said = handler, counted, 0

    def do(self, step: str, what: Any) -> None:
        """One step."""
        getattr(self, f"_{step}")(what)

    def _say(self, what: str) -> None:
        self.said += 1
        mark = {f"mark_{self.said}_": "x"}
        fields: dict[str, Any] = {"event_id": f"i{self.said % 3}", "properties": mark}
        more: dict[str, dict[str, Any]] = {
            "ai": {"user_id": "u", "event": "e", "input": "q"},
            "event": {"user_id": "u", "event": "e", "event_id": None},
            "signal": {"name": "s"},
            "span": {"kind": "tool", "name": "t", "properties": None, "attributes": mark},
            "identify": {"user_id": "u", "traits": mark, "properties": None, "event_id": None},
            "begin": {"user_id": "u", "event": "e", "input": "q"},
            "finish": {"user_id": "u", "event": "e", "output": "a"},
            "update": {"user_id": "u", "event": "e"},
        }
        block = {"type": what, **fields, **more.get(what, {})}
        say({key: value for key, value in block.items() if value is not None})

    def _answer(self, status: int) -> None:
        self.counted.answers = lambda _: status

    def _flush(self, _: object) -> None:
        self.handler.flush(0.05)

    def _shutdown(self, _: object) -> None:
        self.handler.shutdown(0.05)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=st.sampled_from(MODES), steps=steps)
def test_whatever_happens_the_figures_add_up(
    keys: dict[str, Any], steps: list[tuple[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any records, answers, flushes and shutdowns in any order: at rest nothing is missing, nothing is twice."""
    directory = tmp_path_factory.mktemp("spool")
    with Recorder() as recorder, logging_restored():
        logging.getLogger("raindrop_logging").addHandler(logging.NullHandler())
        counted = Counted(recorder)
        given_keys = {**QUICK, **keys, **({} if keys["durability"] == "memory" else {"spool_dir": str(directory)})}
        handler = attach(recorder.endpoint, **given_keys)
        mix = Mix(handler, counted)
        for step, what in steps:
            mix.do(step, what)
        counted.answers = lambda _: 204
        handler.flush(PATIENCE)
        stats = handler.stats()
        assert balanced(stats), stats
        assert (stats.accepted, stats.replayed, stats.waiting) == (mix.said, 0, 0), stats
        lost = stats.refused + sum(stats.dropped.values())
        assert len(counted.marks) <= mix.said
        assert stats.delivered <= len(counted.marks) <= stats.delivered + lost, stats


def _disk(durability: str, directory: Path) -> dict[str, Any]:
    return {} if durability == "memory" else {"durability": durability, "spool_dir": str(directory / "spool")}
