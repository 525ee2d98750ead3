"""Logging filters for the handlers beside ours."""

from __future__ import annotations

import logging

from raindrop_logging._pipeline.wrapped import has_block


class HideRaindrop(logging.Filter):
    """Keeps records that hold a block out of a console or file handler.

    In a dictConfig file: ``"filters": {"hide": {"()": "raindrop_logging.HideRaindrop"}}``.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a record with a ``raindrop`` block."""
        return not has_block(record.__dict__)
