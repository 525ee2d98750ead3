"""Keep of a LogRecord what delivery needs, on the caller's thread, so that nothing the caller does later changes it.

In: a LogRecord with a block, the bound scope, 128 random bits
Out: Snapshot
Touches: the caller's values, to read them once; the clock, where a hand-made record has no time
"""

from __future__ import annotations

from collections.abc import Mapping
from logging import LogRecord
from typing import Any

from raindrop_logging._pipeline.entries import SNAPSHOT_OVERHEAD, ErrorText, Snapshot, Source
from raindrop_logging.plain import error_text, packed
from raindrop_logging.vocabulary import RECORD_TYPES

_WORDS = frozenset(RECORD_TYPES)


def capture(record: LogRecord, block: Any, scope: Mapping[str, Any] | None, bits: int) -> Snapshot:
    """Snapshot of one record; never raises for the caller's values."""
    encoded, said = packed(block)
    error, held = None, SNAPSHOT_OVERHEAD + len(encoded)
    if record.exc_info is not None:
        error = _error_of(record.exc_info)
        held += len(error.message) + len(error.stack) if error else 0
    source = Source(record.name, record.pathname, record.lineno)
    return Snapshot(record.created, bits, encoded, _word(record.msg, said), scope, error, source, held)


def _word(message: Any, said: Any) -> str | None:
    """The record type as the block's own key says it, else as the message does."""
    word = said.get("type") if type(said) is dict else None
    if word is not None:
        return word if type(word) is str else None
    return message if type(message) is str and message in _WORDS else None


def _error_of(exc_info: Any) -> ErrorText | None:
    """Type, message and stack of ``exc_info`` (which a hand-made record may hold as anything), each bounded."""
    error: Any = exc_info[1] if type(exc_info) is tuple and len(exc_info) > 1 else exc_info
    return ErrorText(**error_text(error)) if issubclass(type(error), BaseException) else None
