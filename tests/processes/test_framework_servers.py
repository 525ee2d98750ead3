"""Services as they are deployed: a framework with the middleware, a server with the file of `configs/` for it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.processes.deployment import PATIENCE, served

if TYPE_CHECKING:
    import socket

    from tests.wire.recorder import Recorder

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"

FASTAPI = """
import logging
from typing import Annotated
from fastapi import Depends, FastAPI, Header
from starlette.responses import StreamingResponse
from raindrop_logging import extra, rebind
from raindrop_logging.contrib.asgi import RaindropMiddleware, deliver_at_shutdown

log = logging.getLogger("shop")
app = FastAPI()
app.add_middleware(RaindropMiddleware, convo_header="X-Conversation-Id", trust_traceparent=True)
app.add_middleware(deliver_at_shutdown)

def authenticated(authorization: Annotated[str, Header()]):
    rebind(user_id=authorization)

@app.get("/orders/{number}", dependencies=[Depends(authenticated)])
async def order(number: int):
    async def answer():
        log.info("said by a test", extra=extra.span(kind="tool", name=f"search {number}"))
        yield "ok"
        log.info("ai", extra=extra.ai(event=f"order {number}", input="q"))
    log.warning("a line for people")
    return StreamingResponse(answer())
"""
REQUESTS = 30


def _address(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


def _trace(number: int) -> str:
    return f"{number + 1:032x}"


async def _all_at_once(base: str) -> list[httpx.Response]:
    async with httpx.AsyncClient(base_url=base, timeout=PATIENCE, trust_env=False) as client:
        return await asyncio.gather(
            *(
                client.get(
                    f"/orders/{number}",
                    headers={
                        "Authorization": f"u{number}",
                        "X-Conversation-Id": f"c{number}",
                        "traceparent": f"00-{_trace(number)}-b7ad6b7169203331-01",
                    },
                )
                for number in range(REQUESTS)
            )
        )


def test_fastapi_under_uvicorn_with_its_file(recorder: Recorder, tmp_path: Path, listening: socket.socket) -> None:
    """Requests at once: each event is of its own user, conversation, route and trace; uvicorn's lines are its own."""
    (tmp_path / "shop.py").write_text(FASTAPI)
    options = [f"--fd={listening.fileno()}", f"--log-config={CONFIGS / 'uvicorn.json'}", "shop:app"]
    with served(recorder, tmp_path, listening, "-m", "uvicorn", *options) as server:
        assert {answer.text for answer in asyncio.run(_all_at_once(_address(listening)))} == {"ok"}
        assert server.stops() == -signal.SIGTERM
        output = server.output.read_text()

    found = {
        event["event"]: (event["user_id"], event["ai_data"]["convo_id"], event["properties"]["route"])
        for event in recorder.items("events/track")
    }
    assert found == {f"order {n}": (f"u{n}", f"c{n}", "/orders/{number}") for n in range(REQUESTS)}
    traces = {span["attributes"]["traceloop.entity.name"]: span["trace_id"] for span in recorder.spans()}
    assert traces == {f"search {n}": _trace(n) for n in range(REQUESTS)}
    assert output.count('"GET /orders/') == REQUESTS
    assert "INFO:     Application startup complete." in output
    assert output.count("WARNING  shop: a line for people") == REQUESTS
    assert "said by a test" not in output


DJANGO = """
from tests.frameworks import django_site
django_site.configure()
django_site.create()
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""


@pytest.mark.slow
def test_django_under_gunicorn_with_its_file(recorder: Recorder, tmp_path: Path, listening: socket.socket) -> None:
    """Users with sessions of their own, a body that is streamed; gunicorn's lines are its own."""
    pytest.importorskip("gunicorn")
    (tmp_path / "shop.py").write_text(DJANGO)
    options = [f"--bind=fd://{listening.fileno()}", "--worker-class=gthread", "--threads=4"]
    environ = {"PYTHONPATH": str(ROOT), "SHOP_DATABASE": str(tmp_path / "shop.sqlite3")}
    command = ["-m", "gunicorn", *options, f"--log-config-json={CONFIGS / 'gunicorn.json'}", "shop"]
    with served(recorder, tmp_path, listening, *command, env=environ) as server:
        base = _address(listening)
        for name, number in (("u1", 1), ("u2", 2)):
            with httpx.Client(base_url=base, timeout=PATIENCE, trust_env=False) as client:
                pages = [client.get(path) for path in (f"/enter/{name}/", f"/orders/{number}/", "/streams/")]
                assert [page.text for page in pages] == ["ok", "ok", "1"]
        assert server.stops() == 0
        output = server.output.read_text()

    users: dict[str, list[Any]] = {}
    for event in recorder.items("events/track"):
        users.setdefault(event["event"], []).append(event["user_id"])
    assert users == {
        "u1 entered": ["1"],
        "u2 entered": ["2"],
        "order 1": ["1"],
        "order 2": ["2"],
        "first part": ["1", "2"],
        "last part": ["1", "2"],
    }
    assert '"GET /orders/1/ HTTP/1.1" 200' in output
    assert "[INFO] Booting worker" in output
