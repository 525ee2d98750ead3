"""What a line says, as the log record that it was.

A line of `RaindropJsonFormatter` says everything. Of any other line with a ``raindrop`` block, or with fields that a
map names, the ids are made of the line's own bytes and place, so that they are the same however often it is read.

In: Line, the origin of its file.  Out: Said | Unsaid.  Touches: nothing.
"""

from __future__ import annotations

import json
import logging
from base64 import b64decode
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Struct

from raindrop_logging.errors import InvalidBlockError
from raindrop_logging.handler import BLOCK_KEY, STAMP_KEY
from raindrop_logging.line_fields import RECORD_KEY, SUMMARY_KEY
from raindrop_logging.shipping.lines import MAX_LINE_BYTES, Line
from raindrop_logging.shipping.mapping import FieldMap
from raindrop_logging.vocabulary import TraceId, instant

_TIMES: Final = ("timestamp", "time", "@timestamp", "ts", "created", "datetime", "asctime", "date")
_LOGGERS: Final = ("logger", "name", "logger_name")
_MESSAGES: Final = ("message", "msg", "event")
"""Where the usual formatters put a record's time, logger and message."""

_MILLISECONDS_FROM: Final = 1e11
"""A number from here on is milliseconds, as JavaScript's loggers write; as seconds it would be after the year 5000."""

_LATEST_SECONDS: Final = 9_214_646_400.0


class Said(Struct, frozen=True, gc=False):
    """A record to deliver, and the context that it was logged in as far as its block does not hold it."""

    record: logging.LogRecord
    scope: Mapping[str, Any]


class Unsaid(Struct, frozen=True, gc=False):
    """A line that says nothing to deliver; ``why`` is None for a log line without a block, which is as it should be."""

    why: str | None = None
    is_summary: bool = False


class _Record(Struct, gc=False):
    """What `RaindropJsonFormatter` writes beside a block."""

    bits: str
    created: float
    logger: str = ""
    path: str = ""
    line: int = 0
    trace_id: TraceId | None = None
    ends: str | None = None
    exact: dict[str, str] = {}


class RecordReader:
    """Reads lines; ``field_map`` is for those without a block."""

    def __init__(self, field_map: FieldMap | None = None) -> None:
        self._field_map = field_map

    def read(self, line: Line, path: str, origin: bytes) -> Said | Unsaid:
        """What one line says. Its record names the line as its source, which is where it can be found now."""
        if line.is_cut:
            return Unsaid(f"longer than {MAX_LINE_BYTES:,} bytes")
        try:
            said = _decoded(line.data)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return Unsaid(f"not JSON: {error}")
        if not isinstance(said, dict):
            return Unsaid(f"not a JSON object but {_kind(said)}")
        try:
            return self._record(said, line, path, origin)
        except InvalidBlockError as error:
            return Unsaid(str(error))

    def _record(self, said: dict[str, Any], line: Line, path: str, origin: bytes) -> Said | Unsaid:
        block = said.get(BLOCK_KEY)
        if block is not None and RECORD_KEY in said:
            return _as_written(block, said[RECORD_KEY], _Place(path, line.number))
        if block is None and self._field_map is not None:
            block = self._field_map.block(said)
        if block is None:
            return Unsaid(is_summary=SUMMARY_KEY in said)
        created, place = _time(said, block), _Place(path, line.number)
        record = _made(block, place, _bits(origin, line), created, logger=_logger(said), message=_message(said))
        return Said(record, {})


_decode: Final = msgspec.json.Decoder().decode


def _decoded(data: bytes) -> Any:
    """JSON; also as Python's own encoder writes it, with NaN and half characters."""
    try:
        return _decode(data)
    except msgspec.DecodeError as error:
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise error from None


def _kind(value: Any) -> str:
    return {list: "a list", str: "a text", type(None): "null"}.get(type(value), "a number")


class _Place(Struct, frozen=True, gc=False):
    path: str
    number: int


def _as_written(block: Any, written: Any, place: _Place) -> Said:
    """The record of a line that says everything.

    Raises:
        InvalidBlockError: somebody else has written it.
    """
    try:
        beside = msgspec.convert(written, _Record)
        exact = {key: msgspec.msgpack.decode(b64decode(packed)) for key, packed in beside.exact.items()}
        bits = int(beside.bits, 16)
    except (ValueError, msgspec.MsgspecError) as error:
        raise InvalidBlockError(f"'{RECORD_KEY}' is not as RaindropJsonFormatter writes it: {error}") from None
    if isinstance(block, dict):
        block.update(exact)
    scope = {"trace_id": beside.trace_id, "event_id": beside.ends}
    record = _made(block, place, bits, beside.created, logger=beside.logger)
    return Said(record, {key: value for key, value in scope.items() if value is not None})


def _made(block: Any, place: _Place, bits: int, created: float, *, logger: str, message: str = "") -> logging.LogRecord:
    record = logging.LogRecord(logger, logging.INFO, place.path, place.number, message, (), None)
    record.created = created
    record.__dict__.update({BLOCK_KEY: block, STAMP_KEY: (bits & _ALL_BITS,)})
    return record


_ALL_BITS: Final = 2**128 - 1


def _bits(origin: bytes, line: Line) -> int:
    return int.from_bytes(blake2b(b"%d %b" % (line.start, line.data), digest_size=16, key=origin).digest())


def _logger(said: Mapping[str, Any]) -> str:
    return next((text for key in _LOGGERS if isinstance(text := said.get(key), str)), "")


def _message(said: Mapping[str, Any]) -> str:
    return next((text for key in _MESSAGES if isinstance(text := said.get(key), str)), "")


def _time(said: Mapping[str, Any], block: Any) -> float:
    """When a line was logged, in seconds since 1970.

    Raises:
        InvalidBlockError: it does not say, and the time of reading it would be another one each time.
    """
    own = block.get("timestamp") if isinstance(block, dict) else None
    if own is not None:
        if _is_milliseconds(own):
            block["timestamp"] = own = own / 1000
        return instant("timestamp", own)
    for key in _TIMES:
        value = said.get(key)
        if value is not None and not isinstance(value, dict | list | bool):
            return instant(key, value / 1000 if _is_milliseconds(value) else value)
    raise InvalidBlockError(
        f"nothing says when it was logged: none of {', '.join(_TIMES)}; map one with timestamp=PATH"
    )


def _is_milliseconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= _MILLISECONDS_FROM
