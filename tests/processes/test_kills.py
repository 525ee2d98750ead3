"""A journal loses nothing whose log call returned, however suddenly its process is gone."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.processes.children import Child, closed_endpoint, items, keys_of, names, restart

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.recorder import Recorder

ROUNDS: Final = 10
"""With the server up and as many with it down: twenty of each way to be killed."""

EVENTS: Final = """
def run():
    number = 0
    while True:
        say(f"e{number}")
        told(f"e{number}")
        number += 1
        time.sleep(0.002)
"""

INTERACTIONS: Final = """
def step(number, name, **fields):
    told("making", number, name)
    log.info("step", extra=getattr(extra, name)(event_id=f"i{number}", user_id="u", event="run", **fields))
    told("made", number, name)

def attachment(value):
    return {"type": "text", "value": value}

def run():
    number = 0
    while True:
        step(number, "begin", input="q", properties={"p0": 0})
        for turn in range(1, 9):  # the next one begins while this one is still open
            for one in (number, number - 1)[: 2 if number else 1]:
                key = turn if one == number else turn + 8
                step(one, "update", properties={f"p{key}": key}, attachments=[attachment(f"a{key}")])
                time.sleep(0.002)
        if number % 3:
            step(number - 1, "finish", output=f"answer {number - 1}")
        number += 1
"""

EXIT: Final = """
threading.Timer(MOMENT, os._exit, (7,)).start()
run()
"""

HOWS: Final = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "os._exit": None}

QUICK: Final = [("kill -9", "up", 1), ("os._exit", "down", 1)]

cases = pytest.mark.parametrize(
    ("how", "server", "rounds"),
    [
        *QUICK,
        *(
            pytest.param(how, server, ROUNDS, marks=[pytest.mark.slow, pytest.mark.timeout(400)])
            for how in HOWS
            for server in ("up", "down")
        ),
    ],
)


@cases
def test_every_record_whose_call_returned_arrives(
    recorder: Recorder, tmp_path: Path, how: str, server: str, rounds: int
) -> None:
    """Whatever the moment, the next process sends what this one had taken, and repeats it only under its event_id."""
    random = _moments(f"{how} {server}")
    for number in range(rounds):
        directory = tmp_path / str(number)
        recorder.requests.clear()
        acknowledged = _killed(EVENTS, how, server, recorder, directory, random)
        restart(**keys_of("journal", directory, endpoint=recorder.endpoint))
        arrived = names(recorder)
        assert len(arrived) == len(set(arrived))
        assert not set(acknowledged) - set(arrived)


@cases
def test_interactions_arrive_whole(recorder: Recorder, tmp_path: Path, how: str, server: str, rounds: int) -> None:
    """Those that were finished are final and never pending again; the others' last partial holds everything."""
    random = _moments(f"interactions {how} {server}")
    for number in range(rounds):
        directory = tmp_path / str(number)
        recorder.requests.clear()
        steps = _killed(INTERACTIONS, how, server, recorder, directory, random)
        restart(**keys_of("journal", directory, endpoint=recorder.endpoint))
        arrived = items(recorder, "events/track", "events/track_partial")
        for event_id, made in _made(steps).items():
            _check(made, [body for body in arrived if body["event_id"] == event_id])


def _moments(seed: str) -> Random:
    return Random(seed)  # noqa: S311 -- moments, not secrets


def _killed(program: str, how: str, server: str, recorder: Recorder, directory: Path, random: Random) -> list[str]:
    """What a child had acknowledged when it was killed at some moment."""
    with ExitStack() as stack:
        endpoint = recorder.endpoint if server == "up" else stack.enter_context(closed_endpoint())
        keys = keys_of("journal", directory, endpoint=endpoint, partial_flush_interval=0.05, upload_interval=0.05)
        number = HOWS[how]
        moment = random.uniform(0.02, 1.2)
        body = EXIT.replace("MOMENT", repr(moment)) if number is None else "run()"
        child = stack.enter_context(Child(program + body, **keys))
        if number is not None:
            enough = random.randrange(1, 500)
            child.read_until(lambda lines: len(lines) >= enough)
            child.kill(number)
        ended = child.ended()
        assert ended.code == (7 if number is None else -number), ended.errors
        return ended.lines


def _made(steps: list[str]) -> dict[str, dict[str, Any]]:
    """Each interaction's fields so far; the step that the end interrupted may be there or not."""
    found: dict[str, dict[str, Any]] = {}
    turns: dict[str, int] = {}
    for line in steps:
        state, number, name = line.split()
        made = found.setdefault(f"i{number}", {"turns": 0, "finished": False, "perhaps": None})
        made["perhaps"] = name if state == "making" else None
        if state == "made":
            turns[number] = turns.get(number, 0) + (name == "update")
            made["turns"] = turns[number]
            made["finished"] = made["finished"] or name == "finish"
            made["begun"] = True
    return {event_id: made for event_id, made in found.items() if made.get("begun")}


def _check(made: dict[str, Any], bodies: list[dict[str, Any]]) -> None:
    pending = [body.get("is_pending", False) for body in bodies]
    assert pending == sorted(pending, reverse=True), "pending after final"
    if made["perhaps"] != "finish":
        assert pending[-1] is not made["finished"]
    last = bodies[-1]
    keys = {key for key in last["properties"] if key[0] == "p"}
    attached = {one["attachment_id"]: one["value"] for body in bodies for one in body.get("attachments", ())}
    turns = made["turns"]
    assert len(keys) in {turns + 1, turns + 1 + (made["perhaps"] == "update")}, (made, last)
    assert keys == {f"p{turn}" for turn in range(len(keys))}
    assert sorted(attached.values()) == sorted(f"a{turn}" for turn in range(len(keys)) if turn)
    assert last["ai_data"]["input"] == "q"
    assert not made["finished"] or last["ai_data"]["output"] == f"answer {last['event_id'][1:]}"
