"""A log call may be made from anywhere, also in the midst of another one: none is lost, and none waits for ever."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder

BEGIN = """
import faulthandler, sys
faulthandler.dump_traceback_later(45, exit=True)
import asyncio, atexit, gc, io, itertools, json, logging, logging.config, signal, threading, time
import raindrop_logging

handler = raindrop_logging.RaindropHandler(
    write_key="rk_test", endpoint=sys.argv[1], max_queue_size=1_000_000, shutdown_timeout=20.0
)
log = logging.getLogger("shop")
log.setLevel("INFO")
log.addHandler(handler)
counted = itertools.count()

def say(value=None, message="said"):
    next(counted)
    properties = {"v": value}
    log.info(message, extra={"raindrop": {"type": "event", "user_id": "u", "event": "e", "properties": properties}})
"""

END = """
done = handler.flush(20)
stats = handler.stats()
print(json.dumps([bool(done), next(counted), stats.accepted, stats.delivered, stats.waiting, stats.dropped]))
"""

PROGRAMS = {
    "signal handlers": """
arrived = itertools.count()
def on_signal(_number, _frame):
    next(arrived)
    say({"from": "the handler", "odd": object()})
signal.signal(signal.SIGALRM, on_signal)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
deadline = time.monotonic() + 15
while next(arrived) < 2_000 and time.monotonic() < deadline:
    say({"from": "the program", "odd": object()})
signal.setitimer(signal.ITIMER_REAL, 0)
""",
    "finalizers": """
class Held:
    def __init__(self):
        self.itself = self
    def __del__(self):
        say(["from a finalizer", object()])
gc.set_threshold(7)
for number in range(3_000):
    Held()
    say({"n": number, "odd": [object()]})
gc.collect()
""",
    "the text of a value": """
class Talks:
    def __repr__(self):
        say("from a repr")
        return "talks"
    __str__ = __repr__
for number in range(1_000):
    say({"a": Talks(), Talks(): 1})
""",
    "the text of a message": """
class Talks:
    def __str__(self):
        say("from a message")
        return "talks"
log.addHandler(logging.StreamHandler(io.StringIO()))
for number in range(1_000):
    say(number, message=Talks())
    next(counted)
    log.info("%s and %s", Talks(), Talks(), extra={"raindrop": {"type": "event", "user_id": "u", "event": "e"}})
""",
    "another handler": """
class Talks(logging.Handler):
    def emit(self, record):
        if record.getMessage() != "of the handler":
            say("from a handler", message="of the handler")
log.addHandler(Talks())
log.handlers.reverse()
for number in range(1_000):
    say(number)
""",
    "filters": """
class Talks(logging.Filter):
    def filter(self, record):
        if record.getMessage() != "of the filter":
            say("from a filter", message="of the filter")
        return True
log.addFilter(Talks())
handler.addFilter(Talks())
for number in range(1_000):
    say(number)
""",
    "threads while logging is configured": """
on = threading.Event()
def work():
    while not on.is_set():
        say({"odd": object()})
threads = [threading.Thread(target=work) for _ in range(16)]
for thread in threads:
    thread.start()
for _ in range(200):
    logging.config.dictConfig({
        "version": 1, "disable_existing_loggers": False,
        "handlers": {"null": {"class": "logging.NullHandler"},
                     "ours": {"class": "raindrop_logging.RaindropHandler", "write_key": "rk_test",
                              "endpoint": sys.argv[1], "max_queue_size": 1_000_000, "shutdown_timeout": 20.0}},
        "root": {"handlers": ["null"]}, "loggers": {"apart": {"handlers": ["ours"]}}})
on.set()
for thread in threads:
    thread.join()
""",
    "asyncio tasks": """
async def work(number):
    for turn in range(50):
        say({"task": number, "turn": turn, "odd": object()})
        await asyncio.sleep(0)
async def main():
    tasks = [asyncio.create_task(work(number)) for number in range(100)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
asyncio.run(main())
""",
    "an exit of the program's own": """
try:
    sys.exit(3)
except SystemExit:
    say("while it is left")
""",
}


def _run(recorder: Recorder, program: str) -> Any:
    """What the program printed; it wrote nothing else, and ended by itself."""
    command = [sys.executable, "-c", program, recorder.endpoint]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout or "null")


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_record_arrives(recorder: Recorder, name: str) -> None:
    """Whatever makes the call, it returns, raises nothing, and its record is delivered."""
    done, said, accepted, delivered, waiting, dropped = _run(recorder, BEGIN + PROGRAMS[name] + END)
    assert done
    assert dropped == {}
    assert (accepted, delivered, waiting) == (said, said, 0)
    assert len(recorder.items("events/track")) == said


INTERRUPTED = """
interrupts, inside = 0, False
say("first")
assert handler.flush(20)
def on_signal(_number, _frame):
    global inside
    if inside:
        inside = False
        raise KeyboardInterrupt
signal.signal(signal.SIGALRM, on_signal)
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
deadline = time.monotonic() + 15
while interrupts < 500 and time.monotonic() < deadline:
    try:
        inside = True
        while True:
            say({"odd": object(), "n": [1, {2, 3}]})
    except KeyboardInterrupt:
        interrupts += 1
signal.setitimer(signal.ITIMER_REAL, 0)
for _ in range(100):
    say("afterwards")
done = handler.flush(20)
stats = handler.stats()
print(json.dumps([bool(done), interrupts, stats.accepted, stats.delivered, stats.waiting, stats.dropped]))
"""


def test_ctrl_c_reaches_the_program(recorder: Recorder) -> None:
    """It costs at most the record that it interrupts; what is logged afterwards arrives."""
    done, interrupts, accepted, delivered, waiting, dropped = _run(recorder, BEGIN + INTERRUPTED)
    assert done
    assert interrupts > 0
    assert (waiting, dropped) == (0, {})
    assert abs(accepted - delivered) <= interrupts
    after = [item for item in recorder.items("events/track") if item["properties"]["v"] == "afterwards"]
    assert len(after) == 100


TERMINATED = """
class Slow:
    def __repr__(self):
        signal.raise_signal(signal.SIGTERM)
        return "slow"
def on_signal(_number, _frame):
    sys.exit(7)
signal.signal(signal.SIGTERM, on_signal)
try:
    say(Slow())
    raise AssertionError("the exit was swallowed")
except SystemExit as error:
    print(json.dumps(error.code))
"""


def test_an_exit_that_a_signal_asks_for_is_no_value_s_own(recorder: Recorder) -> None:
    """A handler of SIGTERM that leaves by sys.exit does so also while a value says its text."""
    assert _run(recorder, BEGIN + TERMINATED) == 7


AT_EXIT = """
import atexit, logging, sys
def say(name):
    block = {"type": "event", "user_id": "u", "event": "e", "properties": {"v": name}}
    logging.getLogger("shop").info("at exit", extra={"raindrop": block})
atexit.register(say, "registered before")
import raindrop_logging
handler = raindrop_logging.RaindropHandler(write_key="rk_test", endpoint=sys.argv[1])
logging.basicConfig(level="INFO", handlers=[handler])
atexit.register(say, "registered after")
"""


def test_what_is_registered_for_the_exit_may_log(recorder: Recorder) -> None:
    """Records of callbacks are delivered, whether they were registered before this package's import or after it."""
    assert _run(recorder, AT_EXIT) is None
    said = [item["properties"]["v"] for item in recorder.items("events/track")]
    assert said == ["registered after", "registered before"]
