"""A function as Lambda runs it: its process is frozen, or gone for good, the moment its handler has returned."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

import raindrop_logging
from raindrop_logging.contrib.aws_lambda import deliver
from tests.processes.deployment import LOGGING, deployed, events
from tests.wire.recorder import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.recorder import Recorder

RUNTIME = (
    LOGGING
    + """
import signal
from raindrop_logging.contrib.aws_lambda import deliver
class Context:
    def get_remaining_time_in_millis(self): return 30_000
@deliver()
def handler(event, context):
    say(event["name"])
    if event.get("raise"): raise RuntimeError("no")
    return "done"
def frozen(signum): os.kill(os.getpid(), signum)
"""
)
SECONDS_LEFT: Final = 1.0


class Context:
    """What Lambda tells a handler of its invocation, as far as it is asked for here."""

    def get_remaining_time_in_millis(self) -> int:
        """A second is left."""
        return int(SECONDS_LEFT * 1000)


def test_a_process_killed_right_after_the_return_has_delivered(recorder: Recorder, tmp_path: Path) -> None:
    """Two invocations, one of which raises, and then nothing runs any more: both arrived, once."""
    program = """
try: handler({"name": "raises", "raise": True}, Context())
except RuntimeError: pass
assert handler({"name": "returns"}, Context()) == "done"
frozen(signal.SIGKILL)
"""
    with deployed(recorder, tmp_path, "-c", RUNTIME + program) as function:
        assert function.ends() == -9, function.output.read_text()
    assert events(recorder) == ["raises", "returns"]


def test_a_process_that_is_frozen_and_woken_goes_on(recorder: Recorder, tmp_path: Path) -> None:
    """Stopped between two invocations, as long as it may be: the first has arrived by then, the second follows."""
    import os
    import signal

    program = """
handler({"name": "first"}, Context())
frozen(signal.SIGSTOP)
handler({"name": "second"}, Context())
frozen(signal.SIGKILL)
"""
    with deployed(recorder, tmp_path, "-c", RUNTIME + program) as function:
        _, status = os.waitpid(function.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert events(recorder) == ["first"]
        function.process.send_signal(signal.SIGCONT)
        assert function.ends() == -9
    assert events(recorder) == ["first", "second"]


@pytest.fixture
def hung(recorder: Recorder) -> raindrop_logging.RaindropHandler:
    """A handler whose server does not answer, and which would wait a minute for it."""
    recorder.default = Answer(gate=threading.Event())
    return raindrop_logging.init("rk_lambda", endpoint=recorder.endpoint, shutdown_timeout=60.0)


CASES = {
    "what Lambda leaves": (None, Context()),
    "less, where it is said": (0.3, Context()),
    "what is said, where Lambda says nothing": (0.3, None),
}


@pytest.mark.usefixtures("hung")
@pytest.mark.parametrize(("timeout", "context"), CASES.values(), ids=CASES)
def test_it_waits_no_longer_than(timeout: float | None, context: Any) -> None:
    """A server that does not answer never makes an invocation fail, and what it returns is returned."""

    @deliver(timeout)
    def handler(event: str, _context: Any) -> str:
        raindrop_logging.track_ai("u", "chat", input=event)
        return event.upper()

    started = time.monotonic()
    assert handler("hello", context) == "HELLO"
    assert time.monotonic() - started < (SECONDS_LEFT if timeout is None else timeout + 0.5)
    assert raindrop_logging.stats().waiting == 1
