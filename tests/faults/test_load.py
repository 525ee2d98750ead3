"""More than a service usually logs: nothing is lost that the settings say to keep, and memory stays where it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.processes.children import DURABILITIES, each_once, items, keys_of, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.recorder import Recorder

WORDS: Final = """
import msgspec
from raindrop_logging import begin

def figures():
    told(json.dumps(msgspec.to_builtins(raindrop_logging.stats())))

def crowd(work):
    threads = [threading.Thread(target=work, args=(who,)) for who in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
"""

INTERACTIONS: Final = """
for number in range(10_000):
    begin(user_id="u", event="run", event_id=f"i{number}", input="q", logger=log).finish(output=f"a{number}")
assert raindrop_logging.flush(50), raindrop_logging.stats()
figures()
"""

BLOCKING: Final = """
def work(who):
    for number in range(20_000):
        say(f"{who}-{number}")

crowd(work)
assert raindrop_logging.flush(50), raindrop_logging.stats()
figures()
"""

DROPPING: Final = """
def work(who):
    for number in range(5_000):
        say(f"{who}-{number}")

crowd(work)
assert raindrop_logging.flush(50), raindrop_logging.stats()
figures()
"""

ABANDONED: Final = """
import httpx, resource

class Receiver(httpx.BaseTransport):
    seen = []  # of several senders' threads

    def handle_request(self, request):
        self.seen.append(request.read().count(b'"event_id":'))
        return httpx.Response(204)

logging.root.addHandler(raindrop_logging.RaindropHandler(transport=Receiver(), **keys))

def work(who):
    for number in range(EVENTS // 8):
        if number % 100:
            say("chat")
        else:
            begin(user_id="u", event="run", input="q", logger=log)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

logging.root.removeHandler(logging.root.handlers[0])
for part in range(5):
    crowd(work)
    told(peak())
assert raindrop_logging.flush(50), raindrop_logging.stats()
told(sum(Receiver.seen))
figures()
"""

EVENTS: Final = 200_000
"""Of each fifth of a million."""

each_durability = pytest.mark.parametrize("durability", DURABILITIES)


@pytest.mark.parametrize(
    "durability",
    ["memory", pytest.param("spill", marks=pytest.mark.slow), pytest.param("journal", marks=pytest.mark.slow)],
)
def test_ten_thousand_interactions_in_a_row(recorder: Recorder, tmp_path: Path, durability: str) -> None:
    """Each that begins and finishes at once is one event, and arrives."""
    stats = _run(INTERACTIONS, recorder, tmp_path, durability, when_full="block", block_timeout=60.0)
    assert stats["dropped"] == {}
    arrived = items(recorder, "events/track", "events/track_partial")
    answers = {item["event_id"]: item["ai_data"]["output"] for item in arrived if not item.get("is_pending")}
    assert answers == {f"i{number}": f"a{number}" for number in range(10_000)}


@pytest.mark.slow
@each_durability
def test_eight_threads_that_wait_for_room(recorder: Recorder, tmp_path: Path, durability: str) -> None:
    """With `when_full: block`, 160,000 records of eight threads arrive, each once."""
    stats = _run(BLOCKING, recorder, tmp_path, durability, when_full="block", block_timeout=60.0)
    assert (stats["accepted"], stats["delivered"], stats["dropped"]) == (160_000, 160_000, {})
    assert len(set(each_once(recorder))) == 160_000


def test_eight_threads_that_do_not_wait(recorder: Recorder, tmp_path: Path) -> None:
    """With `when_full: drop_oldest` every record lost is counted, and every one that is not arrives once."""
    stats = _run(DROPPING, recorder, tmp_path, "memory", when_full="drop_oldest", max_queue_size=200)
    dropped = stats["dropped"]
    assert set(dropped) == {"queue_full"}
    assert stats["accepted"] == 40_000
    assert stats["accepted"] == stats["delivered"] + stats["refused"] + dropped["queue_full"] + stats["waiting"]
    assert len(each_once(recorder)) == stats["delivered"]


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_million_events(tmp_path: Path) -> None:
    """Interactions that nobody finishes, one in a hundred, cost no memory once `max_open_interactions` are there."""
    more = {"when_full": "block", "block_timeout": 60.0, "max_open_interactions": 1_000, "endpoint": "http://here/v1/"}
    *lines, seen, last = run(
        WORDS + ABANDONED.replace("EVENTS", str(EVENTS)), **keys_of("memory", tmp_path, **more)
    ).lines
    stats = json.loads(last)
    assert stats["accepted"] == stats["delivered"] == EVENTS * 5
    assert int(seen) >= EVENTS * 5
    assert stats["open_interactions"] == 1_000
    after_a_fifth, *_, at_the_end = map(int, lines)
    assert at_the_end < after_a_fifth * 1.2


def _run(body: str, recorder: Recorder, directory: Path, durability: str, **more: Any) -> dict[str, Any]:
    """The figures that the program told."""
    keys = keys_of(durability, directory, endpoint=recorder.endpoint, **more)
    stats: dict[str, Any] = json.loads(run(WORDS + body, **keys).lines[-1])
    return stats
