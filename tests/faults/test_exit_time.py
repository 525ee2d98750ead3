"""A process ends in time, whatever the server does and however much waits."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults import faulty_server as faults

if TYPE_CHECKING:
    from tests.faults.faulty_server import Fault, FaultyServer

SHUTDOWN_SECONDS = 1.5

SERVICE = """
import json, logging, sys, time
import raindrop_logging
from raindrop_logging import extra
keys = json.loads(sys.argv[2])
handler = raindrop_logging.RaindropHandler(write_key="k", endpoint=sys.argv[1], **keys)
logging.basicConfig(level="INFO", handlers=[handler])
log = logging.getLogger("shop")
for number in range(6_000):
    log.info("ai", extra=extra.ai(event_id=f"e{number}", user_id="u", event="chat", input="q" * 200))
    if number % 10 == 0:
        log.info("begin", extra=extra.begin(event_id=f"i{number}", user_id="u", event="run", input="q"))
until = time.monotonic() + 10
while handler.stats().dropped.get("queue_full", 0) == 0 and "spool_dir" not in keys and time.monotonic() < until:
    log.info("ai", extra=extra.ai(user_id="u", event="chat", input="q"))
print(time.monotonic(), flush=True)
"""

FAULTS: dict[str, Fault] = {
    "hangs": faults.hang,
    "never reads": faults.never_read,
    "drips": faults.drip_head,
    "is overloaded": faults.status(503),
    "is set up otherwise": faults.status(404),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_full_queue_and_a_server_that_takes_nothing_end_in_time(
    server: FaultyServer, durability: dict[str, Any], fault: Fault
) -> None:
    """From the last line of the program to the end of its process: shutdown_timeout, and half a second."""
    server.default = fault
    keys = {"shutdown_timeout": SHUTDOWN_SECONDS, "max_queue_size": 1_000, **durability}
    ended, seconds = _run(server, keys)
    assert ended.returncode == 0, ended.stderr
    assert seconds < SHUTDOWN_SECONDS + 0.5 + _seconds_of_an_interpreter()
    assert "lost at exit" in ended.stderr or durability, "and what was lost is told"


def test_a_server_that_is_not_there_ends_in_time(server: FaultyServer, durability: dict[str, Any]) -> None:
    """A refused connection is no reason to wait any longer either."""
    server.stop()
    _, seconds = _run(server, {"shutdown_timeout": SHUTDOWN_SECONDS, "max_queue_size": 1_000, **durability})
    assert seconds < SHUTDOWN_SECONDS + 0.5 + _seconds_of_an_interpreter()


def _run(server: FaultyServer, keys: dict[str, Any]) -> tuple[subprocess.CompletedProcess[str], float]:
    asked = [sys.executable, "-c", SERVICE, server.endpoint, json.dumps(keys)]
    ended = subprocess.run(asked, capture_output=True, text=True, timeout=50, check=False)
    now = time.monotonic()  # one clock for all processes of a machine
    assert ended.stdout, ended.stderr
    return ended, now - float(ended.stdout)


def _seconds_of_an_interpreter() -> float:
    """What Python itself takes to start and end on this machine, as busy as it is now."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import httpx"], check=True)
    return time.monotonic() - started
