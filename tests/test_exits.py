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


def test_records_of_a_handler_that_was_replaced_arrive(recorder: Recorder) -> None:
    """Configuring logging anew and ending loses nothing of what the old handler had taken."""
    _run(
        recorder,
        """
        import logging.config
        for number in range(20): say(number)
        logging.config.dictConfig({"version": 1, "root": {"level": "INFO", "handlers": []}})
        """,
    )
    assert len(_events(recorder)) == 20


def test_several_handlers_share_the_time_of_one_exit(recorder: Recorder) -> None:
    """A server that never answers holds three handlers no longer than one."""
    recorder.default = Answer(gate=threading.Event())
    ended = _run(
        recorder,
        """
        for number in range(3):
            logging.root.addHandler(raindrop_logging.RaindropHandler(
                write_key=f"k{number}", endpoint=sys.argv[1], shutdown_timeout=1.5))
        say(1)
        started = time.monotonic()
        from raindrop_logging._pipeline import registry
        atexit.unregister(registry.end)
        registry.end()
        print(time.monotonic() - started)
        """,
    )
    assert float(ended.stdout) < 4.5 + 1.5, "the first handler's 3 s and, within them, the others' 1.5 s"
    assert ended.stderr.count("lost at exit (1 record)") == 4


def test_a_server_that_is_back_is_asked_once_more_at_the_end(recorder: Recorder) -> None:
    """A pause between retries does not outlive the process."""
    recorder.script(Answer(503, headers={"Retry-After": "30"}))
    _run(recorder, "say(1)\nraindrop_logging.flush(0.5)")
    assert _events(recorder) == ["e1", "e1"]


def test_children_forked_while_the_parent_sends_its_first_record_send_theirs(recorder: Recorder) -> None:
    """What is imported late is never half imported in a child."""
    ended = _run(
        recorder,
        """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        say(0)
        children = []
        for number in range(1, 9):
            child = os.fork()
            if child == 0:
                say(number)
                os._exit(0 if raindrop_logging.flush(10) else 1)
            children.append(child)
        print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
        """,
    )
    assert ended.stdout.strip() == str([0] * 8)
    assert sorted(_events(recorder)) == [f"e{number}" for number in range(9)]
