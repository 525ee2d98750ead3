"""How a process may end, and what of its records is kept then: the README's exit table, a test a cell."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest

from tests.wire.recorder import Answer

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder

SERVICE = """
import atexit, logging, os, signal, sys, time
import raindrop_logging
logging.basicConfig(level="INFO", handlers=[raindrop_logging.RaindropHandler(write_key="k", endpoint=sys.argv[1])])
log = logging.getLogger("shop")
def say(number): log.info("ai", extra=raindrop_logging.extra.ai(user_id="u", event=f"e{number}", input="q"))
"""


def _run(recorder: Recorder, body: str) -> subprocess.CompletedProcess[str]:
    program = SERVICE + textwrap.dedent(body)
    return subprocess.run(
        [sys.executable, "-c", program, recorder.endpoint], capture_output=True, text=True, timeout=30, check=False
    )


def _events(recorder: Recorder) -> list[str]:
    return [item["event"] for item in recorder.items("events/track")]


ENDS = {
    "return": "",
    "sys.exit": "sys.exit(3)",
    "an exception": "raise RuntimeError('the service failed')",
    "sys.exit in a thread": "import threading; threading.Thread(target=sys.exit).start()",
    "KeyboardInterrupt": "os.kill(os.getpid(), signal.SIGINT); time.sleep(5)",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_process_that_ends_by_itself_delivers_everything(recorder: Recorder, end: str) -> None:
    """However Python itself ends, what was logged arrives."""
    _run(recorder, f"say(1)\nsay(2)\n{end}")
    assert _events(recorder) == ["e1", "e2"]


def test_an_open_interaction_arrives_as_pending(recorder: Recorder) -> None:
    """What began and did not finish is not lost with the process."""
    _run(recorder, "log.info('begin', extra=raindrop_logging.extra.begin(event_id='i', user_id='u', event='run'))")
    (partial,) = recorder.bodies("events/track_partial")
    assert (partial["event_id"], partial["is_pending"]) == ("i", True)


def test_what_an_atexit_hook_logs_arrives(recorder: Recorder) -> None:
    """Hooks that the service registered after the import run, and log, before the last flush."""
    _run(recorder, "atexit.register(say, 9)\nsay(1)")
    assert _events(recorder) == ["e1", "e9"]


def test_a_server_that_never_answers_holds_the_exit_no_longer_than_shutdown_timeout(recorder: Recorder) -> None:
    """The process ends, and says how many records it lost."""
    recorder.default = Answer(gate=threading.Event())
    ended = _run(recorder, "for n in range(7): say(n)")
    assert ended.returncode == 0
    assert "lost at exit (7 records)" in ended.stderr


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_a_process_that_is_killed_keeps_what_was_sent(recorder: Recorder, name: str) -> None:
    """In memory, a kill costs the queue and nothing else: what was flushed is there, once."""
    ended = _run(recorder, f"say(1)\nraindrop_logging.flush(5)\nsay(2)\nos.kill(os.getpid(), signal.{name})")
    assert ended.returncode == -getattr(signal, name)
    assert _events(recorder)[:1] == ["e1"]
    assert len(_events(recorder)) == len(set(_events(recorder)))
