"""How a process may end, and what of its records is kept then: the README's exit table, a test a cell."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import pytest

import raindrop_logging
from tests.processes.children import DURABILITIES, Child, Ended, closed_endpoint, each_once, keys_of, names, restart

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.recorder import Recorder

pytestmark = [pytest.mark.each_python, pytest.mark.slow]

PROGRAM: Final = """
for number in range(20):
    say(f"e{number}")
"""

CROWD: Final = PROGRAM.replace("20", "2_000")

SAID: Final = [f"e{number}" for number in range(20)]

OWN_ENDS: Final = {
    "return": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "an exception": ("raise RuntimeError('the service failed')", 1),
    "SIGTERM, handled": ("raindrop_logging.install_signal_handlers()\nKILL(SIGTERM)", -signal.SIGTERM),
}
"""Ends in which Python, or this package, has its say: what to run, and the exit code."""

SUDDEN_ENDS: Final = {
    "SIGTERM": ("KILL(SIGTERM)", -signal.SIGTERM),
    "kill -9": ("KILL(SIGKILL)", -signal.SIGKILL),
    "os._exit": ("os._exit(9)", 9),
}
"""Ends in which nobody has."""

NEEDS: Final = {"SIGTERM, handled": "install_signal_handlers"}
"""What this version has to offer for an end to be possible."""

WAIT_IN_VAIN: Final = 0.5
"""Seconds that an end waits for a server that is down."""

own_ends = pytest.mark.parametrize("end", OWN_ENDS)
sudden_ends = pytest.mark.parametrize("end", SUDDEN_ENDS)
each_durability = pytest.mark.parametrize("durability", DURABILITIES)


@own_ends
@each_durability
def test_server_up(recorder: Recorder, tmp_path: Path, end: str, durability: str) -> None:
    """Everything is delivered by the process that logged it, once, and nothing is left for the next one."""
    _end(end, durability, recorder.endpoint, tmp_path)
    assert names(recorder) == SAID
    requests = len(recorder.requests)
    _next(durability, recorder, tmp_path)
    assert len(recorder.requests) == requests


@own_ends
def test_server_down_memory(recorder: Recorder, tmp_path: Path, end: str) -> None:
    """What the server did not take is lost, counted and told."""
    with closed_endpoint() as nowhere:
        ended = _end(end, "memory", nowhere, tmp_path, wait=WAIT_IN_VAIN)
    assert "lost at exit (20 records)" in ended.errors
    _next("memory", recorder, tmp_path)
    assert recorder.requests == []


@own_ends
@pytest.mark.parametrize("durability", ["spill", "journal"])
def test_server_down_on_disk(recorder: Recorder, tmp_path: Path, end: str, durability: str) -> None:
    """What the server did not take is in the spool, is told to be, and the next process sends it."""
    with closed_endpoint() as nowhere:
        ended = _end(end, durability, nowhere, tmp_path, wait=WAIT_IN_VAIN)
    assert "kept (20 records)" in ended.errors
    _next(durability, recorder, tmp_path)
    assert names(recorder) == SAID


@sudden_ends
@pytest.mark.parametrize("server", ["up", "down"])
def test_a_sudden_end_with_a_journal(recorder: Recorder, tmp_path: Path, end: str, server: str) -> None:
    """Every record whose log call returned is sent, by this process or the next one."""
    with closed_endpoint() as nowhere:
        _end(end, "journal", recorder.endpoint if server == "up" else nowhere, tmp_path)
    _next("journal", recorder, tmp_path)
    assert names(recorder) == SAID


@sudden_ends
def test_a_sudden_end_with_spill(recorder: Recorder, tmp_path: Path, end: str) -> None:
    """The queue is lost; what had no room in memory was spilled, and is sent once."""
    with closed_endpoint() as nowhere:
        _end(end, "spill", nowhere, tmp_path, program=CROWD, max_queue_size=5)
    _next("spill", recorder, tmp_path)
    assert each_once(recorder)


@sudden_ends
@pytest.mark.parametrize("durability", ["memory", "spill"])
def test_a_sudden_end_costs_the_queue_alone(recorder: Recorder, tmp_path: Path, end: str, durability: str) -> None:
    """What was flushed before is there, once, and the next process does not send it again."""
    _end(end, durability, recorder.endpoint, tmp_path, program=f"{PROGRAM}assert raindrop_logging.flush(20)\n")
    assert names(recorder) == SAID
    requests = len(recorder.requests)
    _next(durability, recorder, tmp_path)
    assert len(recorder.requests) == requests


def _end(
    end: str,
    durability: str,
    endpoint: str,
    directory: Path,
    *,
    program: str = PROGRAM,
    wait: float = 20.0,
    **more: object,
) -> Ended:
    """Run a program to that end, which may ``wait`` for the server."""
    needed = NEEDS.get(end)
    if needed is not None and not hasattr(raindrop_logging, needed):
        pytest.skip(f"this version has no {needed}")
    last, code = {**OWN_ENDS, **SUDDEN_ENDS}[end]
    last = last.replace("KILL(", "os.kill(os.getpid(), signal.")
    keys = keys_of(durability, directory, endpoint=endpoint, **more)
    with Child(f"{program}{last}\n", **{**keys, "shutdown_timeout": wait}) as child:
        ended = child.ended()
    assert ended.code == code, ended.errors
    return ended


def _next(durability: str, recorder: Recorder, directory: Path) -> None:
    restart(**keys_of(durability, directory, endpoint=recorder.endpoint))
