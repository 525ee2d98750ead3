"""A FastAPI service whose events know their user, conversation and route, though no log call says them.

Shows:   the middleware; a header that a gateway sets; rebind where the user is authenticated; delivery at shutdown
Run:     RAINDROP_WRITE_KEY=... python examples/13_fastapi_service.py    (it asks itself twice, and ends)
Arrives: 2 events
"""

import logging
import socket
import threading

import httpx
import uvicorn
from fastapi import Depends, FastAPI, Request

from raindrop_logging import RaindropHandler, rebind
from raindrop_logging.contrib.asgi import RaindropMiddleware, deliver_at_shutdown

logging.basicConfig(level="INFO", handlers=[RaindropHandler()])
log, app = logging.getLogger("shop.agent"), FastAPI()
app.add_middleware(RaindropMiddleware, convo_header="X-Conversation-Id")
app.add_middleware(deliver_at_shutdown)


def _authenticate(request: Request) -> None:  # FastAPI runs it in a thread: a bind here would end with it
    rebind(user_id={"Bearer 1": "ada", "Bearer 2": "bruno"}[request.headers["Authorization"]])


@app.get("/orders/{number}", dependencies=[Depends(_authenticate)])
async def order(number: int) -> str:
    """The endpoint logs what was said; for whom, the request knows."""
    log.info("ai", extra={"raindrop": {"event": "chat", "input": f"Where is {number}?", "output": "On its way."}})
    return "On its way."


listening, server = socket.create_server(("127.0.0.1", 0)), uvicorn.Server(uvicorn.Config(app, log_config=None))
threading.Thread(target=server.run, args=[[listening]]).start()
for sent in ({"Authorization": "Bearer 1", "X-Conversation-Id": "c1"}, {"Authorization": "Bearer 2"}):
    httpx.get(f"http://127.0.0.1:{listening.getsockname()[1]}/orders/7", headers=sent).raise_for_status()
server.should_exit = True
