"""Logging filters for the handlers beside ours."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from raindrop_logging import identifiers
from raindrop_logging._pipeline.capture import capture
from raindrop_logging._pipeline.stored import snapshot_bytes
from raindrop_logging._pipeline.wrapped import BLOCK_KEY, STAMP_KEY, block_of, has_block
from raindrop_logging.context import current_scope


class HideRaindrop(logging.Filter):
    """Keeps records that hold a block out of a console or file handler.

    In a dictConfig file: ``"filters": {"hide": {"()": "raindrop_logging.HideRaindrop"}}``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a record with a ``raindrop`` block."""
        return not has_block(record.__dict__)


class CaptureFilter(logging.Filter):
    """Captures blocks on the thread that logs, for a `RaindropHandler` behind a queue of your own.

    A ``logging.handlers.QueueHandler`` hands records to another thread or process, where what was bound is not, the
    exception is text, and the block may have changed. With this filter on it (or on a logger, or on a
    ``logging.handlers.SocketHandler``) the handler behind the queue sends what the block, the bound fields, the open
    span and the exception were at the call.

    In a dictConfig file: ``"filters": {"capture": {"()": "raindrop_logging.CaptureFilter"}}``, and on the handler
    ``"filters": ["capture"]``. Records without a block are left alone. What is kept on a record is made of plain
    values; where records are pickled, the block that they still hold must be of values that can be.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """True; it never raises."""
        block = block_of(record.__dict__)
        if block is not None:
            with suppress(Exception):  # a record made by hand: the handler takes it as it arrives
                _capture(record, block)
        return True


def _capture(record: logging.LogRecord, block: Any) -> None:
    stamp = record.__dict__.get(STAMP_KEY)
    seen: tuple[Any, ...] = stamp if type(stamp) is tuple and stamp else (identifiers.mint_bits(128),)
    if any(type(part) is bytes for part in seen):
        return
    bits, *takers = seen
    captured = snapshot_bytes(capture(record.__dict__, block, current_scope(), bits))
    record.__dict__.setdefault(BLOCK_KEY, block)  # of structlog's event, of which the queue's handler makes a text
    record.__dict__[STAMP_KEY] = (bits, captured, {number: [] for number in takers})
