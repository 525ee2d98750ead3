"""One party delivers: ``python -m tests.benchmarks.parties WHO WHAT NUMBER ENDPOINT [PEM]`` prints one line of JSON.

Who is ``ours``, ``sdk`` (the official SDK as it comes) or ``sdk-best`` (the settings at which it was found fastest). The
line holds the monotonic time of the first call and the process's CPU seconds from there to the end of the last flush.
"""

from __future__ import annotations

import asyncio
import json
import logging
import logging.config
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks.said import KEY, OUTPUT, ai, begun, configuration

Work = Callable[[int], None]


def _ours(endpoint: str, pem: str | None) -> dict[str, Work]:
    import raindrop_logging

    keys = {"endpoint": endpoint, "shutdown_timeout": 60.0} | ({"verify": pem} if pem else {})
    logging.config.dictConfig(configuration(**keys))
    log = logging.getLogger("shop.agent")

    def events(number: int) -> None:
        for one in range(number):
            log.info("ai", extra={"raindrop": ai(one)})
        _flush()

    def interactions(number: int) -> None:
        for one in range(number):
            log.info("begin", extra={"raindrop": begun(one)})
            log.info("finish", extra={"raindrop": {"event_id": f"{one:032x}", "output": OUTPUT}})
        _flush()

    def _flush() -> None:
        if not raindrop_logging.flush(120.0):
            raise RuntimeError(f"not delivered: {raindrop_logging.stats()}")

    async def one_of_many(number: int, moments: random.Random) -> None:
        await asyncio.sleep(moments.random() * 0.5)
        log.info("begin", extra={"raindrop": begun(number)})
        for step in range(3):
            await asyncio.sleep(1.0)
            block = {"event_id": f"{number:032x}", "properties": {f"step_{step}": step}}
            log.info("update", extra={"raindrop": block})
        log.info("finish", extra={"raindrop": {"event_id": f"{number:032x}", "output": OUTPUT}})

    async def crowd(number: int) -> None:
        moments = random.Random(7)
        await asyncio.gather(*(one_of_many(one, moments) for one in range(number)))

    def long(number: int) -> None:
        asyncio.run(crowd(number))
        ended.append(time.monotonic())
        _flush()

    return {"events": events, "interactions": interactions, "long": long}


def _sdk(endpoint: str, *, best: bool) -> dict[str, Work]:
    import raindrop.analytics as raindrop

    raindrop.init(KEY, endpoint=endpoint, local_workshop_url=False, app_git=False)
    if best:
        raindrop.upload_size, raindrop.upload_interval = 200, 0.05

    def events(number: int) -> None:
        for one in range(number):
            raindrop.track_ai(**ai(one))
        raindrop.flush()

    def interactions(number: int) -> None:
        for one in range(number):
            raindrop.begin(**begun(one)).finish(output=OUTPUT)
        raindrop.flush()

    return {"events": events, "interactions": interactions}


ended: list[float] = []
"""When the last call of the work was made, where that matters."""


def main(who: str, what: str, number: int, endpoint: str, pem: str | None = None) -> None:
    """Set up, work, say how it was."""
    work = (_ours(endpoint, pem) if who == "ours" else _sdk(endpoint, best=who == "sdk-best"))[what]
    started, cpu = time.monotonic(), time.process_time()
    work(number)
    said: dict[str, Any] = {"started": started, "cpu": time.process_time() - cpu, "ended": ended[-1:] or [0.0]}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
