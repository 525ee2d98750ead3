"""The check list as people see it: words, what to do, colours where they are wanted, exit codes."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from raindrop_logging.cli import main
from raindrop_logging.cli.diagnosis.checks import Section, fail
from raindrop_logging.cli.diagnosis.report import Report, Style, as_json, as_lines, masked
from raindrop_logging.version import __version__
from tests.wire.recorder import Answer

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder

CANARY = "rk_canary_5f1d0c7e"


@pytest.fixture
def shown(recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed where one route refuses the key."""
    recorder.default = Answer(401, body=f"unknown key {CANARY}".encode(), route=None)
    monkeypatch.setenv("RAINDROP_WRITE_KEY", CANARY)
    monkeypatch.setenv("RAINDROP_ENDPOINT", recorder.endpoint)
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["doctor", "--timeout", "2"]) == 1
    return capsys.readouterr().out


def test_it_is_a_check_list(shown: str, recorder: Recorder) -> None:
    """One line a check with its state in words, what to do below it, and a last line that sums it up."""
    lines = shown.splitlines()
    assert lines[0] == f"raindrop-logging {__version__}"
    assert ["write_key", "set", "variable", "RAINDROP_WRITE_KEY"] in [line.split() for line in lines]
    assert f"  ok    endpoint  {recorder.endpoint}" in lines
    assert "  skip  tls       the address is http: nothing is encrypted" in lines
    (failed,) = (line for line in lines if line.startswith("  FAIL  traces "))
    assert "span: HTTP 401 in " in failed
    assert failed.endswith("'unknown key ***'")
    assert lines[-1] == "5 checks failed."


def test_a_remedy_is_said_once(shown: str) -> None:
    """Where four routes fail alike, the sentence about it is not there four times."""
    assert shown.count("-> the write key is not known") == 1


def test_every_default_is_named_where_asked_for(shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys that nobody has set are counted; asked for, they share a few lines, each with its value."""
    assert re.search(r"  \d+ more by default \(--verbose names them\)", shown)
    assert "project_id" not in shown
    assert main(["doctor", "--timeout", "2", "--verbose"]) == 1
    assert "by default: project_id none, tracing true, mode thread" in capsys.readouterr().out


def test_lines_fit_the_terminal(shown: str) -> None:
    """No line is longer than the terminal is wide; nothing is coloured where it is no terminal."""
    assert max(map(len, shown.splitlines())) <= 100
    assert "\x1b" not in shown


def on_a_terminal(**environ: str) -> str:
    """What the command prints on a terminal."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "raindrop_logging", "doctor"]
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    with subprocess.Popen(command, stdout=follower, env={**clean, "TERM": "xterm", **environ}) as process:
        os.close(follower)
        read = bytearray()
        while True:
            try:
                came = os.read(leader, 65_536)
            except OSError:  # how Linux says that the other side is closed
                break
            if not came:
                break
            read += came
    os.close(leader)
    assert process.returncode == 1
    return read.decode()


def test_colours_are_for_terminals() -> None:
    """On one, states are coloured."""
    assert "\x1b[1;31mFAIL\x1b[0m" in on_a_terminal()


def test_no_color_is_honoured() -> None:
    """NO_COLOR leaves the colours out."""
    shown = on_a_terminal(NO_COLOR="1")
    assert "FAIL" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--timeout", "0"], "a time is a number of seconds"),
        (["--timeout", "nan"], "a time is a number of seconds"),
        (["--timeout", "soon"], "a time is a number of seconds"),
        (["--send"], "unrecognized arguments"),
    ],
    ids=" ".join,
)
def test_wrong_usage(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong words end with exit code 2 and one line that names them."""
    with pytest.raises(SystemExit) as left:
        main(["doctor", *words])
    assert left.value.code == 2
    assert said in capsys.readouterr().err


def test_a_secret_is_masked_however_it_is_written() -> None:
    """Plain, as JSON, in an address, as a key of a table: none of it is shown, in neither form."""
    secret = 'se"cret/key%\\'
    check = fail("x", f"said {secret} and se%22cret%2Fkey%25%5C", f"do {secret!r}", **{secret: {"in": [secret]}})
    report = Report(version="1", config=secret, sections=(Section(title=secret, checks=(check,)),), handlers=())
    hidden = masked(report, [secret, ""])
    both = as_json(hidden) + "\n".join(as_lines(hidden, Style()))
    assert "cret" not in both
    assert "said *** and ***" in both
