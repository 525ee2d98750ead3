"""The frame of the benchmarks; what they measure is no test, since the machine would decide it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.benchmarks.rows import ROWS, Row
from tests.benchmarks.said import ai
from tests.benchmarks.sink import Sink

ROOT: Final = Path(__file__).parent.parent


def _run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *args], cwd=ROOT, check=False, capture_output=True, text=True
    )


def _row(*, at_most: bool) -> Row:
    return Row("r", "this / that", 2.0, lambda: pytest.fail("not measured here"), 0.1, at_most=at_most)


@pytest.mark.parametrize(
    ("at_most", "value", "holds"),
    [(True, 1.0, True), (True, 2.19, True), (True, 2.21, False), (False, 1.81, True), (False, 1.79, False)],
)
def test_a_row_holds_within_its_noise(at_most: bool, value: float, holds: bool) -> None:
    """A bound from above gives way upwards, one from below downwards, and neither further than the noise."""
    assert _row(at_most=at_most).holds(value) is holds


def test_no_row_allows_for_much() -> None:
    """A tenth is the most that noise may be said to be, and each row has a name of its own."""
    assert max(row.noise for row in ROWS) <= 0.1
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_the_list_names_every_row() -> None:
    """With its target, and with what is compared."""
    found = _run("--list")
    assert found.returncode == 0, found.stderr
    for row in ROWS:
        assert row.name in found.stdout
        assert row.compared in found.stdout


def test_a_row_that_there_is_not_is_named() -> None:
    """With the one that was probably meant."""
    found = _run("jornal")
    assert found.returncode == 2
    assert "no row is called 'jornal': did you mean 'journal'?" in found.stderr


def test_the_sink_counts_what_arrives() -> None:
    """Events by their ids, in arrays and alone, whatever else came along the same connection."""
    sink = Sink()
    with httpx.Client(base_url=f"http://127.0.0.1:{sink.port}/v1/") as client:
        events = [{"event_id": ai(number)["event_id"]} for number in (1, 2, 2)]
        assert client.post("events/track", json=events).status_code == 204
        assert client.post("events/track_partial", json={"event_id": "p", "is_pending": True}).status_code == 204
        assert client.post("signals/track", json=[{"event_id": "s"}]).status_code == 204
    found = sink.report()
    assert (found["requests"], found["events"], found["finals"]) == (3, 4, 2)
    assert sink.report()["requests"] == 0
