"""A filter and a handler made by functions of the module itself."""

import logging
from collections.abc import Callable


def below(level: str) -> Callable[[logging.LogRecord], bool]:
    """A filter for records below a level."""
    number = getattr(logging, level)
    return lambda record: record.levelno < number


def terminal(prefix: str) -> logging.Handler:
    """A handler with a name."""
    handler = logging.StreamHandler()
    handler.set_name(prefix)
    return handler


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"calm": {"()": below, "level": "WARNING"}},
    "handlers": {
        "out": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "filters": ["calm"]},
        "own": {"()": terminal, "prefix": "own", "level": "ERROR"},
    },
    "loggers": {"": {"level": "DEBUG", "handlers": ["out", "own"], "propagate": True}},
}
