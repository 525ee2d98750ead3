"""A program in a directory of its own, configured by variables, started and ended by its process id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from tests.wire.recorder import Recorder

PATIENCE: Final = 40.0
"""Seconds that a server with its workers may take to start, to do something, or to end, on a busy machine."""

LOGGING = """
import logging, os, sys, time
import raindrop_logging
from raindrop_logging import extra
logging.basicConfig(level="INFO", handlers=[raindrop_logging.RaindropHandler()])
log = logging.getLogger("shop")
def say(event):
    log.info("ai", extra=extra.ai(user_id="u", event=str(event), input="q"))
"""
"""What every deployed program begins with."""


class Deployed(msgspec.Struct, frozen=True):
    """A program that runs, or ran."""

    process: subprocess.Popen[bytes]
    output: Path

    def says(self, text: str) -> None:
        """Wait until its output, of any of its processes, has a text."""
        until(lambda: text in self.output.read_text(errors="replace"), f"{text!r} in its output", self)

    def stops(self, signum: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to its first process, and wait for its end; the exit status."""
        self.process.send_signal(signum)
        return self.ends()

    def ends(self) -> int:
        """Wait for its end; the exit status."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end:\n{self.output.read_text(errors='replace')}") from None


def until(holds: Callable[[], bool], what: str, program: Deployed | None = None) -> None:
    """Wait for a condition; ``what`` is missing when it does not come about, or the program has ended without it."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        ended = program is not None and program.process.poll() is not None and not holds()
        if ended or time.monotonic() > deadline:
            output = program.output.read_text(errors="replace") if program is not None else ""
            raise AssertionError(f"expected {what}:\n{output}")
        time.sleep(0.01)


def variables(recorder: Recorder, **more: str) -> dict[str, str]:
    """The environment of a program that sends to the recorder, and only when something makes it deliver."""
    told = {
        "RAINDROP_ENDPOINT": recorder.endpoint,
        "RAINDROP_WRITE_KEY": "rk_deployed",
        "RAINDROP_UPLOAD_INTERVAL": "600",
        "RAINDROP_SHUTDOWN_TIMEOUT": "20",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {**os.environ, **told, **more}


@contextmanager
def deployed(recorder: Recorder, directory: Path, *arguments: str, **popen: Any) -> Iterator[Deployed]:
    """``python *arguments`` in a directory; with the block's end, it and what it started are gone."""
    output = directory / "output.txt"
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=directory,
            env=variables(recorder, **popen.pop("env", {})),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **popen,
        )
    try:
        yield Deployed(process, output)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a group of its own: nothing that it left behind stays
        process.wait(PATIENCE)


@contextmanager
def served(
    recorder: Recorder, directory: Path, listening: socket.socket, *arguments: str, **popen: Any
) -> Iterator[Deployed]:
    """A server that is given a port which listens already: who asks it at once waits until it is up."""
    listening.set_inheritable(True)
    with deployed(recorder, directory, *arguments, pass_fds=[listening.fileno()], **popen) as server:
        yield server


def events(recorder: Recorder) -> list[str]:
    """The names of the events that arrived, sorted."""
    return sorted(item["event"] for item in recorder.items("events/track"))
