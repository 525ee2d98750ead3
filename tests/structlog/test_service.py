"""A web service with structlog, under a real uvicorn that was given a file of ours as its logging configuration."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import raindrop_logging
from raindrop_logging.structlog import RaindropProcessor
from tests.structlog.roads import fail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from tests.wire.recorder import Recorder

CONFIG = Path(__file__).parents[2] / "configs" / "structlog_json.json"
log = structlog.get_logger("shop.service")


async def answer(request: Request) -> PlainTextResponse:
    """One request of one user; `ainfo` logs on another thread."""
    user = request.query_params["user"]
    with structlog.contextvars.bound_contextvars(user_id=user):
        try:
            log.info("answering", path=request.url.path)
            if user == "u2":
                fail(LookupError("no such order"))
            await log.ainfo("ai", raindrop={"event": "chat", "input": "q", "output": user})
        except LookupError:
            log.exception("ai", raindrop={"event": "failed", "input": "q"})
    return PlainTextResponse(user)


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the service writes to stdout."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    return written


@pytest.fixture
def address(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The running service."""
    monkeypatch.setenv("RAINDROP_WRITE_KEY", "rk_test")
    monkeypatch.setenv("RAINDROP_ENDPOINT", recorder.endpoint)
    # Where a server of this process has had its lines of access off, they would stay off.
    access = logging.getLogger("uvicorn.access")
    monkeypatch.setattr(access, "propagate", True)
    access.setLevel(logging.INFO)
    app = Starlette(routes=[Route("/answer", answer)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=str(CONFIG), lifespan="off"))
    started = threading.Event()
    startup = server.startup

    async def start(sockets: list[object] | None = None) -> None:
        await startup(sockets)  # type: ignore[arg-type]
        started.set()

    monkeypatch.setattr(server, "startup", start)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(10)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def test_requests_are_events_and_lines(output: io.StringIO, address: str, recorder: Recorder) -> None:
    """Each request's event has its own user; stdout is JSON lines, uvicorn's own among them, each event on one."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            RaindropProcessor(keys=("user_id",)),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    with httpx.Client(trust_env=False) as client:
        answers = [client.get(f"{address}/answer", params={"user": user}).text for user in ("u1", "u2", "u3")]
    assert answers == ["u1", "u2", "u3"]
    assert raindrop_logging.flush(10)
    events = recorder.items("events/track")
    assert [(event["event"], event["user_id"]) for event in events] == [
        ("chat", "u1"),
        ("failed", "u2"),
        ("chat", "u3"),
    ]
    assert events[1]["properties"]["error"]["message"] == "no such order"
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [line["raindrop"]["event"] for line in lines if "raindrop" in line] == ["chat", "failed", "chat"]
    assert {"uvicorn.access", "shop.service"} <= {line["logger"] for line in lines}
    assert "color_message" not in output.getvalue()
