"""The terminal: what runs, and what comes in."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import httpx
import pytest

from raindrop_logging.cli import main
from raindrop_logging.cli.event_lines import columns, harmless, lines_of
from raindrop_logging.workshop import Running
from raindrop_logging.workshop.server import running
from tests.workshop.wire_bodies import ai_event

FREE_PORT = "9"
"""Nobody listens on the discard port."""


def test_status_of_a_running_workshop(
    workshop: Running, client: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people a few lines, for programs an object, and exit code 0."""
    client.post("/v1/events/track", json=[ai_event("a")])
    assert main(["workshop", "status", "--port", str(workshop.port)]) == 0
    told = capsys.readouterr().out
    assert f"runs on port {workshop.port}" in told
    assert "1 event, 0 signals sent, 0 spans, 0 identified users" in told
    assert re.search(r"1 request since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+$", told, re.MULTILINE)
    assert main(["workshop", "status", "--json", "--port", str(workshop.port)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["running"], said["events"], said["received_bodies"]) == (True, 1, 1)


@pytest.mark.parametrize("command", [["workshop", "status"], ["tail"]])
def test_where_no_workshop_runs(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    """Exit code 1, and a line that says what to do."""
    assert main([*command, "--port", FREE_PORT]) == 1
    assert "no Workshop runs on port 9: start one with 'raindrop-logging workshop'" in capsys.readouterr().err


def test_status_as_json_where_none_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """A program reads an object in either case."""
    assert main(["workshop", "status", "--json", "--port", FREE_PORT]) == 1
    assert json.loads(capsys.readouterr().out)["running"] is False


@contextmanager
def tailing(*words: str) -> Iterator[tuple[subprocess.Popen[str], IO[str], IO[str]]]:
    """`tail` in a process of its own, following by the time the block begins."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "60"}
    command = [sys.executable, "-m", "raindrop_logging", "tail", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment
    ) as process:
        assert process.stdout
        assert process.stderr
        try:
            assert process.stderr.readline().startswith("following")
            yield process, process.stdout, process.stderr
        finally:
            process.kill()


def test_tail_shows_what_passes_and_ends_with_ctrl_c(workshop: Running, client: httpx.Client) -> None:
    """Events come as they are stored, only those that the filters let through; Ctrl-C is exit code 130."""
    with tailing("--port", str(workshop.port), "--user", "u2", "--property", "region=eu") as (process, out, _):
        client.post("/v1/events/track", json=[ai_event("one"), ai_event("two", user_id="u2")])
        first, second = out.readline(), out.readline()
        assert "u2" in first
        assert "two" in first
        assert second.strip() == "> question  < answer"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert out.read() == ""


def test_tail_for_programs(workshop: Running, client: httpx.Client) -> None:
    """With --json each line is an object, and nothing beyond ASCII."""
    with tailing("--port", str(workshop.port), "--json") as (_, out, _err):
        client.post("/v1/events/track", json=[ai_event("\x9b数")])
        line = out.readline()
        assert line.isascii()
        assert json.loads(line)["event_id"] == "\x9b数"


def test_tail_waits_for_a_workshop_that_went_away() -> None:
    """When the Workshop ends and comes back on its port, the tail goes on."""
    with running() as first:
        port = first.port
        opened = tailing("--port", str(port))
        process, out, err = opened.__enter__()
    try:
        assert "is gone: waiting" in err.readline()
        with running(port=port) as second:
            assert err.readline().startswith("following")
            httpx.post(f"{second.endpoint}events/track", json=[ai_event("later")], trust_env=False)
            assert "later" in out.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130
    finally:
        opened.__exit__(None, None, None)


def test_hostile_text_moves_nothing() -> None:
    """Control characters, also those of eight bits and those that turn the text around, are shown, not obeyed."""
    evil = "\x1b[2J\x9b31m\x07\u202e\u2028a\nb\x00"
    (first, second) = lines_of({"event": evil, "user_id": evil, "input": evil}, 200, colour=False)
    for line in (first, second):
        assert line.isprintable()
    assert harmless("a\tb\u200dc") == "a b\u200dc"


@pytest.mark.parametrize("width", [8, 20, 40, 100])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Also where signs take two columns."""
    event = {"event": "数据库" * 9, "user_id": "u" * 50, "event_id": "é" * 50, "input": "数" * 200, "output": "x" * 200}
    assert all(columns(line) <= width for line in lines_of(event, width, colour=False))


def test_what_went_wrong_comes_before_what_is_long() -> None:
    """However long the names, a terminal of 80 columns shows failures, a pending end and signals."""
    long = dict.fromkeys(("user_id", "model", "event_id"), "x" * 60)
    counts = {"error_count": 1, "signal_count": 2, "negative_count": 1, "span_count": 6}
    (first,) = lines_of({"event": "y" * 25, "is_pending": True, **long, **counts}, 80, colour=False)
    assert all(told in first for told in ("1 error", "pending", "2 signals"))


def test_colours_are_ours_alone() -> None:
    """In colour the text is the same, with colours of the command's own around it."""
    event = {"event": "chat", "error_count": 2, "user_id": "u", "tools": ["pay", "search"]}
    painted, plain = lines_of(event, 80, colour=True)[0], lines_of(event, 80, colour=False)[0]
    assert "2 errors" in plain
    assert "pay, search" in plain
    assert "\x1b[31m2 errors\x1b[0m" in painted
    assert "\x1b" not in plain
