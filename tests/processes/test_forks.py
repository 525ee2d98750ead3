"""A process that forks while it logs and sends loses nothing, and no child says what its parent said."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

import pytest

from tests.processes.children import DURABILITIES, Child, each_once, keys_of, run, wait_until
from tests.wire.recorder import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.recorder import Recorder, Request

FORKING: Final = """
busy = True

def chatter():
    number = 0
    while busy:
        say(f"t{number}")
        number += 1
        time.sleep(0.005)
    told("chatter", number)

talker = threading.Thread(target=chatter, daemon=True)
talker.start()
alive = []

def reap(most):
    while len(alive) > most:
        child = alive.pop(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code == 0, code

for number in range(FORKS):
    say(f"p{number}")
    child = os.fork()
    if child == 0:
        say(f"c{number}")
        if number % 2:
            sys.exit(0)
        result = raindrop_logging.shutdown()
        os._exit(0 if result else 1)
    alive.append(child)
    reap(4)
reap(0)
busy = False
talker.join()
"""

LONG_LIVED: Final = """
say("parent")
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        for turn in range(3):
            say(f"c{number}-{turn}")
            time.sleep(0.01)
        signal.pause()
    children.append(child)
sys.stdin.readline()
"""

IN_THE_MIDST: Final = """
from importlib.machinery import PathFinder, SourceFileLoader

class SlowLoader(SourceFileLoader):
    def exec_module(self, module):
        importing.set()
        time.sleep(1)
        super().exec_module(module)

class SlowDisk:
    @staticmethod
    def find_spec(name, path, target=None):
        if name != "stringprep" or importing.is_set():  # the last of what the first request imports
            return None
        spec = PathFinder.find_spec(name, path)
        spec.loader = SlowLoader(spec.loader.name, spec.loader.path)
        return spec

assert "stringprep" not in sys.modules
importing = threading.Event()
sys.meta_path.insert(0, SlowDisk)
say("parent")
assert importing.wait(30)
child = os.fork()
if child == 0:
    for _ in range(8):  # they get the numbers of the parent's threads, which own what is half done
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    say("child")
    os._exit(0 if raindrop_logging.shutdown() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""

each_durability = pytest.mark.parametrize("durability", DURABILITIES)


def _late(_: Request) -> None:
    time.sleep(0.05)  # a server that is some way off


@each_durability
@pytest.mark.parametrize("forks", [10, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(200)])])
def test_forks_while_requests_are_on_their_way(recorder: Recorder, tmp_path: Path, durability: str, forks: int) -> None:
    """Every record of parent and children arrives exactly once, and nobody hangs."""
    recorder.judge = _late
    body = FORKING.replace("FORKS", str(forks))
    ended = run(body, **keys_of(durability, tmp_path, endpoint=recorder.endpoint, upload_interval=0.02))
    (said,) = (int(line.split()[1]) for line in ended.lines)
    expected = [f"t{number}" for number in range(said)]
    expected += [f"{who}{number}" for who in "pc" for number in range(forks)]
    assert sorted(each_once(recorder)) == sorted(expected)


def test_a_fork_while_the_first_request_is_made(recorder: Recorder, tmp_path: Path) -> None:
    """What a request imports beside httpx is whole in a child as well, however long its import takes."""
    run(IN_THE_MIDST, **keys_of("memory", tmp_path, endpoint=recorder.endpoint, shutdown_timeout=10.0))
    assert sorted(each_once(recorder)) == ["child", "parent"]


@each_durability
def test_children_that_live_on_deliver(recorder: Recorder, tmp_path: Path, durability: str) -> None:
    """A child has a sender of its own: what it logs arrives while it lives, once."""
    expected = {"parent", *(f"c{number}-{turn}" for number in range(4) for turn in range(3))}
    with Child(LONG_LIVED, **keys_of(durability, tmp_path, endpoint=recorder.endpoint)) as child:
        wait_until(lambda: len(recorder.items("events/track")) >= len(expected))
        assert child.lines == []
    assert sorted(each_once(recorder)) == sorted(expected)


def test_a_fork_that_runs_no_hooks_leaves_nothing_of_the_parents_to_the_child(recorder: Recorder) -> None:
    """As under uWSGI: a child that logs nothing has nothing to wait for, though its parent's server hangs."""
    recorder.default = Answer(gate=threading.Event())
    program = """
import ctypes, logging, os, sys, time
import raindrop_logging
logging.basicConfig(level="INFO", handlers=[
    raindrop_logging.RaindropHandler(write_key="k", endpoint=sys.argv[1], upload_size=1, shutdown_timeout=0.5)])
logging.getLogger("shop").info("ai", extra=raindrop_logging.extra.ai(user_id="u", event="e", input="q"))
if ctypes.PyDLL(None).fork() == 0:
    result, stats = raindrop_logging.flush(30.0), raindrop_logging.stats()
    print(result.left, result.timed_out, stats.accepted, flush=True)
    os._exit(0)
os.wait()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, recorder.endpoint], capture_output=True, text=True, timeout=40, check=True
    )
    assert ended.stdout == "0 False 0\n"
