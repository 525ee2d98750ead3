"""Real conversations, logged through rotation, shipped in runs that are killed, bounded, interrupted and followed."""

from __future__ import annotations

import gzip
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from raindrop_logging import bind, extra
from raindrop_logging.cli import main
from raindrop_logging.workshop.server import running
from tests.shipping.conftest import Ship, ended, log, say, sent, start, write, writing
from tests.test_examples import REAL
from tests.wire.recorder import Answer, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

needs_real = pytest.mark.skipif(not REAL.exists(), reason="the recorded conversations are not on this machine")


def answered_turns() -> list[dict[str, Any]]:
    """Every turn that has an answer."""
    turns = [json.loads(line) for line in REAL.read_text(encoding="utf-8").splitlines()]
    return [turn for turn in turns if turn["output"] is not None]


def id_of(turn: dict[str, Any]) -> str:
    """The event that a turn is."""
    return str(uuid5(NAMESPACE_URL, f"{turn['conversation']}/{turn['turn']}"))


def rotating(path: Path) -> RotatingFileHandler:
    """A handler that begins a new file every few dozen turns."""
    return RotatingFileHandler(path, maxBytes=100_000, backupCount=500, encoding="utf-8")


def log_turns(turns: Iterable[dict[str, Any]]) -> None:
    """Log turns as a service would: an AI event each, bound to its conversation, and a plain line beside it."""
    for turn in turns:
        with bind(user_id="u1", event="chat", convo_id=turn["conversation"], event_id=id_of(turn)):
            log.info("asked for turn %d", turn["turn"])
            said = extra.ai(model=turn["model"], input=turn["input"], output=turn["output"])
            log.info("answered", extra=said)


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def bodies(recorder: Recorder) -> dict[str, set[str]]:
    """What has arrived for each event, as text, apart from what says the same."""
    found: dict[str, set[str]] = {}
    for item in recorder.items("events/track"):
        found.setdefault(item["event_id"], set()).add(json.dumps(item, sort_keys=True))
    return found


@needs_real
def test_every_turn_arrives_through_kills_and_rotation(recorder: Recorder, tmp_path: Path) -> None:
    """1,670 turns through rotation, gzip, a bounded run, a SIGKILL, a Ctrl-C and --follow: each arrives, and once, but
    for those that the kill left unconfirmed, which come again with the same bytes."""
    turns = answered_turns()
    words = (tmp_path / "app.log", "--state", tmp_path / "state.json")
    with writing(rotating(tmp_path / "app.log")):
        log_turns(turns[:800])
        assert len(list(tmp_path.glob("app.log.*"))) > 10
        bounded_run(recorder, *words)
        unconfirmed = killed_run(recorder, *words)
        log_turns(turns[800:1_200])
        pack(tmp_path / "app.log.3")
        interrupted_run(recorder, *words)
        followed_run(recorder, turns[1_200:], *words)
    arrived = bodies(recorder)
    assert len(arrived) == 1_670
    assert set(arrived) == {id_of(turn) for turn in turns}
    assert all(len(said) == 1 for said in arrived.values())
    assert {event_id for event_id, times in Counter(sent(recorder)).items() if times > 1} <= unconfirmed
    texts = {item["event_id"]: item["ai_data"] for item in recorder.items("events/track")}
    assert [(texts[id_of(turn)]["input"], texts[id_of(turn)]["output"]) for turn in turns] == [
        (turn["input"], turn["output"]) for turn in turns
    ]


def bounded_run(recorder: Recorder, *words: str | Path) -> None:
    """A run that reads 501 lines and ends, of which every other one holds a turn."""
    with start(recorder, *words, "--max-lines", "501") as bounded:
        code, said = ended(bounded)
    assert (code, said["lines"], said["delivered"]) == (0, 501, 250)
    assert len(set(sent(recorder))) == 250


def killed_run(recorder: Recorder, *words: str | Path) -> set[str]:
    """A run that is killed when one request got its answer and others wait for theirs; what it leaves unconfirmed."""
    confirmed, before, gate = set(sent(recorder)), len(recorder.requests), threading.Event()
    recorder.default = Answer(204, gate=gate)
    recorder.script(Answer(204))
    with start(recorder, *words) as killed:
        recorder.wait_for(before + 2)
        killed.kill()
        killed.communicate(timeout=20)
    assert killed.returncode == -signal.SIGKILL
    gate.set()
    unconfirmed = set(sent(recorder)) - confirmed
    assert unconfirmed
    return unconfirmed


def interrupted_run(recorder: Recorder, *words: str | Path) -> None:
    """A run that is interrupted while its requests wait for their answers."""
    before, gate = len(recorder.requests), threading.Event()
    recorder.default = Answer(204, gate=gate)
    with start(recorder, *words) as interrupted:
        recorder.wait_for(before + 1)
        interrupted.send_signal(signal.SIGINT)
        gate.set()
        code, said = ended(interrupted)
    recorder.default = Answer(204)
    assert (code, said["left"]) == (130, 0)


def followed_run(recorder: Recorder, turns: list[dict[str, Any]], *words: str | Path) -> None:
    """A run that follows what is logged meanwhile, until it is asked to end."""
    with start(recorder, *words, "--follow") as following:
        log_turns(turns[:200])
        until(lambda: id_of(turns[199]) in sent(recorder))
        log_turns(turns[200:])
        until(lambda: id_of(turns[-1]) in sent(recorder))
        following.send_signal(signal.SIGTERM)
        code, said = ended(following)
    assert (code, said["rejected"], said["left"]) == (0, 0, 0)


def pack(path: Path) -> None:
    """Pack a file as logrotate does."""
    times = path.stat()
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    os.utime(packed, ns=(times.st_atime_ns, times.st_mtime_ns))
    path.unlink()


@needs_real
def test_a_workshop_holds_each_turn_once(tmp_path: Path) -> None:
    """Shipped twice from the start, as after a state that was lost, each turn is one event at a receiver."""
    turns = answered_turns()[:150]
    path = tmp_path / "app.log"
    with writing(rotating(path)):
        log_turns(turns)
    with running() as workshop:
        for number in range(2):
            words = [str(path), "--workshop", workshop.endpoint, "--state", str(tmp_path / f"{number}"), "--quiet"]
            assert main(["ship", *words]) == 0
        assert workshop.store.counts().events == 150


def test_follow(recorder: Recorder, tmp_path: Path) -> None:
    """--follow waits for its file, ships what comes, through every kind of rotation, and remembers it at the end."""
    path, state = tmp_path / "app.log", tmp_path / "state.json"
    with start(recorder, path, "--state", state, "--follow") as following:
        write(path, "e1")
        until(lambda: sent(recorder) == ["e1"])
        write(path, "e2")
        path.rename(tmp_path / "app.log.1")
        write(path, "e3")
        until(lambda: sent(recorder) == ["e1", "e2", "e3"])
        write(path, "e4")
        (tmp_path / "app.log.1").rename(tmp_path / "app.log.2")
        (tmp_path / "app.log.1").write_bytes(path.read_bytes())
        path.write_bytes(b"")
        write(path, "e5")
        pack(tmp_path / "app.log.2")
        until(lambda: set(sent(recorder)) >= {"e4", "e5"})
        following.send_signal(signal.SIGINT)
        code, said = ended(following)
    assert (code, said["delivered"], said["interrupted"]) == (0, 5, True)
    assert sent(recorder) == ["e1", "e2", "e3", "e4", "e5"]
    assert {position["path"] for position in json.loads(state.read_text())["positions"]} >= {str(path)}


def test_follow_ships_the_rest_when_it_is_asked_to_end(recorder: Recorder, ship: Ship, tmp_path: Path) -> None:
    """What was read is delivered before it ends, and the next run goes on behind it."""
    path, gate = write(tmp_path / "app.log", "e1"), threading.Event()
    recorder.default = Answer(204, gate=gate)
    with start(recorder, path, "--state", tmp_path / "state.json", "--follow") as following:
        recorder.wait_for(1)
        following.send_signal(signal.SIGTERM)
        gate.set()
        assert ended(following)[0] == 0
    write(path, "e2")
    assert ship(path) == 0
    assert sent(recorder) == ["e1", "e2"]


# ---- as many lines as there are

LINE = {
    "message": "ai",
    "time": 1_795_687_200.5,
    "raindrop": {"user_id": "u1", "event": "chat", "input": "q" * 100, "output": "a" * 300, "properties": {"n": 1}},
}
STATUS = Path("/proc/self/status")
MEASURED = f"""
import sys
from raindrop_logging.cli import main
code = main(sys.argv[1:])
(peak,) = [line.split()[1] for line in open("{STATUS}") if line.startswith("VmHWM")]  # ru_maxrss is the parent's too
print(peak, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="this system does not say how much memory a process has used")
def test_memory_does_not_grow_with_the_lines(tmp_path: Path) -> None:
    """Five times the lines take no more memory: a window is all that is ever held."""
    peaks = []
    for lines in (10_000, 50_000):
        path = tmp_path / f"{lines}.log"
        with path.open("w") as file:
            file.writelines(json.dumps({**LINE, "n": n}) + "\n" for n in range(lines))
        with Recorder() as recorder:
            command = [
                "ship",
                str(path),
                "--endpoint",
                recorder.endpoint,
                "--state",
                f"{path}.state",
                "--json",
                "--quiet",
            ]
            environ = {**os.environ, "RAINDROP_WRITE_KEY": "rk_test"}
            done = subprocess.run(
                [sys.executable, "-c", MEASURED, *command], env=environ, capture_output=True, text=True, check=True
            )
            assert json.loads(done.stdout)["delivered"] == lines
            assert len(set(sent(recorder))) == lines
        peaks.append(int(done.stderr))
    assert peaks[1] < peaks[0] * 1.15, peaks


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 5, 12])
def test_killed_anywhere(after: int, recorder: Recorder, ship: Ship, tmp_path: Path) -> None:
    """Killed after so many requests of several windows, nothing is lost, and what comes again is the same."""
    path = tmp_path / "app.log"
    with writing(logging.FileHandler(path)):
        say(*(f"e{n}" for n in range(7_000)))
    with start(recorder, path, "--state", tmp_path / "state.json") as killed:
        recorder.wait_for(after)
        killed.kill()
        killed.communicate(timeout=20)
    assert ship(path) == 0
    arrived = bodies(recorder)
    assert set(arrived) == {f"e{n}" for n in range(7_000)}
    assert all(len(said) == 1 for said in arrived.values())
