"""Bind who and where once a request, and every record made inside carries it, in tasks too.

Shows:   bind around a request; code deep inside that knows neither user nor conversation; two requests at once
Run:     RAINDROP_WRITE_KEY=... python examples/05_bound_context.py
         (or RAINDROP_WORKSHOP=1 and no key, with the Workshop running)
Arrives: 2 events, 2 spans, 2 users
"""

import asyncio
import logging
from pathlib import Path
from uuid import uuid4

from raindrop_logging import bind, extra, load_config

load_config(Path(__file__).parents[1] / "configs" / "minimal.json")
log = logging.getLogger("shop.agent")


async def search(text: str) -> str:
    """Deep inside: it says what it did, the binding says for whom."""
    await asyncio.sleep(0.01)
    log.info("searched", extra=extra.span(kind="tool", name="search", input=text, output="2 hits"))
    return "2 hits"


async def request(user: str, question: str) -> None:
    """One request of one user."""
    with bind(user_id=user, convo_id=f"{user}-1", event="chat", event_id=str(uuid4()), properties={"region": "eu"}):
        log.info("%s signed in", user, extra=extra.identify(traits={"name": user.title()}))
        log.info("ai", extra={"raindrop": {"input": question, "output": await search(question)}})


async def both() -> None:
    """Two users at the same time; neither gets the other's fields."""
    await asyncio.gather(request("ada", "Which tents are light?"), request("bruno", "Which jackets are dry?"))


asyncio.run(both())
