"""Short words for what every wire test does: configure logging, speak, listen to the package's own lines."""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import raindrop_logging

KEY = "rk_test"
PATIENCE = 10.0
log = logging.getLogger("shop.agent")


def attach(endpoint: str | None, **keys: Any) -> raindrop_logging.RaindropHandler:
    """Configure logging through dictConfig with one handler on the root, and return that handler."""
    given = {"write_key": KEY, "endpoint": endpoint, **keys}
    options = {key: value for key, value in given.items() if value is not None}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"raindrop": {"class": "raindrop_logging.RaindropHandler", **options}},
            "root": {"level": "INFO", "handlers": ["raindrop"]},
        }
    )
    return next(h for h in logging.root.handlers if isinstance(h, raindrop_logging.RaindropHandler))


@contextmanager
def attached(endpoint: str, **keys: Any) -> Iterator[raindrop_logging.RaindropHandler]:
    """As `attach`, and afterwards logging is as it was before; for what runs outside a test's own clean-up."""
    root = logging.root
    handlers, level = list(root.handlers), root.level
    try:
        handler = attach(endpoint, **keys)
        try:
            yield handler
        finally:
            handler.shutdown(0.2)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def say(block: object, message: str = "said by a test") -> None:
    """Log one record that carries a block."""
    log.info(message, extra={"raindrop": block})


class Heard(logging.Handler):
    """Keeps every record of one logger (the root by default), to be read as lines."""

    def __init__(self, name: str | None = None, level: int = logging.DEBUG) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []
        logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record."""
        self.records.append(record)

    @property
    def lines(self) -> list[str]:
        """The formatted records, tracebacks included."""
        return [self.format(record) for record in self.records]


def diagnostics() -> Heard:
    """Listen to the package's own logger from now on."""
    return Heard("raindrop_logging")
