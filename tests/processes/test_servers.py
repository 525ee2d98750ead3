"""Web servers with two worker processes: what their requests and their ends log arrives once."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.processes.deployment import LOGGING, PATIENCE, Deployed, deployed, events, served, until

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.wire.recorder import Recorder

WSGI = (
    LOGGING
    + """
from itertools import count
say("loaded")
numbers = count()
def application(environ, start_response):
    event = f"{os.getpid()}-{next(numbers)}"
    say(event)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Connection", "close")])
    return [event.encode()]
"""
)

ASGI = (
    LOGGING
    + """
from contextlib import asynccontextmanager
from itertools import count
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from raindrop_logging.contrib.asgi import deliver_at_shutdown
numbers = count()
@asynccontextmanager
async def lifespan(app):
    say(f"{os.getpid()}-up")
    yield
    say(f"{os.getpid()}-down")
async def answer(request):
    event = f"{os.getpid()}-{next(numbers)}"
    say(event)
    return PlainTextResponse(event, headers={"Connection": "close"})
bare = Starlette(routes=[Route("/", answer)], lifespan=lifespan)
application = deliver_at_shutdown(bare)
added = Starlette(routes=[Route("/", answer)], lifespan=lifespan)
added.add_middleware(deliver_at_shutdown)
async def without_lifespan(scope, receive, send):
    assert scope["type"] == "http"
    await PlainTextResponse(f"{os.getpid()}-{next(numbers)}")(scope, receive, send)
    say(f"{os.getpid()}-answered")
plain = deliver_at_shutdown(without_lifespan)
@asynccontextmanager
async def no_start(app):
    say("refused")
    raise RuntimeError("no database")
    yield
async def raises(scope, receive, send):
    await receive()
    say("refused")
    raise RuntimeError("no database")
starlette_without_start = deliver_at_shutdown(Starlette(lifespan=no_start))
raises_at_start = deliver_at_shutdown(raises)
"""
)


def _asked(listening: socket.socket, server: Deployed, workers: int = 2) -> list[str]:
    """Ask until as many worker processes have answered; every answer, which is the event that was logged with it."""
    answers: list[str] = []
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/"

    def all_have() -> bool:
        answers.append(httpx.get(url, timeout=PATIENCE, trust_env=False).text)
        return len({answer.partition("-")[0] for answer in answers}) == workers

    until(all_have, f"answers of {workers} workers", server)
    return answers


GUNICORN = {
    "as it is": "",
    "with the hooks": "from raindrop_logging.contrib.gunicorn import post_worker_init, worker_exit",
}


@pytest.mark.parametrize("hooks", GUNICORN.values(), ids=GUNICORN)
def test_gunicorn_that_loads_the_application_before_it_forks(
    recorder: Recorder, tmp_path: Path, listening: socket.socket, hooks: str
) -> None:
    """With --preload and two workers, the arbiter's record and every request's arrive once each."""
    pytest.importorskip("gunicorn")
    (tmp_path / "shop.py").write_text(WSGI)
    (tmp_path / "gunicorn.conf.py").write_text(hooks)
    options = ["--preload", "--workers=2", f"--bind=fd://{listening.fileno()}", "shop"]
    with served(recorder, tmp_path, listening, "-m", "gunicorn", *options) as server:
        answers = _asked(listening, server)
        assert server.stops() == 0
    assert events(recorder) == sorted(["loaded", *answers])


def test_gunicorn_with_a_worker_class_that_dies_by_its_signal(
    recorder: Recorder, tmp_path: Path, listening: socket.socket
) -> None:
    """uvicorn's workers raise SIGTERM again in the end; with the hooks they deliver first."""
    pytest.importorskip("gunicorn")
    pytest.importorskip("uvicorn.workers", exc_type=ImportError)
    (tmp_path / "shop.py").write_text(ASGI)
    (tmp_path / "gunicorn.conf.py").write_text(GUNICORN["with the hooks"])
    options = ["--worker-class=uvicorn.workers.UvicornWorker", "--workers=2", f"--bind=fd://{listening.fileno()}"]
    with served(recorder, tmp_path, listening, "-m", "gunicorn", *options, "shop:bare") as server:
        answers = _asked(listening, server)
        assert server.stops() == 0
    assert events(recorder) == sorted([*answers, *_ups_and_downs(answers)])


def _ups_and_downs(answers: list[str]) -> list[str]:
    workers = {answer.partition("-")[0] for answer in answers}
    return [f"{worker}-{what}" for worker in workers for what in ("up", "down")]


@pytest.mark.parametrize("application", ["application", "added"])
def test_uvicorn_with_two_workers(
    recorder: Recorder, tmp_path: Path, listening: socket.socket, application: str
) -> None:
    """Every request's record arrives once, and what the application logs while it starts and shuts down."""
    (tmp_path / "shop.py").write_text(ASGI)
    options = ["--workers=2", f"--fd={listening.fileno()}", f"shop:{application}"]
    with served(recorder, tmp_path, listening, "-m", "uvicorn", *options) as server:
        answers = _asked(listening, server)
        server.stops()
    assert events(recorder) == sorted([*answers, *_ups_and_downs(answers)])


def test_uvicorn_alone_still_dies_by_the_signal_that_stopped_it(
    recorder: Recorder, tmp_path: Path, listening: socket.socket
) -> None:
    """One process and an application that knows no lifespan: it arrives, and the exit status is uvicorn's own."""
    (tmp_path / "shop.py").write_text(ASGI)
    options = [f"--fd={listening.fileno()}", "shop:plain"]
    with served(recorder, tmp_path, listening, "-m", "uvicorn", *options) as server:
        answers = _asked(listening, server, workers=1)
        assert server.stops() == -signal.SIGTERM
    assert events(recorder) == [f"{answer.partition('-')[0]}-answered" for answer in answers]


@pytest.mark.parametrize("application", ["starlette_without_start", "raises_at_start"])
def test_an_application_that_cannot_start_stops_its_server(
    recorder: Recorder, tmp_path: Path, application: str
) -> None:
    """What goes wrong in the lifespan is the server's to see, as without the wrapper; why is delivered."""
    (tmp_path / "shop.py").write_text(ASGI)
    options = ["--port=0", "--lifespan=on", f"shop:{application}"]
    with deployed(recorder, tmp_path, "-m", "uvicorn", *options) as server:
        assert server.ends() == 3, server.output.read_text()
    assert "no database" in server.output.read_text()
    assert events(recorder) == ["refused"]
