"""`raindrop-logging ship`, as a user meets it: what it sends, what it says, what it leaves behind, how it ends."""

from __future__ import annotations

import gzip
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import raindrop_logging
from raindrop_logging import extra
from raindrop_logging.cli import main
from raindrop_logging.workshop.server import running
from tests.shipping.conftest import Ship, ended, log, say, sent, start, write, writing
from tests.test_cli import EXTRA, run_without
from tests.wire.recorder import Answer, Recorder, Request

if TYPE_CHECKING:
    from pathlib import Path


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What `--json` printed."""
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


# ---- a second run


def test_a_second_run_sends_nothing_twice(recorder: Recorder, ship: Ship, tmp_path: Path) -> None:
    """What was shipped stays shipped; what was written since is sent by the next run."""
    path = write(tmp_path / "app.log", "e1", "e2")
    assert [ship(path), ship(path)] == [0, 0]
    write(path, "e3")
    assert ship(path) == 0
    assert sent(recorder) == ["e1", "e2", "e3"]


def test_the_next_run_goes_on_after_so_many_lines(recorder: Recorder, ship: Ship, tmp_path: Path) -> None:
    """--max-lines ends a run early, and the next one goes on."""
    path = write(tmp_path / "app.log", *(f"e{n}" for n in range(7)))
    assert [ship(path, "--max-lines", "3") for _ in range(3)] == [0, 0, 0]
    assert sent(recorder) == [f"e{n}" for n in range(7)]


def test_rotation_between_two_runs(recorder: Recorder, ship: Ship, tmp_path: Path) -> None:
    """Renamed, packed or copied away between two runs, no line is sent twice, and none is left out."""
    path = write(tmp_path / "app.log", "e1", "e2")
    assert ship(path) == 0
    write(path, "e3")
    path.rename(tmp_path / "app.log.1")
    write(path, "e4")
    assert ship(path) == 0
    packed = tmp_path / "app.log.2.gz"
    packed.write_bytes(gzip.compress((tmp_path / "app.log.1").read_bytes()))
    (tmp_path / "app.log.1").unlink()
    write(path, "e5")
    (tmp_path / "app.log.1").write_bytes(path.read_bytes())  # copytruncate
    path.write_bytes(b"")
    write(path, "e6")
    assert ship(path) == 0
    assert sent(recorder) == ["e1", "e2", "e3", "e4", "e5", "e6"]


def test_default_state_is_of_inputs_and_destination(recorder: Recorder, ship: Ship, tmp_path: Path) -> None:
    """Without --state it is in the user's state directory, one for each set of inputs and each destination."""
    path = write(tmp_path / "app.log", "e1")
    assert [ship(path, state=None), ship(path, state=None)] == [0, 0]
    with Recorder() as other:
        assert main(["ship", str(path), "--endpoint", other.endpoint, "--quiet"]) == 0
        assert sent(other) == ["e1"]
    assert sent(recorder) == ["e1"]
    states = list((tmp_path / "state_home" / "raindrop-logging" / "ship").glob("*.json"))
    assert len(states) == 2
    assert all("rk_test" not in state.read_text() for state in states)


def test_an_interaction_over_two_runs(recorder: Recorder, ship: Ship, tmp_path: Path) -> None:
    """What is open when a run ends goes out as pending; a later run finishes it with all that a finish needs."""
    path = tmp_path / "app.log"
    with writing(logging.FileHandler(path)):
        turn = raindrop_logging.begin(user_id="u1", event="run", input="q", convo_id="c", logger=log)
        assert ship(path) == 0
        turn.finish(output="a")
    assert ship(path) == 0
    begun, finished = recorder.bodies("events/track_partial")
    assert (begun["is_pending"], begun["ai_data"]["input"]) == (True, "q")
    assert (finished["is_pending"], finished["ai_data"]["output"]) == (False, "a")
    assert {begun["event_id"], finished["event_id"]} == {turn.id}
    assert (finished["user_id"], finished["event"], finished["ai_data"]["convo_id"]) == ("u1", "run", "c")


def test_an_interaction_within_a_run_is_one_event(recorder: Recorder, ship: Ship, tmp_path: Path) -> None:
    """However long it took when it was logged, begin, update and finish are one complete event, and its signal last."""
    path = tmp_path / "app.log"
    with writing(logging.FileHandler(path)):
        turn = raindrop_logging.begin(user_id="u1", event="run", input="q", logger=log)
        turn.set_property("region", "eu")
        log.info("thumbs up", extra=extra.signal(event_id=turn.id, name="thumbs_up", sentiment="POSITIVE"))
        turn.finish(output="a")
    assert ship(path) == 0
    (event,) = recorder.items("events/track")
    assert [request.route for request in recorder.requests] == ["events/track", "signals/track"]
    assert (event["ai_data"], event["properties"]["region"]) == ({"input": "q", "output": "a"}, "eu")
    assert recorder.to("events/track_partial") == []


# ---- other lines


def test_pipe(recorder: Recorder, tmp_path: Path) -> None:
    """- reads standard input to its end, whatever a last line lacks."""
    path = write(tmp_path / "app.log", "e1", "e2")
    with path.open("rb") as lines, start(recorder, "-", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(lines.read().decode().rstrip("\n"))
        code, said = ended(process)
    assert (code, said["delivered"], said["state"]) == (0, 2, None)
    assert sent(recorder) == ["e1", "e2"]


def test_lines_of_other_formatters(recorder: Recorder, ship: Ship, tmp_path: Path) -> None:
    """A block on a line of any JSON formatter is sent, with its message's word, its time and ids that stay the same."""
    path = tmp_path / "app.log"
    block = {"user_id": "u1", "event": "chat", "input": "q"}
    path.write_text(json.dumps({"message": "ai", "time": "2026-11-26T10:00:00Z", "raindrop": block}) + "\n")
    assert ship(path) == 0
    (tmp_path / "state.json").unlink()
    assert ship(path) == 0
    first, again = recorder.items("events/track")
    assert first == again
    assert first["timestamp"] == "2026-11-26T10:00:00.000000Z"


def test_map(recorder: Recorder, ship: Ship, tmp_path: Path) -> None:
    """--map, --set and --type make records of plain JSON lines; those of something else are skipped."""
    path = tmp_path / "app.log"
    lines = [{"ts": 1_795_687_200, "ctx": {"user": 7}, "q": "question", "a": "answer"}, {"ts": 1, "msg": "started"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = [
        "--map",
        "user_id=ctx.user",
        "--map",
        "input=q",
        "--map",
        "output=a",
        "--set",
        "event=chat",
        "--type",
        "ai",
    ]
    assert ship(path, *words) == 0
    (event,) = recorder.items("events/track")
    assert (event["user_id"], event["event"]) == ("7", "chat")
    assert event["ai_data"] == {"input": "question", "output": "answer"}


# ---- bad lines


def test_bad_lines_are_named_and_left_behind(
    recorder: Recorder, ship: Ship, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is told with file and line, left in the rejects file with reason and text, and shipped once mended."""
    path = write(tmp_path / "app.log", "e1")
    with path.open("a") as file:
        file.write("Traceback (most recent call last):\n\n")
    with writing(logging.FileHandler(path)):
        say("e2", inputt="q")
        log.info("a plain line")
    write(path, "e3")
    assert ship(path, "--json") == 1
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert {key: report[key] for key in ("lines", "delivered", "skipped", "rejected")} == {
        "lines": 6,
        "delivered": 2,
        "skipped": 2,
        "rejected": 2,
    }
    assert f"{path}:2: not JSON: " in said.err
    assert f"{path}:4: unknown key 'inputt'; did you mean 'input'?" in said.err
    rejects = [json.loads(line) for line in (tmp_path / "state.rejects.jsonl").read_text().splitlines()]
    assert [(one["line"], one["file"]) for one in rejects] == [(2, str(path)), (4, str(path))]
    assert (tmp_path / "state.rejects.jsonl").stat().st_mode & 0o777 == 0o600
    mended = tmp_path / "mended.log"
    mended.write_text(rejects[1]["text"].replace('"inputt": "q"', '"model": "m"') + "\n")
    assert ship(mended, state=tmp_path / "other.json") == 0
    assert sent(recorder) == ["e1", "e3", "e2"]


def test_many_bad_lines_are_counted(ship: Ship, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After the first ten they are counted and in the file."""
    path = tmp_path / "app.log"
    path.write_text("bad\n" * 25)
    assert ship(path) == 1
    said = capsys.readouterr()
    assert said.err.count("not JSON") == 10
    assert "more bad lines follow" in said.err
    assert "rejected   25 lines" in said.out
    assert len((tmp_path / "state.rejects.jsonl").read_text().splitlines()) == 25


def test_a_line_that_the_receiver_refuses(
    recorder: Recorder, ship: Ship, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is found among the others, named with the answer, left behind, and not sent again."""
    recorder.judge = lambda request: Answer(400, body=b"no such thing") if _E2 in request.body else None
    path = write(tmp_path / "app.log", "e1", "e2", "e3")
    assert [ship(path), ship(path)] == [1, 0]
    assert f"{path}:2: the receiver answered HTTP 400 'no such thing'" in capsys.readouterr().err
    (reject,) = map(json.loads, (tmp_path / "state.rejects.jsonl").read_text().splitlines())
    assert json.loads(reject["text"])["raindrop"]["event_id"] == "e2"
    assert {"e1", "e3"} == {item["event_id"] for request in recorder.requests for item in _taken(request)}


def _taken(request: Request) -> list[dict[str, Any]]:
    return [] if _E2 in request.body else request.json


_E2 = b'"event_id":"e2"'


def test_a_file_that_breaks_off(
    recorder: Recorder, ship: Ship, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged packed file is read as far as it goes, and named."""
    path = write(tmp_path / "app.log", *(f"e{n}" for n in range(400)))
    packed = gzip.compress(path.read_bytes())
    path.unlink()
    (tmp_path / "app.log.1.gz").write_bytes(packed[: len(packed) // 2])
    assert ship(tmp_path / "app.log") == 1
    assert "app.log.1.gz: cannot be read any further" in capsys.readouterr().err
    assert sent(recorder) == [f"e{n}" for n in range(len(sent(recorder)))]
    assert len(sent(recorder)) > 20


def test_a_line_still_being_written(recorder: Recorder, ship: Ship, tmp_path: Path) -> None:
    """The beginning of a line at the end of a file is left for the next run, and is no bad line."""
    path = write(tmp_path / "app.log", "e1", "e2")
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    assert ship(path) == 0
    path.write_bytes(whole)
    assert ship(path) == 0
    assert sent(recorder) == ["e1", "e2"]


def test_what_a_shipment_leaves_behind_is_no_input(
    ship: Ship, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A state and a rejects file in a directory that is shipped are not shipped."""
    logs = tmp_path / "logs"
    logs.mkdir()
    write(logs / "app.log", "e1")
    (logs / "bad.log").write_text("bad\n")
    assert [ship(logs, state=logs / "state.json"), ship(logs, state=logs / "state.json")] == [1, 0]
    assert {entry.name for entry in logs.iterdir()} >= {"state.json", "state.rejects.jsonl"}
    assert "read       nothing new in 2 files" in capsys.readouterr().out


# ---- what is said


def test_dry_run(recorder: Recorder, ship: Ship, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--dry-run reads, checks and counts as a run would, and sends, changes and leaves nothing. It needs no key."""
    path = write(tmp_path / "app.log", "e1", "e2")
    write(path, "e3", inputt="q")
    assert ship(path, "--max-lines", "1") == 0
    before = {entry: entry.read_bytes() for entry in tmp_path.iterdir()}
    capsys.readouterr()
    assert ship(path, "--dry-run") == 1
    said = capsys.readouterr()
    assert "would ship 1 record\n" in said.out
    assert f"{path}:3: unknown key 'inputt'" in said.err
    assert {entry: entry.read_bytes() for entry in tmp_path.iterdir()} == before
    assert sent(recorder) == ["e1"]


def test_summaries_are_no_blocks(ship: Ship, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines with a summary only are skipped, and it is said how many."""
    path = tmp_path / "app.log"
    path.write_text('{"message": "ai", "raindrop_summary": {"type": "ai"}}\n{"message": "plain"}\n')
    assert ship(path) == 0
    assert "skipped    2 lines without a block, 1 of them with a summary only" in capsys.readouterr().out


def test_key_is_in_the_environment_alone(ship: Ship, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no option for it, and nothing that is printed or left behind shows it."""
    with pytest.raises(SystemExit):
        ship("x", "--write-key", "rk_other")
    path = write(tmp_path / "app.log", "e1")
    path.write_text(path.read_text() + "bad\n")
    capsys.readouterr()
    ship(path)
    said = capsys.readouterr()
    left = "".join(entry.read_text() for entry in tmp_path.iterdir() if entry.is_file())
    assert "rk_test" not in said.out + said.err + left


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.log"], "there is no such file"),
        (["-", "app.log"], "'-' is standard input"),
        (["-", "--follow"], "--follow is for files"),
        (["app.log", "--dry-run", "--follow"], "do not go together"),
        (["app.log", "--type", "ai"], "--set and --type need --map"),
        (["app.log", "--map", "usr_id=x"], "did you mean 'user_id'?"),
        (["app.log", "--config", "none.json"], "none.json: cannot be read"),
        (["app.log", "--project-id", "Not A Slug"], "'project_id' is 'Not A Slug'"),
        (["app.log", "--workshop", "localhost"], "'workshop' is not usable"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage(
    words: list[str], said: str, ship: Ship, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What cannot work ends with exit code 2 and one line, before anything is read or left behind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.log").write_text("")
    assert ship(*words) == 2
    err = capsys.readouterr().err
    assert (err.startswith("raindrop-logging ship: "), said in err, err.count("\n")) == (True, True, 1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["app.log"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--max-lines", "0"], "a number of lines is a whole number from 1, not '0'"),
        (["--patience", "nan"], "a time is a number of seconds above 0, not 'nan'"),
    ],
)
def test_wrong_numbers(words: list[str], said: str, ship: Ship, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers are checked as they are read."""
    with pytest.raises(SystemExit) as left:
        ship("app.log", *words)
    assert left.value.code == 2
    assert said in capsys.readouterr().err


def test_nowhere_to_ship_to(ship: Ship, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key and a Workshop it says what to set."""
    path = write(tmp_path / "app.log", "e1")
    monkeypatch.delenv("RAINDROP_WRITE_KEY")
    assert ship(path) == 2


def test_config_says_how(recorder: Recorder, ship: Ship, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--config takes the keys of the file's handler, its defaults included; two handlers are one too many."""
    path = write(tmp_path / "app.log", "e1", input="mail ada@example.com")
    handler = {"class": "raindrop_logging.RaindropHandler", "level": "ERROR", "redact": True, "mode": "off",
               "project_id": "shop", "defaults": {"properties": {"region": "eu"}}}  # fmt: skip
    config = tmp_path / "logging.json"
    config.write_text(json.dumps({"version": 1, "handlers": {"raindrop": handler}}))
    assert ship(path, "--config", config) == 0
    (event,) = recorder.items("events/track")
    assert (event["ai_data"]["input"], event["properties"]["region"]) == ("mail <REDACTED_EMAIL>", "eu")
    assert recorder.requests[0].headers["X-Raindrop-Project-Id"] == "shop"
    config.write_text(json.dumps({"version": 1, "handlers": {"a": handler, "b": handler}}))
    assert ship(path, "--config", config) == 2
    assert "configures 2 handlers" in capsys.readouterr().err


def test_workshop(ship: Ship, recorder: Recorder, tmp_path: Path) -> None:
    """--workshop ships there instead, without the key."""
    path = write(tmp_path / "app.log", "e1")
    with running() as workshop:
        assert ship(path, "--workshop", workshop.endpoint) == 0
        assert workshop.store.counts().events == 1
    assert recorder.requests == []


def test_needs_no_extra(recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the plain package it ships, on a terminal or not."""
    monkeypatch.setenv("RAINDROP_WRITE_KEY", "rk_test")
    monkeypatch.setenv("RAINDROP_ENDPOINT", recorder.endpoint)
    path = write(tmp_path / "app.log", "e1")
    done = run_without(EXTRA, "ship", str(path), "--state", str(tmp_path / "s"))
    assert (done.returncode, done.stderr) == (0, "")
    assert sent(recorder) == ["e1"]


# ---- a receiver in trouble, an impatient user


def test_a_receiver_that_is_down(
    recorder: Recorder, ship: Ship, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing arrives: after its patience it ends, says so, and the next run sends all of it."""
    recorder.default = Answer(503)
    path = write(tmp_path / "app.log", "e1", "e2")
    assert ship(path, "--patience", "0.3") == 1
    said = capsys.readouterr()
    assert "left       2 records may not have arrived" in said.out
    assert "nothing has arrived for 0.3 s" in said.out
    assert "is not available (HTTP 503" in said.err
    assert "lost at exit" not in said.err
    recorder.default = Answer(204)
    recorder.requests.clear()
    assert ship(path) == 0
    assert sent(recorder) == ["e1", "e2"]


def test_two_at_once(recorder: Recorder, ship: Ship, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second shipment with the same state file is refused while the first one runs."""
    gate = threading.Event()
    recorder.default = Answer(204, gate=gate)
    path = write(tmp_path / "app.log", "e1")
    with start(recorder, path, "--state", tmp_path / "state.json") as first:
        recorder.wait_for(1)
        assert ship(path) == 1
        assert f"another shipment works with it (process {first.pid})" in capsys.readouterr().err
        gate.set()
        assert ended(first)[0] == 0
    assert sent(recorder) == ["e1"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_interrupted(number: signal.Signals, recorder: Recorder, ship: Ship, tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM: what was read is delivered and remembered, and it ends with 130."""
    gate = threading.Event()
    recorder.default = Answer(204, gate=gate)
    path = write(tmp_path / "app.log", "e1")
    with start(recorder, path, "--state", tmp_path / "state.json") as process:
        recorder.wait_for(1)
        process.send_signal(number)
        gate.set()
        code, said = ended(process)
    assert (code, said["interrupted"], said["delivered"], said["left"]) == (130, True, 1, 0)
    assert ship(path) == 0
    assert sent(recorder) == ["e1"]


def test_interrupted_while_nothing_comes(recorder: Recorder) -> None:
    """A pipe that is silent does not hold Ctrl-C up."""
    reading, writing_end = os.pipe()
    with start(recorder, "-", stdin=reading, bufsize=0) as process:
        os.close(reading)
        os.write(
            writing_end,
            b'{"message": "plain"}\n{"time": 1, "raindrop": {"type": "event", "user_id": "u", "event": "e"}}\n',
        )
        recorder.wait_for(1)
        process.send_signal(signal.SIGINT)
        code, said = ended(process)
    os.close(writing_end)
    assert (code, said["lines"], said["delivered"]) == (130, 2, 1)


def test_twice_ends_at_once(recorder: Recorder, tmp_path: Path) -> None:
    """A second Ctrl-C does not wait for a receiver that holds its answer back; the lines stay unshipped."""
    recorder.default = Answer(204, gate=threading.Event())
    path = write(tmp_path / "app.log", "e1")
    with start(recorder, path, "--state", tmp_path / "state.json") as process:
        recorder.wait_for(1)
        process.send_signal(signal.SIGINT)
        _ask_again(process)
        process.communicate(timeout=20)
    assert process.returncode in (130, -signal.SIGINT)  # the latter where one more came while it was ending
    assert not (tmp_path / "state.json").exists()


def _ask_again(process: subprocess.Popen[str]) -> None:
    """Interrupt until it has ended: two signals of one moment are one."""
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue


def test_python_dash_m_is_the_command() -> None:
    """`python -m raindrop_logging ship --help` explains states, rejects and exit codes."""
    done = subprocess.run(
        [sys.executable, "-m", "raindrop_logging", "ship", "--help"], capture_output=True, text=True, check=True
    )
    assert "exit codes: 0 everything was shipped, 1 something was rejected" in done.stdout
