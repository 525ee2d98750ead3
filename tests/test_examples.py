"""The programs in `examples/`: each one, run as a reader would run it, makes arrive what its docstring says."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging.workshop.server import Running, running
from tests.wire.recorder import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raindrop_logging.workshop.store import Story
    from tests.wire.recorder import Recorder

ROOT = Path(__file__).parents[1]
NUMBERED = sorted((ROOT / "examples").glob("[0-9]*.py"))
REPLAY = ROOT / "examples" / "replay_conversations.py"
REAL = ROOT.parent / "shared" / "data" / "conversations.jsonl"
NOTHING = {"event": 0, "pending": 0, "signal": 0, "span": 0, "failed": 0, "user": 0}

TURNS: list[dict[str, Any]] = [
    {"conversation": "a", "turn": 1, "source": "own", "model": "m1", "input": "Hi\r\n\t ", "output": " 👋\u2028\x00 ",
     "preference_over_reference": 0.5},
    {"conversation": "a", "turn": 2, "source": "own", "model": "m1", "input": "“Why?”", "output": "\\n is not \n",
     "preference_over_reference": 0.49},
    {"conversation": "b", "turn": 1, "source": "own", "model": "m2", "input": "Alone", "output": "Unjudged",
     "preference_over_reference": None},
    {"conversation": "b", "turn": 2, "source": "own", "model": None, "input": "No answer", "output": None,
     "preference_over_reference": None},
]  # fmt: skip


@pytest.fixture
def receiver() -> Iterator[Running]:
    """A Workshop of this test's own."""
    with running() as workshop:
        yield workshop


def run(path: Path, *arguments: str | Path, endpoint: str) -> subprocess.CompletedProcess[str]:
    """Run a program as its docstring says, with a key and a receiver; every warning is an error there."""
    return subprocess.run(
        [sys.executable, "-W", "error", path, *arguments],
        env={**os.environ, "RAINDROP_WRITE_KEY": "rk_test", "RAINDROP_ENDPOINT": endpoint},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def docstring(path: Path) -> str:
    """The program's first words."""
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def kept(receiver: Running) -> dict[str, int]:
    """How much the receiver holds, by the words of an `Arrives:` line."""
    counts = receiver.store.counts()
    summaries = receiver.store.events(100).summaries
    return {
        "event": counts.events,
        "pending": sum(one.event.is_pending for one in summaries),
        "signal": counts.signals,
        "span": counts.spans,
        "failed": sum(one.error_count for one in summaries),
        "user": counts.users,
    }


@pytest.mark.parametrize("example", NUMBERED, ids=lambda path: path.stem)
def test_arrives_what_it_says(example: Path, receiver: Running) -> None:
    """What is at the receiver when the program has ended is its `Arrives:` line, no more and no less."""
    (line,) = re.findall(r"^Arrives: (.*)$", docstring(example), re.MULTILINE)
    said = {
        name: int(number) for number, name in re.findall(r"(\d+) (event|pending|signal|span|failed|user)s?\b", line)
    }
    done = run(example, endpoint=receiver.endpoint)
    assert (done.returncode, done.stderr if "failed" not in said else "") == (0, "")
    assert kept(receiver) == NOTHING | said


@pytest.mark.parametrize("example", [*NUMBERED, REPLAY], ids=lambda path: path.stem)
def test_docstring_guides_the_reader(example: Path) -> None:
    """Each docstring says what the program shows, how it is run and what arrives; numbered ones fit a screen."""
    assert re.findall(r"^(Shows|Run|Arrives):", docstring(example), re.MULTILINE) == ["Shows", "Run", "Arrives"]
    assert f"examples/{example.name}" in docstring(example)
    assert example == REPLAY or len(example.read_text().splitlines()) <= 40


def test_config_example_names_a_bad_file(tmp_path: Path) -> None:
    """A wrong key ends the program with one line that names file and key."""
    bad = tmp_path / "bad.json"
    handler = {"class": "raindrop_logging.RaindropHandler", "upload_intervall": 1}
    bad.write_text(json.dumps({"version": 1, "handlers": {"raindrop": handler}}))
    done = run(NUMBERED[5], bad, endpoint="http://127.0.0.1:9/v1/")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{bad}: ")
    assert "did you mean 'upload_interval'?" in done.stderr
    assert "Traceback" not in done.stderr


# ---- the replay


def write(path: Path, turns: list[dict[str, Any]]) -> Path:
    """The turns as a file."""
    path.write_text("".join(json.dumps(turn) + "\n" for turn in turns), encoding="utf-8")
    return path


def stories(receiver: Running) -> list[Story]:
    """Every event at the receiver, with its signals and spans."""
    found: list[Story] = []
    cursor: str | None = None
    while True:
        page = receiver.store.events(500, cursor)
        found += [story for one in page.summaries if (story := receiver.store.event(one.event.event_id))]
        cursor = page.next_cursor
        if cursor is None:
            return found


def assert_replayed(turns: list[dict[str, Any]], receiver: Running) -> None:
    """Every answered turn is one whole event, with one span and, where judged, the right signal; nothing else is."""
    answered = {(turn["conversation"], turn["turn"]): turn for turn in turns if turn["output"] is not None}
    found = stories(receiver)
    by_turn = {(story.event.convo_id, story.event.properties["turn"]): story for story in found}
    assert len(found) == len(by_turn) == len(answered)
    for place, turn in answered.items():
        event = by_turn[place].event
        said = (event.input, event.output, event.model, event.properties["source"], event.is_pending)
        assert said == (turn["input"], turn["output"], turn["model"], turn["source"], False)
        assert [(span.kind, span.name) for span in by_turn[place].spans] == [("tool", "read_turn")]
        thumbs = [(signal.name, signal.sentiment) for signal in by_turn[place].signals]
        assert thumbs == expected_thumbs(turn["preference_over_reference"])
    counts = receiver.store.counts()
    judged = sum(turn["preference_over_reference"] is not None for turn in answered.values())
    assert (counts.events, counts.spans, counts.signals) == (len(answered), len(answered), judged)


def expected_thumbs(preference: float | None) -> list[tuple[str, str]]:
    """The signal of a turn, by the judge's preference."""
    if preference is None:
        return []
    return [("thumbs_up", "POSITIVE")] if preference >= 0.5 else [("thumbs_down", "NEGATIVE")]


def test_replay(receiver: Running, tmp_path: Path) -> None:
    """A few turns of all kinds arrive as they are in the file, odd characters included."""
    done = run(REPLAY, write(tmp_path / "turns.jsonl", TURNS), endpoint=receiver.endpoint)
    assert (done.returncode, done.stderr) == (0, "")
    assert "logged     8 records (3 ai, 3 span, 2 signal)" in done.stdout
    assert "lost       0 refused, 0 dropped, 0 still waiting" in done.stdout
    assert_replayed(TURNS, receiver)


def test_replay_again_adds_no_event(receiver: Running, tmp_path: Path) -> None:
    """The ids follow from the turns, so a second run adds no event."""
    path = write(tmp_path / "turns.jsonl", TURNS)
    for _ in range(2):
        assert run(REPLAY, path, endpoint=receiver.endpoint).returncode == 0
    assert receiver.store.counts().events == 3


@pytest.mark.skipif(not REAL.exists(), reason="the recorded conversations are not on this machine")
def test_replay_of_real_conversations(receiver: Running) -> None:
    """All 1,670 answered turns arrive exactly once and byte for byte, with a span each and a signal where judged."""
    turns = [json.loads(line) for line in REAL.read_text(encoding="utf-8").splitlines()]
    done = run(REPLAY, REAL, "--config", ROOT / "configs" / "minimal.json", endpoint=receiver.endpoint)
    assert (done.returncode, done.stderr) == (0, "")
    assert_replayed(turns, receiver)
    assert receiver.store.counts().events == 1_670


def test_replay_fails_when_something_is_refused(recorder: Recorder, tmp_path: Path) -> None:
    """A receiver that takes nothing makes the program say so and exit with 1."""
    recorder.default = Answer(400)
    done = run(REPLAY, write(tmp_path / "turns.jsonl", TURNS), endpoint=recorder.endpoint)
    assert done.returncode == 1
    assert "lost       8 refused, 0 dropped, 0 still waiting" in done.stdout


@pytest.mark.parametrize("line", ["{", "[]", '{"turn": 1}'])
def test_replay_names_the_bad_line(line: str, tmp_path: Path) -> None:
    """A line that is no turn is named before anything is sent."""
    path = write(tmp_path / "turns.jsonl", TURNS)
    path.write_text(path.read_text() + line + "\n")
    done = run(REPLAY, path, endpoint="http://127.0.0.1:9/v1/")
    assert done.returncode == 2
    assert f"{path}:5: not a turn: " in done.stderr


def test_replay_shows_progress_on_a_terminal(receiver: Running, tmp_path: Path) -> None:
    """On a terminal the replay tells how far it is."""
    pty = pytest.importorskip("pty", reason="no terminals to make on this system")
    ours, theirs = pty.openpty()
    path = write(tmp_path / "turns.jsonl", TURNS)
    environ = {**os.environ, "RAINDROP_WRITE_KEY": "rk_test", "RAINDROP_ENDPOINT": receiver.endpoint, "TERM": "xterm"}
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        subprocess.run([sys.executable, REPLAY, path], env=environ, stderr=theirs, capture_output=False,
                       stdout=subprocess.DEVNULL, check=True, timeout=30)  # fmt: skip
        os.close(theirs)
        shown = terminal.read(65_536).decode()
    assert "replaying" in shown
    assert "100%" in shown
