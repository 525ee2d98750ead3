"""Keep the plain log lines of an interaction for its finish, so that a failing turn arrives with its warnings.

In: LogRecord without a block, and what is bound; later the Snapshot of a finish
Out: that Snapshot, with the lines as ``log`` among its properties
Touches: the record's arguments, to read them as text on the caller's thread
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from logging import LogRecord
from typing import Any

from msgspec.structs import replace

from raindrop_logging._pipeline.entries import Snapshot, event_around
from raindrop_logging._pipeline.wrapped import WrappedBlock
from raindrop_logging.plain import error_text, text_of

_Line = dict[str, str]

_LINE_BYTES = 300
"""Memory of a line beside its texts."""


class Breadcrumbs:
    """The last lines of each interaction, in memory of this process only.

    No lock: each step is one operation of a dict or a deque, and any thread or signal handler may come in between.

    Args:
        level: the least level of a line that is kept.
        most: lines of one interaction; past that the oldest goes.
        max_open: interactions that may have lines at once; past that those of the first go.
    """

    def __init__(self, *, level: int, most: int, max_open: int) -> None:
        self.level = level
        self._most = most
        self._max_open = max_open
        self._lines: dict[str, deque[_Line]] = {}

    def note(self, record: LogRecord, scope: Mapping[str, Any]) -> None:
        """Keep a line for the event that the code around it is about, if it is about one."""
        event_id = event_around(scope)
        if event_id is None:
            return
        self._lines.setdefault(event_id, deque(maxlen=self._most)).append(_line(record))
        if len(self._lines) > self._max_open:
            with suppress(StopIteration, RuntimeError):  # another thread has just changed it: its next line tidies up
                self._lines.pop(next(iter(self._lines)), None)

    def taken_along(self, finish: Snapshot, said: Any) -> Snapshot:
        """A finish with the lines of its event; ``said`` is its block, whose own ``properties.log`` wins."""
        scope = finish.scope or {}
        own = _event_in(said)
        event_id = event_around(scope) if own is None else own
        lines = self._lines.pop(event_id, None) if type(event_id) is str else None
        bound = scope.get("properties", {})
        if not lines or not isinstance(bound, Mapping):
            return finish
        log = list(lines)
        held = sum(_LINE_BYTES + sum(map(len, line.values())) for line in log)
        return replace(finish, scope={**scope, "properties": {"log": log, **bound}}, nbytes=finish.nbytes + held)


def _event_in(block: Any) -> Any:
    """The event that a block names itself."""
    if type(block) is WrappedBlock:
        return block.event_id()
    return dict.get(block, "event_id") if issubclass(type(block), dict) else None


def _line(record: LogRecord) -> _Line:
    line = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": text_of(record.levelname, str),
        "logger": text_of(record.name, str),
        "message": _message(record),
    }
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        said = error_text(error)
        line["error"] = f"{said['type']}: {said['message']}"
    return line


def _message(record: LogRecord) -> str:
    """The message; of an event of structlog's, which is all of it, the part that is said to people."""
    said = record.msg
    if type(said) is dict and "event" in said:
        return text_of(said["event"], str)
    return text_of(record, LogRecord.getMessage)
