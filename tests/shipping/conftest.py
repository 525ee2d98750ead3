"""What the tests of shipping share: a service that writes JSON lines, and the command that ships them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from raindrop_logging import RaindropJsonFormatter
from raindrop_logging.cli import main
from tests.wire.recorder import Recorder

log = logging.getLogger("shop.agent")


@contextmanager
def writing(handler: logging.Handler) -> Iterator[None]:
    """A service whose log goes there as JSON lines meanwhile."""
    handler.setFormatter(RaindropJsonFormatter())
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()


def say(*event_ids: str, **more: Any) -> None:
    """Log one AI event for each id."""
    for event_id in event_ids:
        block = {"event_id": event_id, "user_id": "u1", "event": "chat", "input": f"question {event_id}", **more}
        log.info("ai", extra={"raindrop": block})


def write(path: Path, *event_ids: str, **more: Any) -> Path:
    """Add lines of AI events to a file."""
    with writing(logging.FileHandler(path)):
        say(*event_ids, **more)
    return path


def sent(recorder: Recorder) -> list[str]:
    """Ids of the events that have arrived, in their order, however often."""
    return [item["event_id"] for route in ("events/track", "events/track_partial") for item in recorder.items(route)]


Ship = Callable[..., int]


@pytest.fixture
def ship(recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ship:
    """Runs the command in this process, towards the recorder, with a state file of its own; gives its exit code."""
    monkeypatch.setenv("RAINDROP_WRITE_KEY", "rk_test")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state_home"))

    def run(*words: str | Path, state: Path | None = tmp_path / "state.json") -> int:
        named = [] if state is None else ["--state", str(state)]
        return main(["ship", *map(str, words), "--endpoint", recorder.endpoint, *named, "--quiet"])

    return run


def start(recorder: Recorder, *words: str | Path, **options: Any) -> subprocess.Popen[str]:
    """The command in a process of its own, towards the recorder; every warning is an error there."""
    command = [sys.executable, "-W", "error", "-m", "raindrop_logging", "ship", *map(str, words)]
    return subprocess.Popen(
        [*command, "--endpoint", recorder.endpoint, "--json"],
        env={**os.environ, "RAINDROP_WRITE_KEY": "rk_test"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    """Exit code and summary of a process that ends by itself, or was asked to."""
    out, err = process.communicate(timeout=40)
    assert "Traceback" not in err, err
    summary: dict[str, Any] = json.loads(out)
    return process.returncode, summary
