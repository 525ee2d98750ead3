"""structlog and logging as they were, after every test."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest
import structlog

from tests.wire.harness import Heard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def clean_structlog() -> Iterator[None]:
    """No configuration, context or class of loggers of one test reaches another."""
    logger_class = logging.getLoggerClass()
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.setLoggerClass(logger_class)


@pytest.fixture
def told() -> Callable[[], list[str]]:
    """What the package's own logger says from now on, once it is said."""
    diagnostics = Heard("raindrop_logging")

    def lines() -> list[str]:
        for thread in threading.enumerate():
            if thread.name == "raindrop-warning":
                thread.join(10)
        return diagnostics.lines

    return lines
