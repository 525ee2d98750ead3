"""A process in which gevent has replaced threads, locks and sockets: it delivers, and it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.processes.deployment import LOGGING, deployed, events

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.recorder import Recorder

pytest.importorskip("gevent")

PATCHED = "from gevent import monkey; monkey.patch_all()\nimport gevent, signal\n" + LOGGING


def _run(recorder: Recorder, directory: Path, body: str) -> int:
    with deployed(recorder, directory, "-c", PATCHED + body) as process:
        return process.ends()


def test_what_greenlets_log_arrives_and_the_process_ends(recorder: Recorder, tmp_path: Path) -> None:
    """Ten greenlets log and the program returns; it has sent before, since gevent resolves no first name at exit."""
    body = "say('e'); raindrop_logging.flush(10); gevent.joinall([gevent.spawn(say, f'e{n}') for n in range(10)])"
    assert _run(recorder, tmp_path, body) == 0
    assert events(recorder) == ["e", *(f"e{n}" for n in range(10))]


def test_a_flush_lets_other_greenlets_run(recorder: Recorder, tmp_path: Path) -> None:
    """While one waits for the server, others go on."""
    body = """
ticks = []
def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.001)
gevent.spawn(tick)
say("e")
assert raindrop_logging.flush(10)
assert len(ticks) > 1, ticks
"""
    assert _run(recorder, tmp_path, body) == 0
    assert events(recorder) == ["e"]


WAITS = {"in a greenlet that works": "while True: sum(range(1000))", "in the hub": "gevent.sleep(60)"}


@pytest.mark.parametrize("waits", WAITS.values(), ids=WAITS)
def test_sigterm_delivers_and_the_process_dies_by_it(recorder: Recorder, tmp_path: Path, waits: str) -> None:
    """With `install_signal_handlers`, wherever the signal finds the process."""
    body = f"""
raindrop_logging.install_signal_handlers()
say("e")
print("ready", flush=True)
{waits}
"""
    with deployed(recorder, tmp_path, "-c", PATCHED + body) as process:
        process.says("ready")
        assert process.stops() == -15, process.output.read_text()
    assert events(recorder) == ["e"], process.output.read_text()


OWN = {"listener": 'redact="__main__:killed"', "sender": "transport=Killed()"}


@pytest.mark.parametrize("thread", OWN)
def test_a_signal_that_finds_a_greenlet_of_ours_at_work_does_not_make_it_wait_for_itself(
    recorder: Recorder, tmp_path: Path, thread: str
) -> None:
    """The listener, or a sender in the middle of a request, goes on with what the drain waits for."""
    body = f"""
import httpx, threading

def killed(text):
    if not asked:
        asked.append(threading.current_thread().name)
        print("found", asked, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
    return text

class Killed(httpx.HTTPTransport):
    def handle_request(self, request):
        killed("")
        return super().handle_request(request)

asked = []
log.addHandler(raindrop_logging.RaindropHandler(upload_interval=0.1, {OWN[thread]}))
log.propagate = False
raindrop_logging.install_signal_handlers()
say("e")
gevent.sleep(60)
"""
    with deployed(recorder, tmp_path, "-c", PATCHED + body) as process:
        assert process.ends() == -15, process.output.read_text()
    assert f"found ['raindrop-{thread}" in process.output.read_text()
    assert events(recorder) == ["e"], process.output.read_text()
