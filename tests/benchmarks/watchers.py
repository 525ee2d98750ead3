"""What a service feels: ``python -m tests.benchmarks.watchers WHAT [ENDPOINT]`` prints one line of JSON.

Times in here are of a wall clock, so each is compared with one of the same process taken in turns with it.
"""

from __future__ import annotations

import json
import logging
import logging.config
import os
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from tests.benchmarks.answering import Answering
from tests.benchmarks.said import ai, configuration

_TICK_SECONDS = 0.002
_MOMENT = struct.Struct("d")


def percentile(values: list[float], part: float) -> float:
    """The value below which this part of them is."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def calls(endpoint: str) -> dict[str, float]:
    """p99 of a log call and of one into a NullHandler, in turns while the sender is busy."""
    import raindrop_logging

    logging.config.dictConfig(configuration(endpoint=endpoint))
    ours, null = logging.getLogger("ours"), logging.getLogger("null")
    null.propagate = False
    null.addHandler(logging.NullHandler())
    null.setLevel(logging.INFO)
    taken: dict[str, list[float]] = {"null": [], "ours": []}
    for _ in range(40):
        for one in range(1_500):
            for logger in (null, ours):
                before = time.perf_counter_ns()
                logger.info("ai", extra={"raindrop": ai(one)})
                after = time.perf_counter_ns()
                if one >= 500:  # by now the sender has something to do
                    taken[logger.name].append(float(after - before))
        if not raindrop_logging.flush(60.0):
            raise RuntimeError("not delivered")
    return {who: percentile(times, 0.99) for who, times in taken.items()}


TICKING = f"""
import os, struct, sys, time
while True:
    time.sleep({_TICK_SECONDS})
    try:
        os.write(1, struct.pack("d", time.monotonic()))
    except OSError:
        break
"""


def wakes(endpoint: str) -> dict[str, float]:
    """p99 of how late a thread gets on that waits for another process, idle and while 9,000 events drain."""
    logging.config.dictConfig(configuration(endpoint=endpoint))
    log = logging.getLogger("ours")
    _deliver(log, 1)  # loads what is imported late
    late: list[tuple[float, float]] = []  # when the other process wrote, and how much later it was read here
    spans: dict[str, list[tuple[float, float]]] = {"idle": [], "drain": []}
    ticker = subprocess.Popen([sys.executable, "-c", TICKING], stdout=subprocess.PIPE)
    stream = ticker.stdout
    if stream is None:
        raise RuntimeError("no pipe")

    def watch() -> None:
        while data := os.read(stream.fileno(), _MOMENT.size):
            now, sent = time.monotonic(), _MOMENT.unpack(data)[0]
            late.append((sent, now - sent))

    threading.Thread(target=watch, daemon=True).start()
    try:
        for _ in range(40):
            _deliver(log, 9_000, spans["drain"])
            with _during(spans["idle"]):
                time.sleep(0.15)
    finally:
        ticker.kill()
        ticker.wait()
    taken = {
        name: [by for sent, by in late if any(start <= sent <= end for start, end in found)]
        for name, found in spans.items()
    }
    return {name: percentile(found, 0.99) for name, found in taken.items()} | {
        "samples": float(min(map(len, taken.values())))
    }


def _deliver(log: logging.Logger, number: int, spans: list[tuple[float, float]] | None = None) -> None:
    """Log so many events, and add to ``spans`` the time in which their backlog drains."""
    import raindrop_logging

    for one in range(number):
        log.info("ai", extra={"raindrop": ai(one)})
    with _during([] if spans is None else spans):
        while raindrop_logging.stats().waiting > 500:
            time.sleep(0.005)
    if not raindrop_logging.flush(60.0):
        raise RuntimeError("not delivered")


@contextmanager
def _during(spans: list[tuple[float, float]]) -> Generator[None]:
    start = time.monotonic()
    yield
    spans.append((start, time.monotonic()))


def memory(_: str) -> dict[str, float]:
    """Bytes that 10,000 events of fresh texts hold while the receiver does not answer, and their bytes on the wire."""
    number = 10_000
    sizes: list[int] = []

    class Measuring(Answering):
        def handle_request(self, request: Any) -> Any:
            sizes.append(len(request.read()))
            return super().handle_request(request)

    import raindrop_logging

    logging.config.dictConfig(configuration(transport=Measuring()))
    log = logging.getLogger("ours")
    for one in range(1_000):
        log.info("ai", extra={"raindrop": ai(one)})
    raindrop_logging.flush(60.0)
    encoded = sum(sizes) / 1_000
    logging.config.dictConfig(configuration(transport=Answering(holds=True)))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for one in range(number):
        log.info("ai", extra={"raindrop": ai(one)})
    held = tracemalloc.get_traced_memory()[0] - before
    waiting = raindrop_logging.stats().waiting
    if waiting < number - 10:  # what the sender has in hand is being settled
        raise RuntimeError(f"only {waiting} wait")
    return {"held": held, "encoded": encoded * number}


WATCHED: dict[str, Callable[[str], dict[str, float]]] = {"calls": calls, "wakes": wakes, "memory": memory}


if __name__ == "__main__":
    print(json.dumps(WATCHED[sys.argv[1]](sys.argv[2] if len(sys.argv) > 2 else "")), flush=True)
    os._exit(0)
