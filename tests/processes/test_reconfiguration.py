"""Configuring logging again, and having others do so, costs no record, no thread and no file descriptor."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.processes.children import each_once, keys_of, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.recorder import Recorder, Request

WORDS: Final = """
import gc
from pathlib import Path

def threads():
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("raindrop-"))

def held():
    table = next((path for path in ("/proc/self/fd", "/dev/fd") if Path(path).is_dir()), None)
    return len(os.listdir(table)) if table else 0

def figures():
    stats = raindrop_logging.stats()
    told(json.dumps({"threads": threads(), "held": held(), "accepted": stats.accepted,
                     "settled": stats.delivered + stats.refused + sum(stats.dropped.values()) + stats.waiting}))

def wait_until(holds):
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, (threads(), raindrop_logging.stats())
        gc.collect()  # a dictConfig leaves what it made, old handlers included, in a cycle of references
        time.sleep(0.01)
"""

AGAIN: Final = """
say("first")
raindrop_logging.flush(20)
figures()
for number in range(100):
    say(f"a{number}")
    logging.config.dictConfig(configured())
    say(f"b{number}")
raindrop_logging.flush(20)
figures()
"""

OTHERWISE: Final = """
for number in range(10):
    logging.config.dictConfig(configured(service_name=f"service {number}"))
    for each in range(20):
        say(f"{number}-{each}")
wait_until(lambda: threads().count("raindrop-listener") == 1 and not raindrop_logging.stats().waiting)
figures()
"""

THEIRS: Final = """
def move():
    logging.root.removeHandler(handler := logging.root.handlers[0])
    log.addHandler(handler)
    log.setLevel("INFO")
    return handler

def theirs(disabling):
    return {
        "version": 1, "disable_existing_loggers": disabling,
        "handlers": {"theirs": {"class": "logging.NullHandler"}}, "loggers": {"theirs": {"handlers": ["theirs"]}},
    }
"""

PARKED: Final = """
handler = move()
for number in range(20):
    say(f"a{number}")
    logging.config.dictConfig(theirs(DISABLING))
    assert log.disabled is DISABLING
    log.disabled = False
    assert log.handlers == [handler]
    say(f"b{number}")
wait_until(lambda: not raindrop_logging.stats().waiting)
figures()
"""

CROWD: Final = """
ours = WHICH
if not ours:
    move()

def chatter(who):
    for number in range(400):
        say(f"{who}-{number}")

crowd = [threading.Thread(target=chatter, args=(who,)) for who in range(16)]
for one in crowd:
    one.start()
while any(one.is_alive() for one in crowd):
    logging.config.dictConfig(configured() if ours else theirs(False))
assert raindrop_logging.flush(20)
figures()
"""

each_durability = pytest.mark.parametrize(
    "durability",
    [pytest.param("memory", marks=pytest.mark.slow), pytest.param("spill", marks=pytest.mark.slow), "journal"],
)


def _late(_: Request) -> None:
    time.sleep(0.05)  # a server that is some way off


@each_durability
def test_equal_settings_a_hundred_times(recorder: Recorder, tmp_path: Path, durability: str) -> None:
    """One pipeline goes on: one listener, at most its connections more than before, every record once."""
    before, after = _run(AGAIN, recorder, tmp_path, durability)
    assert after["threads"].count("raindrop-listener") == 1
    assert len(after["threads"]) <= 1 + 4 + 1, "a listener, the senders, perhaps one who tells"
    assert after["held"] <= before["held"] + 4
    expected = ["first", *(f"{when}{number}" for number in range(100) for when in "ab")]
    assert sorted(each_once(recorder)) == sorted(expected)


@each_durability
def test_other_settings(recorder: Recorder, tmp_path: Path, durability: str) -> None:
    """What the old pipeline has taken is delivered by it, before its threads end by themselves."""
    recorder.judge = _late
    (after,) = _run(OTHERWISE, recorder, tmp_path, durability)
    assert after["threads"].count("raindrop-listener") == 1
    assert after["accepted"] == after["settled"] == 200
    assert sorted(each_once(recorder)) == sorted(f"{number}-{each}" for number in range(10) for each in range(20))


@each_durability
@pytest.mark.parametrize("disabling", [True, False])
def test_somebody_else_configures_logging(recorder: Recorder, tmp_path: Path, durability: str, disabling: bool) -> None:
    """A handler that others have closed while it stays attached goes on: what is logged then arrives by itself."""
    (after,) = _run(PARKED.replace("DISABLING", str(disabling)), recorder, tmp_path, durability)
    assert after["accepted"] == after["settled"] == 40
    assert sorted(each_once(recorder)) == sorted(f"{when}{number}" for number in range(20) for when in "ab")


@each_durability
def test_sixteen_threads_log_while_others_are_configured(recorder: Recorder, tmp_path: Path, durability: str) -> None:
    """Every record of every thread arrives once, however often their handler is closed meanwhile."""
    (after,) = _run(CROWD.replace("WHICH", "False"), recorder, tmp_path, durability)
    assert after["accepted"] == after["settled"] == 16 * 400
    assert sorted(each_once(recorder)) == sorted(f"{who}-{number}" for who in range(16) for number in range(400))


@each_durability
def test_sixteen_threads_log_while_they_are_configured(recorder: Recorder, tmp_path: Path, durability: str) -> None:
    """Logging itself takes handlers away for a moment; what it passes on arrives once, and the figures say so."""
    (after,) = _run(CROWD.replace("WHICH", "True"), recorder, tmp_path, durability)
    arrived = each_once(recorder)
    assert len(arrived) == after["accepted"] == after["settled"] > 0


def _run(body: str, recorder: Recorder, directory: Path, durability: str) -> list[dict[str, Any]]:
    """The figures that the program told."""
    keys = keys_of(durability, directory, endpoint=recorder.endpoint, upload_interval=0.05)
    return [json.loads(line) for line in run(WORDS + THEIRS + body, **keys).lines]
