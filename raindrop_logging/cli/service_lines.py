"""How the demo shows what its service logs: one line a record, with the record type that its block says.

In: a LogRecord.  Out: a line, in colour where stdout is a terminal.  Touches: nothing.
"""

from __future__ import annotations

import logging
import os
import sys
import time

from raindrop_logging.handler import BLOCK_KEY
from raindrop_logging.vocabulary import RECORD_TYPES


class ServiceLines(logging.Formatter):
    """``18:20:11  span      shop.tools     order_lookup returned``; an exception is its message, not its stack."""

    def __init__(self) -> None:
        super().__init__()
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        block = record.__dict__.get(BLOCK_KEY) or {}
        message = record.getMessage()
        word = block.get("type") or (message if message in RECORD_TYPES else "")
        if message == word:
            message = block.get("input") or message
        if record.exc_info and record.exc_info[1]:
            message = f"{message}: {record.exc_info[1]}"
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        word, name = f"{word:<8}", f"{record.name:<13}"
        if self._colour:
            word, clock = f"\x1b[36m{word}\x1b[0m", f"\x1b[2m{clock}\x1b[0m"
            message = f"\x1b[31m{message}\x1b[0m" if record.levelno >= logging.ERROR else message
        return f"  {clock}  {word}  {name}  {message}"
