"""`RaindropJsonFormatter`: log lines in JSON that hold all that their records said, so that they can be sent later.

    "formatters": {"json": {"()": "raindrop_logging.RaindropJsonFormatter", "block": "full", "redact": true}}

    {"levelname": "INFO", "name": "shop", "message": "ai", "timestamp": "2026-11-26T18:10:47.123456+00:00",
     "event_id": "…", "trace_id": "…",                    ids, on every line that was logged about something
     "raindrop": {"type": "ai", …},                       the block, with what was bound around the call merged in
     "raindrop_record": {"bits": "…", "created": …, …}}   what `raindrop-logging ship` needs beside it

In: LogRecord, on the thread that logged it.  Out: one line of JSON.  Touches: the record, to stamp it with the bits
that its ids are made of, as `RaindropHandler` does: whichever comes first, both say the same ids.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from copy import copy
from functools import partial
from typing import Any, Final

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from raindrop_logging.handler import BLOCK_KEY
from raindrop_logging.line_fields import BlockChoice, LineFields, said_plainly
from raindrop_logging.plain import clean, error_text, text_of

_USUAL_FORMAT: Final = "%(levelname)s %(name)s %(message)s"
_SAID: Final = frozenset({"message", "msg", "args", "exc_info", "exc_text", "stack_info"})
"""Fields of a LogRecord that hold what the application said; the others say where, when and how."""


class RaindropJsonFormatter(JsonFormatter):
    """Formats each record as one line of JSON, with the ids of what it is about and with its ``raindrop`` block.

    It belongs into a handler on the thread that logs: what is bound there is read when the line is made. Of a record
    that has passed a QueueHandler it writes what was captured in front of the queue, where a filter of ours has done
    so; else what the record itself still says, without the context and the exception that it was logged with.

    Args:
        fmt, datefmt, style, validate: as python-json-logger's; level, logger, message and a timestamp by default.
        block: ``full`` writes the block, from which `raindrop-logging ship` sends what `RaindropHandler` would have
            sent; ``summary`` only ids, names and lengths, ``omit`` only ids.
        redact: as the handler's key, for the block and for every other text of the line; RAINDROP_REDACT by default.
        **options: python-json-logger's own.

    Raises:
        SettingsError: a value that breaks an option's rule.
    """

    takes_blocks = True
    """A logger whose lines hold every block is heard, if only later."""

    def __init__(
        self,
        fmt: Any = None,
        datefmt: str | None = None,
        style: str = "%",
        validate: bool = True,  # dictConfig gives all four by position
        *,
        block: BlockChoice = "full",
        redact: bool | list[str] | str | None = None,
        **options: Any,
    ) -> None:
        self._fields = LineFields(block, redact)
        if fmt is None:
            fmt, style = _USUAL_FORMAT, "%"
            options.setdefault("timestamp", True)
        own_encoding = options.get("json_default") is not None or options.get("json_encoder") is not None
        options.setdefault("json_serializer", partial(json.dumps, allow_nan=False))
        reserved = options.pop("reserved_attrs", None)
        options["reserved_attrs"] = [*(RESERVED_ATTRS if reserved is None else reserved), BLOCK_KEY]
        super().__init__(fmt, datefmt, style, validate, **options)
        self.takes_blocks = block == "full"
        self._redactor = self._fields.redactor
        self._has_own_encoding = own_encoding and self._redactor is None

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line; never raises for what it holds."""
        try:
            return super().format(record)
        except Exception:  # noqa: BLE001 -- arguments that do not fit the message, a value's own method
            return super().format(_mended(record))

    def formatException(self, ei: Any) -> Any:  # noqa: N802 -- logging's name
        """As logging's; an exception that cannot be formatted is said in fewer words."""
        try:
            return super().formatException(ei)
        except Exception:  # noqa: BLE001 -- the exception's own methods, or what a hand-made record holds
            error = ei[1] if isinstance(ei, tuple) and len(ei) > 1 else ei
            return error_text(error)["stack"] if isinstance(error, BaseException) else text_of(error, repr)

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """python-json-logger's fields, then ours."""
        super().add_fields(log_data, record, message_dict)
        log_data.pop(BLOCK_KEY, None)
        self._put_message(log_data, record)
        if not self._has_own_encoding:
            said = self._redacted(said_plainly(log_data), message_dict)
            log_data.clear()
            log_data.update(said)
        ids, said = self._fields.of(record)
        for key, value in ids.items():
            log_data.setdefault(key, value)
        log_data.update(said)

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """The line as JSON, whatever it holds: NaN is null, and what no encoder of the application takes is text."""
        try:
            return clean(super().jsonify_log_record(log_data))
        except Exception:  # noqa: BLE001 -- the application's own encoder, or a value it was not made for
            return clean(json.dumps(said_plainly(log_data)))

    def _put_message(self, log_data: dict[str, Any], record: logging.LogRecord) -> None:
        """structlog's `wrap_for_formatter` says the message as the key ``event`` of a dict."""
        key = self.rename_fields.get("message", "message")
        if log_data.get(key) == "" and isinstance(record.msg, dict) and "event" in record.msg:
            log_data[key] = log_data.pop("event", record.msg["event"])

    def _redacted(self, said: dict[str, Any], by_caller: Mapping[str, Any]) -> dict[str, Any]:
        """The line's fields; whole are those that logging itself has set, and the names of the usual ones."""
        if self._redactor is None:
            return said
        stamp = self.timestamp if isinstance(self.timestamp, str) else "timestamp"
        own = [key for key in (*RESERVED_ATTRS, *([stamp] if self.timestamp else [])) if key not in _SAID]
        whole = {self.rename_fields.get(key, key) for key in own if key not in by_caller}
        named = {self.rename_fields.get(key, key) for key in _SAID}
        kept = {key: said[key] for key in said if key in whole}
        texts = {key: self._redactor.value(said[key]) for key in said if key in named - whole}
        free = self._redactor.value({key: said[key] for key in said if key not in whole | named})
        return {**dict.fromkeys(key for key in said if key in kept or key in texts), **free, **texts, **kept}


def _mended(record: logging.LogRecord) -> logging.LogRecord:
    """The record with a message that needs no arguments any more, and says those that did not fit."""
    mended = copy(record)
    mended.msg = text_of(record.msg, str) + (f" {text_of(record.args, repr)}" if record.args else "")
    mended.args = None
    return mended
