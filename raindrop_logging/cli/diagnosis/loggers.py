"""Loggers that tell of what the doctor does, which is no news to the handlers of the configuration.

In: loggers.  Out: what is told on them.  Touches: their handlers and levels, for the rest of the process.
"""

from __future__ import annotations

import logging
from typing import Final

HTTP_CLIENT: Final = (logging.getLogger("httpx"), logging.getLogger("httpcore"))
"""They tell their every step at DEBUG."""


def set_apart(logger: logging.Logger) -> list[str]:
    """What is told on a logger and those below it from now on; the handlers of the configuration hear it no more."""
    lines: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger.handlers[:], logger.propagate, logger.disabled = [Keeping()], False, False
    logger.setLevel(logging.WARNING)
    return lines
