"""One party delivers: ``python -m tests.benchmarks.parties WHO WHAT NUMBER ENDPOINT [PEM]`` prints one line of JSON.

Who is ``ours``, ``sdk`` (the official SDK as it comes) or ``sdk-best`` (at the settings that were found fastest). The
line holds the monotonic time of the first call and the process's CPU seconds from there to the end of the last flush.
"""

from __future__ import annotations

import asyncio
import json
import logging
import logging.config
import sys
import time
from collections.abc import Callable
from typing import Any

import raindrop_logging
from tests.benchmarks.said import KEY, OUTPUT, ai, begun, configuration


class Ours:
    """A service that logs."""

    def __init__(self, endpoint: str, pem: str | None) -> None:
        keys = {"endpoint": endpoint, "shutdown_timeout": 60.0} | ({"verify": pem} if pem else {})
        logging.config.dictConfig(configuration(**keys))
        self._log = logging.getLogger("shop.agent")

    def events(self, number: int) -> None:
        """Complete AI events."""
        for one in range(number):
            self._log.info("ai", extra={"raindrop": ai(one)})
        self._flush()

    def interactions(self, number: int) -> None:
        """Each begins and is finished at once."""
        for one in range(number):
            self._begin(one)
            self._finish(one)
        self._flush()

    def long(self, number: int) -> None:
        """All are open at once, for three seconds each."""
        asyncio.run(self._crowd(number))
        ended.append(time.monotonic())
        self._flush()

    async def _crowd(self, number: int) -> None:
        await asyncio.gather(*(self._one_of_many(one, one / number / 2) for one in range(number)))

    async def _one_of_many(self, number: int, later: float) -> None:
        await asyncio.sleep(later)
        self._begin(number)
        for step in range(3):
            await asyncio.sleep(1.0)
            block = {"event_id": f"{number:032x}", "properties": {f"step_{step}": step}}
            self._log.info("update", extra={"raindrop": block})
        self._finish(number)

    def _begin(self, number: int) -> None:
        self._log.info("begin", extra={"raindrop": begun(number)})

    def _finish(self, number: int) -> None:
        self._log.info("finish", extra={"raindrop": {"event_id": f"{number:032x}", "output": OUTPUT}})

    def _flush(self) -> None:
        if not raindrop_logging.flush(120.0):
            raise RuntimeError(f"not delivered: {raindrop_logging.stats()}")


class Sdk:
    """A service with the official SDK in it."""

    def __init__(self, endpoint: str, *, best: bool) -> None:
        import raindrop.analytics as sdk

        self._sdk: Any = sdk
        sdk.init(KEY, endpoint=endpoint, local_workshop_url=False, app_git=False)
        if best:
            sdk.upload_size, sdk.upload_interval = 200, 0.05

    def events(self, number: int) -> None:
        """Complete AI events."""
        for one in range(number):
            self._sdk.track_ai(**ai(one))
        self._sdk.flush()

    def interactions(self, number: int) -> None:
        """Each begins and is finished at once."""
        for one in range(number):
            self._sdk.begin(**begun(one)).finish(output=OUTPUT)
        self._sdk.flush()


ended: list[float] = []
"""When the last call of the work was made, where that matters."""


def main(who: str, what: str, number: int, endpoint: str, pem: str | None = None) -> None:
    """Set up, deliver one event, so that what is loaded late is there, then work, and say how it was."""
    party: Ours | Sdk = Ours(endpoint, pem) if who == "ours" else Sdk(endpoint, best=who == "sdk-best")
    work: Callable[[int], None] = getattr(party, what)
    party.events(1)
    started, cpu = time.monotonic(), time.process_time()
    work(number)
    said: dict[str, Any] = {"started": started, "cpu": time.process_time() - cpu, "ended": ended[-1:] or [0.0]}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
