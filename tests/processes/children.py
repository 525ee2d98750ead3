"""Programs that log in processes of their own and acknowledge each returned call, and what they leave behind them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Self

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.recorder import Recorder

PATIENCE: Final = 240.0
"""Seconds that a child may take for anything on a busy machine."""

PRELUDE: Final = """
import faulthandler, json, logging, logging.config, os, signal, sys, threading, time, warnings
faulthandler.register(signal.SIGALRM, chain=True)
signal.alarm(200)
import raindrop_logging
from raindrop_logging import extra

warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
keys = json.loads(sys.argv[1])

def configured(**more):
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "raindrop": {"class": "raindrop_logging.RaindropHandler", **keys, **more},
            "lines": {"class": "logging.StreamHandler"},
        },
        "loggers": {"raindrop_logging": {"handlers": ["lines"], "propagate": False}},
        "root": {"level": "INFO", "handlers": ["raindrop"]},
    }

logging.config.dictConfig(configured())
log = logging.getLogger("shop")

def say(name, text="q"):
    log.info("ai", extra=extra.ai(user_id="u", event=name, input=text))

def told(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
"""
"""What every child begins with: logging configured as its first argument says, and words for what it does."""

DURABILITIES: Final = ("memory", "spill", "journal")


class Child:
    """One running program; killed at the end of its `with` if it has not ended by then.

    Args:
        body: what it does after `PRELUDE`.
        file: where to write the program, for one that is imported again by its own children.
        keys: of its handler.
    """

    def __init__(self, body: str, *, file: Path | None = None, **keys: Any) -> None:
        self.lines: list[str] = []
        self._rest = b""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 -- read after the child has ended
        program = PRELUDE + textwrap.dedent(body)
        if file is not None:
            file.write_text(program)
        self._process = subprocess.Popen(
            [sys.executable, *(["-c", program] if file is None else [str(file)]), json.dumps(keys)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            start_new_session=True,  # so that what it has forked can be ended with it
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def read_until(self, done: Callable[[list[str]], bool]) -> list[str]:
        """Read what it acknowledges until that is enough, or it has ended."""
        deadline = time.monotonic() + PATIENCE
        while not done(self.lines):
            assert time.monotonic() < deadline, self.lines[-5:]
            if not self._read_on(0.1):
                break
        return self.lines

    def go_on(self) -> None:
        """Answer it, where it waits for a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    def kill(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def ended(self) -> Ended:
        """Wait for its end; what it said until then."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self.read_until(lambda _: False)
        code = self._process.wait(PATIENCE)
        self._errors.seek(0)
        return Ended(code, self.lines, self._errors.read().decode())

    def _read_on(self, seconds: float) -> bool:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            return True
        data = os.read(self._process.stdout.fileno(), 65536)
        *whole, self._rest = (self._rest + data).split(b"\n")
        self.lines += [line.decode() for line in whole]
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()


class Ended:
    """A child that has ended: its exit code as subprocess says it, what it acknowledged, and its stderr."""

    def __init__(self, code: int, lines: list[str], errors: str) -> None:
        self.code = code
        self.lines = lines
        self.errors = errors


def run(body: str, *, file: Path | None = None, **keys: Any) -> Ended:
    """Run a program to its end; one that fails by itself is no child of a test."""
    with Child(body, file=file, **keys) as child:
        ended = child.ended()
    assert ended.code == 0, ended.errors
    return ended


def restart(**keys: Any) -> Ended:
    """The next process: it configures logging, logs nothing, and ends."""
    return run("", **{"shutdown_timeout": 20.0, **keys})


def keys_of(durability: str, directory: Path, **more: Any) -> dict[str, Any]:
    """Keys of a handler with that durability."""
    spool = {} if durability == "memory" else {"spool_dir": str(directory / "spool")}
    return {"write_key": "k", "durability": durability, "shutdown_timeout": 30.0, **spool, **more}


@contextlib.contextmanager
def closed_endpoint() -> Iterator[str]:
    """An address where nobody listens, and nobody else will meanwhile."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}/v1/"


def names(recorder: Recorder) -> list[str]:
    """The events that arrived whole, by name; two under one event_id count once, and must be equal."""
    return [item["event"] for item in unrepeated(items(recorder, "events/track"))]


def each_once(recorder: Recorder) -> list[str]:
    """The events that arrived whole, by name; none may have been sent twice."""
    arrived = items(recorder, "events/track")
    assert len({item["event_id"] for item in arrived}) == len(arrived)
    return [item["event"] for item in arrived]


def items(recorder: Recorder, *routes: str) -> list[dict[str, Any]]:
    """What was sent to these routes, item by item, in order; but for requests that broke off with their sender."""
    arrived = [request for request in recorder.requests if request.route in routes]
    bodies = [request.json for request in arrived if len(request.body) == int(request.headers["Content-Length"])]
    return [item for body in bodies for item in (body if isinstance(body, list) else [body])]


def unrepeated(arrived: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items without repetitions, which a receiver knows by their event_id and which never differ."""
    found: dict[str, dict[str, Any]] = {}
    for item in arrived:
        assert found.setdefault(item["event_id"], item) == item
    return list(found.values())


def wait_until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail("it did not come about in time")
        time.sleep(0.01)
