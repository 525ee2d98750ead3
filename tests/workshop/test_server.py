"""Starting and stopping: busy ports, missing libraries, signals, and data that outlives the server."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from raindrop_logging.errors import install_command
from raindrop_logging.workshop import PortInUseError, running, serve
from tests.workshop.wire_bodies import ai_event

if TYPE_CHECKING:
    from pathlib import Path


def test_busy_with_another_program(tmp_path: Path) -> None:
    """A port that something else holds is refused with the way out."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {port} .*choose another with --port"):
            serve(port, tmp_path / "w.db", open_browser=False)
    assert not list(tmp_path.iterdir())


def test_busy_with_a_workshop() -> None:
    """A port where a Workshop already answers says that it does, and where to look."""
    with (
        running() as first,
        pytest.raises(PortInUseError, match=f"Workshop already runs on port {first.port}: open {first.url}"),
        running(port=first.port),
    ):
        pass


def test_no_such_port() -> None:
    """A number that is no port is refused the same way."""
    with pytest.raises(PortInUseError, match="between 0 and 65535"), running(port=70000):
        pass


def test_restart_keeps_everything(tmp_path: Path) -> None:
    """What one server stored the next one shows, on the same port."""
    path = tmp_path / "w.db"
    with running(path) as first:
        assert httpx.post(f"{first.endpoint}events/track", json=ai_event(), trust_env=False).status_code == 204
    with running(path, first.port) as second:
        event = httpx.get(f"{second.url}/api/events/e1", trust_env=False).json()
    assert (event["output"], second.port) == ("answer", first.port)


def test_stopping_ends_streams_and_threads() -> None:
    """A page that listens does not hold the server up, and no thread is left."""
    before = set(threading.enumerate())
    with httpx.Client(trust_env=False) as client:
        with running() as workshop:
            stream = client.send(client.build_request("GET", f"{workshop.url}/api/stream"), stream=True)
            lines = stream.iter_lines()
            assert next(lines) == ": still here"
        assert not [line for line in lines if line]
    assert set(threading.enumerate()) <= before


def test_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged in a normal run, whatever the root's level."""
    with caplog.at_level(logging.DEBUG), running() as workshop:
        httpx.post(f"{workshop.endpoint}events/track", json=ai_event(), trust_env=False)
        httpx.get(f"{workshop.url}/nothing", trust_env=False)
    names = {record.name.partition(".")[0] for record in caplog.records}
    assert names <= {"httpx", "httpcore", "asyncio"}


SERVE = """
import sys
from raindrop_logging.workshop import serve
serve(0, sys.argv[1], open_browser=False, announce=lambda line: print(line, flush=True))
print("ended", flush=True)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_serve_until_told_to_stop(tmp_path: Path, name: str) -> None:
    """`serve` says where it is, takes events, and ends cleanly when interrupted."""
    path = tmp_path / "w.db"
    program = subprocess.Popen(
        [sys.executable, "-c", SERVE, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with program:
        assert program.stdout is not None
        assert program.stderr is not None
        said = [program.stdout.readline() for _ in range(3)]
        endpoint = said[1].split()[-1]
        assert httpx.post(f"{endpoint}events/track", json=ai_event(), trust_env=False).status_code == 204
        program.send_signal(signal.Signals[name])
        rest, errors = program.communicate(timeout=20)
    assert said[0].startswith("Workshop: http://127.0.0.1:")
    assert str(path) in said[2]
    assert errors == ""
    assert (name, rest, program.returncode) in [("SIGINT", "ended\n", 0), ("SIGTERM", "", -15)]


@pytest.mark.parametrize("library", ["starlette", "uvicorn", "jinja2"])
def test_missing_extra(library: str) -> None:
    """Without a library of the extra, the error names the extra."""
    without = f"import sys; sys.modules[{library!r}] = None\n"
    program = f"{without}from raindrop_logging.workshop import running\nwith running(): pass"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert f"the Workshop needs {library}: {install_command('workshop')}" in ended.stderr


def test_a_store_that_cannot_keep_is_no_success() -> None:
    """What is not stored is answered 503, so that a client keeps it and tries again."""
    with running() as workshop:
        workshop.store.close()
        for method, path in (("POST", "/v1/events/track"), ("GET", "/api/events"), ("GET", "/")):
            answer = httpx.request(method, workshop.url + path, json=ai_event(), trust_env=False)
            assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
