"""Trouble is told on a thread of its own: a handler of the application's that hangs or fails holds nobody up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import raindrop_logging
from raindrop_logging._pipeline.stats import Diagnostics
from tests.wire.harness import attach, diagnostics, say
from tests.wire.recorder import Answer, Recorder

BOUND = 0.5
MARGIN = 4.0
"""Seconds of a slow machine; the handler hangs for far longer."""
QUICK: dict[str, Any] = {"base_delay": 0.01, "max_delay": 0.02, "upload_interval": 0.02, "shutdown_timeout": BOUND}


class Hanging(logging.Handler):
    """A console that nobody reads: it takes a record and does not come back until the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.entered = threading.Event(), threading.Event()
        self.threads: list[str] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Hang, with the handler's own lock held, as a full pipe does."""
        self.threads.append(threading.current_thread().name)
        self.entered.set()
        self.gate.wait(30.0)
        self.lines.append(record.getMessage())


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    """It hears the package's lines, and is let go at the end."""
    handler = Hanging()
    logging.getLogger("raindrop_logging").addHandler(handler)
    yield handler
    handler.gate.set()
    logging.getLogger("raindrop_logging").removeHandler(handler)


def _event(number: int = 1) -> dict[str, Any]:
    return {"type": "event", "user_id": "u", "event": f"e{number}"}


@pytest.mark.parametrize("mode", ["thread", "sync"])
def test_a_handler_that_hangs_holds_no_log_call_and_no_delivery(
    mode: str, recorder: Recorder, hanging: Hanging
) -> None:
    """While a line of trouble is stuck, records go on being logged, carried and delivered."""
    handler = attach(recorder.endpoint, **QUICK, mode=mode)
    say({"type": "evnt"})
    started = time.monotonic()
    assert hanging.entered.wait(10.0)
    for number in range(50):
        say(_event(number))
    handler.flush(10.0)
    assert time.monotonic() - started < BOUND + MARGIN
    assert len(recorder.items("events/track")) == 50
    assert set(hanging.threads) == {"raindrop-diagnostics"}


@pytest.mark.parametrize("mode", ["thread", "sync"])
@pytest.mark.parametrize("end", ["flush", "shutdown"])
@pytest.mark.parametrize("whose", ["of the handler", "of all"])
def test_a_handler_that_hangs_holds_neither_flush_nor_shutdown(
    whose: str, end: str, mode: str, recorder: Recorder, hanging: Hanging
) -> None:
    """Their bound holds, and what they answer is right, although the operator cannot be told."""
    recorder.default = Answer(503)
    handler = attach(recorder.endpoint, **QUICK, mode=mode)
    say(_event())
    say({"type": "evnt"})
    started = time.monotonic()
    result = getattr(handler if whose == "of the handler" else raindrop_logging, end)(BOUND)
    assert time.monotonic() - started < BOUND + MARGIN
    assert hanging.entered.wait(10.0)
    assert (result.sent, result.left) == (0, 1)


def test_lines_are_told_in_order_and_one_at_a_time(recorder: Recorder, hanging: Hanging) -> None:
    """What comes while a line is stuck is told behind it, by a thread that waits, once it is free again."""
    handler = attach(recorder.endpoint, **QUICK)
    say({"type": "evnt"})
    assert hanging.entered.wait(10.0)
    recorder.default = Answer(503)
    say(_event())
    handler.shutdown(0.1)
    assert hanging.lines == []
    hanging.gate.set()
    deadline = time.monotonic() + 10.0
    while len(hanging.lines) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert hanging.lines[0].startswith("invalid (1 record)")
    assert "lost at exit (1 record)" in hanging.lines[-1]


def test_a_handler_that_fails_costs_its_line_only(recorder: Recorder, capfd: pytest.CaptureFixture[str]) -> None:
    """What raises in a handler ends nobody's thread; the line is on stderr, with the name of the failure."""

    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise LookupError(record.getMessage())

    logging.getLogger("raindrop_logging").addHandler(Failing())
    handler = attach(recorder.endpoint, **QUICK)
    say({"type": "evnt"})
    say(_event())
    assert handler.flush(10.0)
    assert len(recorder.items("events/track")) == 1
    handler.shutdown(1.0)
    assert "raised LookupError" in capfd.readouterr().err


def test_a_flush_waits_a_moment_until_the_operator_was_told(recorder: Recorder) -> None:
    """Who flushes and then looks at the log finds the trouble there."""
    heard = diagnostics()
    handler = attach(recorder.endpoint, **QUICK)
    say({"type": "evnt"})
    handler.flush(10.0)
    assert [line.partition(":")[0] for line in heard.lines] == ["invalid (1 record)"]


def test_a_handler_that_logs_and_flushes_itself_ends() -> None:
    """Telling from inside of what is told waits for nobody: least of all a thread for itself."""
    told: list[str] = []
    stage = Diagnostics(time.monotonic)

    class Flushing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())
            stage.note("again", "from inside", 0) if len(told) < 3 else None
            stage.tell(last_chance=True, wait=0.05)

    logging.getLogger("raindrop_logging").addHandler(Flushing())
    stage.note("first", "from outside", 0)
    stage.tell(wait=10.0)
    deadline = time.monotonic() + 10.0
    while len(told) < 3:
        assert time.monotonic() < deadline, told
        time.sleep(0.01)
    assert told == ["first: from outside", "again: from inside", "again: from inside"]
