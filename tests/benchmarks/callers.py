"""Programs for callgrind: ``python -m tests.benchmarks.callers CASE NUMBER`` does one thing so many times and leaves.

What a call costs is the difference between two numbers, so that start-up and set-up fall out. Requests are answered in
the process itself; the main thread is counted apart from the listener's and the sender's.
"""

from __future__ import annotations

import gc
import logging
import logging.config
import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks.said import INPUT, KEY, OUTPUT, ai, configuration

log = logging.getLogger("shop.agent")
Call = Callable[[int], Any]


def _ours(*, holds: bool = False, **keys: Any) -> None:
    from tests.benchmarks.answering import Answering

    logging.config.dictConfig(configuration(transport=Answering(holds=holds), **keys))


def _null() -> None:
    logging.config.dictConfig(configuration() | {"handlers": {"raindrop": {"class": "logging.NullHandler"}}})


def _ai(number: int) -> None:
    log.info(
        "ai",
        extra={
            "raindrop": {
                "user_id": "user-000123",
                "event": "support_chat",
                "event_id": f"{number:032x}",
                "input": INPUT,
                "output": OUTPUT,
                "model": "gpt-4o",
                "convo_id": "convo-000123",
                "properties": {"tenant": "acme", "latency_ms": 123, "score": 0.5},
            }
        },
    )


def _other(number: int) -> None:
    log.info(
        "ai",
        extra={
            "shop": {
                "user_id": "user-000123",
                "event": "support_chat",
                "event_id": f"{number:032x}",
                "input": INPUT,
                "output": OUTPUT,
                "model": "gpt-4o",
                "convo_id": "convo-000123",
                "properties": {"tenant": "acme", "latency_ms": 123, "score": 0.5},
            }
        },
    )


def _disabled(number: int) -> None:
    log.debug("ai", extra={"raindrop": number})


def _interaction(number: int) -> None:
    event_id = f"{number:032x}"
    log.info(
        "begin",
        extra={
            "raindrop": {
                "event_id": event_id,
                "user_id": "user-000123",
                "event": "support_chat",
                "input": INPUT,
                "model": "gpt-4o",
                "convo_id": "convo-000123",
            }
        },
    )
    log.info("update", extra={"raindrop": {"event_id": event_id, "properties": {"tenant": "acme", "latency_ms": 123}}})
    log.info("finish", extra={"raindrop": {"event_id": event_id, "output": OUTPUT}})


def _begin(number: int) -> None:
    log.info("begin", extra={"raindrop": {"event_id": f"{number:032x}", "user_id": "u", "event": "run", "input": "q"}})


def _tool(_number: int) -> None:
    from raindrop_logging import tool_span

    with tool_span("search", input={"q": "teapot"}) as span:
        span.record_output("a green one")


def _structlog(*processors: Any) -> Call:
    import structlog

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            *processors,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.stdlib.render_to_log_kwargs,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    bound = structlog.get_logger("shop.agent").bind(request="r1", user="u1")
    return lambda number: bound.info("ai", raindrop=ai(number))


def _structlog_and_ours() -> Call:
    from raindrop_logging.structlog import RaindropProcessor

    return _structlog(RaindropProcessor())


def _sdk() -> Call:
    import raindrop.analytics as raindrop

    raindrop.init(KEY, endpoint="http://127.0.0.1:9/v1/", local_workshop_url=False, app_git=False)
    raindrop.upload_interval = 1e6
    return lambda number: raindrop.track_ai(**ai(number))


def _queue_handler() -> None:
    from logging.handlers import QueueHandler
    from queue import Queue

    logging.root.addHandler(QueueHandler(Queue()))


def _opentelemetry() -> None:
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter

    made: Callable[[], Any] = InMemoryLogRecordExporter
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(made()))
    logging.root.addHandler(LoggingHandler(logger_provider=provider))


def _sentry() -> None:
    import sentry_sdk

    sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", enable_logs=True)


def _sized(characters: int) -> Call:
    text = "q" * characters
    return lambda number: log.info(
        "ai", extra={"raindrop": {"user_id": "u", "event": "chat", "event_id": f"{number}", "input": text}}
    )


def _encoding(characters: int) -> Call:
    import msgspec

    encode, text = msgspec.json.Encoder().encode, "q" * characters
    return lambda _number: encode({"input": text})


_HOURS = 1e5


def _same(call: Call) -> Callable[[], Call]:
    return lambda: call


CASES: dict[str, tuple[Callable[[], None], Callable[[], Call]]] = {
    "ref": (_null, _same(_ai)),
    "ai": (_ours, _same(_ai)),
    "journal": (lambda: _ours(durability="journal", spool_dir=tempfile.mkdtemp()), _same(_ai)),
    "without a block, ref": (_null, _same(_other)),
    "without a block": (_ours, _same(_other)),
    "disabled, ref": (_null, _same(_disabled)),
    "disabled": (_ours, _same(_disabled)),
    "interaction": (_ours, _same(_interaction)),
    "tool": (_ours, _same(_tool)),
    "structlog, ref": (_null, _structlog),
    "structlog": (_ours, _structlog_and_ours),
    "sdk": (_null, _sdk),
    "queue handler": (_queue_handler, _same(_ai)),
    "opentelemetry": (_opentelemetry, _same(_ai)),
    "sentry": (_sentry, _same(_ai)),
    "queued": (lambda: _ours(holds=True), _same(_ai)),
    "open": (lambda: _ours(partial_flush_interval=_HOURS, max_open_interactions=20_000), _same(_begin)),
    "100 KB": (_ours, lambda: _sized(100_000)),
    "1 MB": (_ours, lambda: _sized(1_000_000)),
    "1 MB, encoded": (_null, lambda: _encoding(1_000_000)),
    "1 KB": (_ours, lambda: _sized(1_000)),
    "nothing": (_null, _same(lambda _number: None)),
}
"""What is set up, and what is called then."""


def main(case: str, number: int) -> None:
    """Do it so many times; what waits is given up, but for the cases that count what all threads do.

    A record that was refused or had no room would be a cheap one: none may be.
    """
    set_up, called = CASES[case]
    set_up()
    call = called()
    log.setLevel(logging.INFO)
    call(number)
    _warmed_up()
    gc.collect()
    gc.freeze()  # a collection that falls into one run and not into the other looks at what the calls made, and no more
    for one in range(number):
        call(one)
    if case in {"1 MB", "1 KB", "open"}:
        _handed_over(case)
    _check_that_none_is_lost()
    sys.stdout.flush()
    os._exit(0)


def _warmed_up() -> None:
    """What other threads import for the first record is there, and no concern of a collection on this one."""
    import raindrop_logging

    raindrop_logging.flush(2.0)  # in vain where nothing is answered


def _check_that_none_is_lost() -> None:
    import raindrop_logging

    stats = raindrop_logging.stats()
    assert not stats.dropped, stats
    assert not stats.refused, stats


def _handed_over(case: str) -> None:
    import raindrop_logging

    if case == "open":
        while raindrop_logging.stats().open_interactions < raindrop_logging.stats().accepted:
            time.sleep(0.01)
    else:
        assert raindrop_logging.flush(600.0), raindrop_logging.stats()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
