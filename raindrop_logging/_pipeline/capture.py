"""Keep of a LogRecord what delivery needs, on the caller's thread, so that nothing the caller does later changes it.

In: a LogRecord with a block, the bound scope, 128 random bits
Out: Snapshot
Touches: the caller's values, to read them once; the clock, where a hand-made record has no time
"""

from __future__ import annotations

from collections.abc import Mapping
from logging import LogRecord
from typing import Any

import msgspec

from raindrop_logging._pipeline.entries import SNAPSHOT_OVERHEAD, ErrorText, Snapshot, Source
from raindrop_logging.plain import error_text, plain, unknown
from raindrop_logging.vocabulary import RECORD_TYPES

_WORDS = frozenset(RECORD_TYPES)
_encode = msgspec.msgpack.Encoder(enc_hook=unknown).encode


def capture(record: LogRecord, block: Any, scope: Mapping[str, Any] | None, bits: int) -> Snapshot:
    """Snapshot of one record; never raises for the caller's values."""
    try:
        encoded = _encode(block)
    except Exception:  # noqa: BLE001 -- whatever the caller's objects do costs them their own text, not the call
        encoded = _encode(plain(block))
    error, held = None, SNAPSHOT_OVERHEAD + len(encoded)
    if record.exc_info:
        error = _error_of(record.exc_info)
        held += len(error.message) + len(error.stack) if error else 0
    source = Source(record.name, record.pathname, record.lineno)
    return Snapshot(record.created, bits, encoded, _word(record, block), scope, error, source, held)


def _word(record: LogRecord, block: Any) -> str | None:
    """The record type as the block's own key says it, else as the message does."""
    word = block.get("type") if block.__class__ is dict or isinstance(block, Mapping) else None
    if word is not None:
        return word if word.__class__ is str else None
    message = record.msg
    return message if message.__class__ is str and message in _WORDS else None


def _error_of(exc_info: Any) -> ErrorText | None:
    """Type, message and stack of ``exc_info`` (which a hand-made record may hold as anything), each bounded."""
    error = exc_info[1] if isinstance(exc_info, tuple) and len(exc_info) > 1 else exc_info
    return ErrorText(**error_text(error)) if isinstance(error, BaseException) else None
