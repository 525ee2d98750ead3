"""`raindrop-logging demo`: everything its service logs arrives, and the check that says so notices what does not."""

from __future__ import annotations

import ast
import copy
import io
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from rich.console import Console

from raindrop_logging._pipeline.stats import Stats
from raindrop_logging.cli import support_agent
from raindrop_logging.cli.arrived import Arrived, read_back
from raindrop_logging.cli.comparison import compare
from raindrop_logging.cli.demo import conclude, perform
from raindrop_logging.cli.logged import Logged
from raindrop_logging.vocabulary import RECORD_TYPES
from raindrop_logging.workshop.server import running
from tests.conftest import logging_restored

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder

DEMO = [sys.executable, "-W", "error", "-m", "raindrop_logging", "demo"]
ROWS = {
    "ai": "2",
    "event": "1",
    "begin, update, finish": "3 + 4 + 2",
    "without a finish": "1",
    "attachments": "4",
    "signal": "5",
    "POSITIVE, NEGATIVE, none": "2 + 2 + 1",
    "identify": "2",
    "span": "6",
    "with an exception": "1",
}
"""What the service logs, by the first column of the table."""

MISLEADING = {
    "RAINDROP_ENDPOINT": "http://127.0.0.1:9/v1/",
    "RAINDROP_MODE": "off",
    "RAINDROP_WORKSHOP": "http://127.0.0.1:9/v1/",
    "RAINDROP_TRACING": "false",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
}
"""A developer's environment that would lead the demo's records elsewhere."""


class Performed(msgspec.Struct):
    """One run of the service, and what the receiver told of it."""

    logged: Logged
    stats: Stats
    arrived: Arrived


@pytest.fixture(scope="module")
def performed() -> Performed:
    """The service run once, towards a receiver of its own."""
    with logging_restored(), running() as receiver:
        logged, stats = perform(receiver.endpoint)
        return Performed(logged, stats, read_back(receiver.url, logged.users))


def concluded(performed: Performed, arrived: Arrived) -> tuple[int, str]:
    """The exit code and the printed text for what is said to have arrived."""
    out = Console(file=io.StringIO(), width=200)
    code = conclude(out, performed.logged, arrived, performed.stats)
    assert isinstance(out.file, io.StringIO)
    return code, out.file.getvalue()


# ---- the command


def test_command_shows_every_row() -> None:
    """One command, whatever the environment says: exit code 0, every figure on both sides, no chatter, no colour."""
    done = subprocess.run(
        DEMO, env={**os.environ, **MISLEADING}, capture_output=True, text=True, check=False, timeout=50
    )
    assert (done.returncode, done.stderr) == (0, "")
    figures = dict(re.findall(r"^ +(\S.*?)  +(\d[\d +]*?)  +\S.*? ✓ *$", done.stdout, re.MULTILINE))
    assert figures == ROWS
    assert "✗" not in done.stdout
    assert "Everything arrived as it was logged: 25 of 25 records" in done.stdout
    assert "HTTP Request" not in done.stdout
    assert "\x1b" not in done.stdout
    assert max(len(line) for line in done.stdout.splitlines() if "demo.json" not in line) <= 80


def test_command_says_it_in_ascii() -> None:
    """A terminal that knows no check mark gets words, not an error."""
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(DEMO, env={**os.environ, **ascii_only}, capture_output=True, check=False, timeout=50)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(re.findall(rb" ok *\|?$", done.stdout, re.MULTILINE)) == len(ROWS)


def test_serve_keeps_the_page_until_interrupted() -> None:
    """With --serve the page answers after the demo, and Ctrl-C ends it with the demo's own exit code."""
    command = [*DEMO, "--serve", "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = next(line.split()[4] for line in process.stdout if line.startswith("The page is on"))
        with urllib.request.urlopen(url, timeout=10) as page:  # noqa: S310 -- the demo's own address
            assert page.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


# ---- the service


def test_service_only_logs() -> None:
    """The service imports nothing of the package but the builders and `bind`: the rest is configuration."""
    tree = ast.parse(Path(support_agent.__file__).read_text())
    ours = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and "raindrop" in (node.module or "")]
    assert {alias.name for node in ours for alias in node.names} == {"extra", "bind"}


def test_service_uses_every_word(performed: Performed) -> None:
    """All record types, all types of attachment, both sentiments, a nested and a failed span, several users."""
    logged = performed.logged
    assert set(logged.counts) == set(RECORD_TYPES)
    attached = {one["type"] for event in logged.events.values() for one in event.get("attachments", ())}
    assert attached == {"code", "text", "image", "iframe"}
    assert {signal.get("sentiment") for signal in logged.signals} == {"POSITIVE", "NEGATIVE", None}
    assert {signal.get("signal_type", "default") for signal in logged.signals} == {"default", "feedback", "edit"}
    spans = logged.spans
    assert {spans[span["parent_id"]]["kind"] for span in spans.values() if span.get("parent_id")} == {"workflow"}
    assert [span["error"] for span in spans.values() if span.get("error")] == ["no word on PX-77391"]
    assert len({event["user_id"] for event in logged.events.values()}) == 4
    assert len({event["convo_id"] for event in logged.events.values() if "convo_id" in event}) == 4


def test_long_interaction_is_seen_before_it_ends(recorder: Recorder) -> None:
    """The interaction that takes its time sends pending partials, then one whole final."""
    perform(recorder.endpoint)
    partials = [body for body in recorder.bodies("events/track_partial") if body["user_id"] == "chen"]
    assert len(partials) >= 2
    assert [body["is_pending"] for body in partials] == [True] * (len(partials) - 1) + [False]
    assert partials[-1]["ai_data"]["input"] == partials[0]["ai_data"]["input"]


# ---- the check


def test_check_is_content(performed: Performed) -> None:
    """What really arrived equals what was logged in every row."""
    rows = compare(performed.logged, performed.arrived)
    assert [(row.logged.strip(), row.logged_count) for row in rows] == list(ROWS.items())
    assert [row.differences for row in rows] == [[]] * len(ROWS)
    assert concluded(performed, performed.arrived)[0] == 0


def _event(arrived: Arrived, user_id: str) -> dict[str, Any]:
    """That user's first event in time."""
    own = [event for event in arrived.events.values() if event["user_id"] == user_id]
    return min(own, key=lambda event: str(event["timestamp"]))


def _thumb(arrived: Arrived) -> dict[str, Any]:
    """The thumbs down."""
    thumb: dict[str, Any] = _event(arrived, "bruno")["signals"][0]
    return thumb


def _span(arrived: Arrived, kind: str) -> dict[str, Any]:
    """The last span of that kind in the conversation that has all kinds."""
    spans: list[dict[str, Any]] = [span for span in _event(arrived, "bruno")["spans"] if span["kind"] == kind]
    return spans[-1]


STEPS = "begin, update, finish"
FAULTS: dict[str, tuple[str, Callable[[Arrived], object]]] = {
    "event lost": ("ai", lambda arrived: arrived.events.pop(_event(arrived, "ada")["event_id"])),
    "interaction lost": (STEPS, lambda arrived: arrived.events.pop(_event(arrived, "dora")["event_id"])),
    "output changed": (STEPS, lambda arrived: _event(arrived, "bruno").update(output="tomorrow")),
    "property lost": (STEPS, lambda arrived: _event(arrived, "bruno")["properties"].pop("carrier")),
    "property added": ("ai", lambda arrived: _event(arrived, "ada")["properties"].update(surprise=1)),
    "time shifted": ("ai", lambda arrived: _event(arrived, "ada").update(timestamp="2026-01-01T00:00:00.000000Z")),
    "left pending": ("without a finish", lambda arrived: _event(arrived, "chen").update(is_pending=True)),
    "attachment lost": ("attachments", lambda arrived: _event(arrived, "chen")["attachments"].pop()),
    "attachments in disorder": ("attachments", lambda arrived: _event(arrived, "chen")["attachments"].reverse()),
    "signal lost": ("signal", lambda arrived: _event(arrived, "bruno")["signals"].pop()),
    "signal twice": ("signal", lambda arrived: _event(arrived, "bruno")["signals"].extend([_thumb(arrived)])),
    "sentiment turned": ("POSITIVE, NEGATIVE, none", lambda arrived: _thumb(arrived).update(sentiment="POSITIVE")),
    "comment lost": ("signal", lambda arrived: _event(arrived, "bruno")["signals"][1]["properties"].clear()),
    "trait lost": ("identify", lambda arrived: arrived.users["ada"]["traits"].pop("plan")),
    "user lost": ("identify", lambda arrived: arrived.users.pop("ada")),
    "span lost": ("span", lambda arrived: _event(arrived, "bruno")["spans"].pop()),
    "failure lost": ("with an exception", lambda arrived: _span(arrived, "tool").update(status="ok", error=None)),
    "parent lost": ("span", lambda arrived: _span(arrived, "llm").update(parent_id=None)),
    "tokens lost": ("span", lambda arrived: _span(arrived, "llm")["attributes"].pop("gen_ai.usage.output_tokens")),
    "span of no event": ("nothing else", lambda arrived: arrived.totals.update(spans=7)),
}
"""What a receiver could do to the records, and the row that must say so."""


@pytest.mark.parametrize("name", FAULTS)
def test_check_notices(performed: Performed, name: str) -> None:
    """Whatever the receiver loses, changes or adds: its row says so, and the exit code is 1."""
    row, fault = FAULTS[name]
    arrived = copy.deepcopy(performed.arrived)
    fault(arrived)
    assert row in {one.logged.strip() for one in compare(performed.logged, arrived) if one.differences}
    code, text = concluded(performed, arrived)
    assert code == 1
    assert "✗" in text
    assert "Not everything arrived as it was logged" in text


def test_check_counts_records_too(performed: Performed) -> None:
    """A record that the handler gave up fails the demo, even where the rest makes up for it."""
    stats = msgspec.structs.replace(performed.stats, delivered=performed.stats.delivered - 1)
    out = Console(file=io.StringIO(), width=200)
    assert conclude(out, performed.logged, performed.arrived, stats) == 1
