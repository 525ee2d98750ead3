"""`RaindropHandler`: the one handler that a logging configuration names."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeGuard, Unpack

from msgspec.structs import replace

from raindrop_logging import identifiers
from raindrop_logging._pipeline import registry, wrapped
from raindrop_logging._pipeline.capture import capture
from raindrop_logging._pipeline.entries import Snapshot
from raindrop_logging._pipeline.registry import LONGEST_WAIT, pipeline_for
from raindrop_logging._pipeline.stats import FlushResult, Stats, tell_operator
from raindrop_logging._pipeline.stored import snapshot_of
from raindrop_logging._pipeline.wrapped import STRUCTLOG_KEY, block_of
from raindrop_logging.context import NOWHERE as _NOWHERE
from raindrop_logging.context import current_scope
from raindrop_logging.context import here as _here
from raindrop_logging.plain import text_of
from raindrop_logging.settings import Settings, SettingsDict, read_settings

if TYPE_CHECKING:
    import httpx

    from raindrop_logging._pipeline.breadcrumbs import Breadcrumbs
    from raindrop_logging._pipeline.pipeline import Pipeline

BLOCK_KEY = wrapped.BLOCK_KEY
STAMP_KEY = wrapped.STAMP_KEY
"""The one private attribute set on a LogRecord, a tuple. First the bits its ids are made of, so that every handler
agrees on them. Then the numbers of the pipelines that have captured it, so that none does twice along a chain of
loggers; or what a `CaptureFilter` has captured, and which pipelines have taken that."""

_NEVER_CAPTURED = frozenset({"raindrop_logging", "httpx", "httpcore"})
"""Top-level loggers whose records are ours or our HTTP client's; capturing them would feed on itself."""

_HEARD: set[str] = set()
"""Names of loggers that were found to be others; at most so many, should names be made up."""

_MOST_NAMES = 10_000


def _stamped_again(stamp: Any, number: int) -> tuple[int, ...] | None:
    """The stamp of a record that another pipeline has captured, with this one's number; None where it was this one."""
    if type(stamp) is not tuple or not stamp:
        return _mint(128), number
    return None if number in stamp else (*stamp, number)


def is_captured(stamp: Any) -> TypeGuard[tuple[int, bytes, dict[int, list[int]]]]:
    """Whether a `CaptureFilter` has made the stamp: bits, a snapshot in bytes, and who has taken it.

    The last is one dict for all copies of the record in this process, by the numbers of the pipelines.
    """
    return type(stamp) is tuple and len(stamp) == _PARTS and type(stamp[1]) is bytes and type(stamp[2]) is dict


_PARTS = 3


def _is_heard(name: str) -> bool:
    if name.partition(".")[0] in _NEVER_CAPTURED:
        return False
    if len(_HEARD) < _MOST_NAMES:
        _HEARD.add(name)
    return True


_mint = identifiers.mint_bits
_getpid = os.getpid


class RaindropHandler(logging.Handler):
    """Sends log records that hold a ``raindrop`` block to Raindrop.

    In a dictConfig file: ``{"class": "raindrop_logging.RaindropHandler"}``, with any key of the README's
    configuration table. The handler starts by itself with the first record, needs no listener and no queue beside
    it, and ends with the process. A log call never raises because of it and never waits for the network.

    Args:
        level: as every logging.Handler.
        transport: an httpx transport to send through, for tests and special networks.
        **keys: see `raindrop_logging.settings.Settings`.

    Raises:
        SettingsError: a key is unknown or its value breaks a rule; the message names both.
    """

    takes_blocks = True
    """What looks for a handler that hears a block finds this one, however it is wrapped or subclassed."""

    writes_lines = False
    """It shows no one what it handles, so trouble is also told where others would hear it."""

    def __init__(
        self,
        level: int | str = logging.NOTSET,
        *,
        transport: httpx.BaseTransport | None = None,
        **keys: Unpack[SettingsDict],
    ) -> None:
        self.settings: Settings = read_settings(plain_keys(keys))
        self._pipeline = pipeline_for(self, self.settings, transport)
        super().__init__(level)  # last: logging remembers every handler that got this far, even a refused one
        self._warned = False

    def handle(self, record: logging.LogRecord) -> bool:  # noqa: C901, PLR0912, PLR0915 -- each call less is a faster one
        """Capture the record if it holds a block, passes the handler's filters and was not captured before.

        No lock is taken. The record is counted first, since that gives it its number; what cannot be captured is
        withdrawn.
        """
        fields = record.__dict__
        block = fields.get(BLOCK_KEY)
        if type(block) is not dict and (block is not None or STRUCTLOG_KEY in fields):
            block = block_of(fields)
        if block is None:
            return (breadcrumbs := self._pipeline.breadcrumbs) is not None and self._note(record, breadcrumbs)
        if self.filters:
            passed = self._passed(record)
            if passed is None:
                return False
            record, block = passed
            fields = record.__dict__
        pipeline = self._pipeline
        number = None
        try:
            if (pipeline.pid != _getpid() or fields["name"] not in _HEARD) and not self._may_take(record):
                return False
            if STAMP_KEY not in fields:
                if pipeline.silence is not None:
                    return self._unheard(fields, (_mint(128), pipeline.number), pipeline)
                number = pipeline.accepted()
                snapshot = capture(fields, block, None if _here() is _NOWHERE else current_scope(), number)
                fields[STAMP_KEY] = number, pipeline.number
            else:
                again = self._again(record, block, fields[STAMP_KEY], pipeline)
                if again is None:
                    return True
                number, fields[STAMP_KEY], snapshot = again
            if pipeline.breadcrumbs is not None and snapshot.word == "finish":
                snapshot = pipeline.breadcrumbs.taken_along(snapshot, block)
        except BaseException as error:
            if number is not None:
                pipeline.withdrawn()
            if not isinstance(error, Exception):
                raise
            return self._handle_mended(record)  # a log call never raises because of this package
        try:
            pipeline.put(snapshot)
        except Exception:  # noqa: BLE001 -- the caller's stack ends there; the record was counted, so this is its end
            pipeline.ledger.uncaptured.one()
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """As `handle`, for those who call it directly."""
        self.handle(record)

    def _may_take(self, record: logging.LogRecord) -> bool:
        """Settle in after a fork without hooks, and look at a logger's name for the first time."""
        self._pipeline.settle_in()
        return _is_heard(record.name)

    def _note(self, record: logging.LogRecord, breadcrumbs: Breadcrumbs) -> bool:
        """Keep a plain line for the finish of the interaction around it; false, since it is not sent itself."""
        with suppress(Exception):  # a line that cannot be read is nothing to count: only records with a block are
            scope = None if record.levelno < breadcrumbs.level else current_scope()
            if scope is None or not _is_heard(record.name):
                return False
            stamp = record.__dict__.get(STAMP_KEY)
            stamp = _stamped_again(stamp, self._pipeline.number)
            passed: Any = stamp is not None and self.filter(record)
            if passed:
                record.__dict__[STAMP_KEY] = stamp
                breadcrumbs.note(passed if isinstance(passed, logging.LogRecord) else record, scope)
        return False

    def _passed(self, record: logging.LogRecord) -> tuple[logging.LogRecord, Any] | None:
        """The record that the filters let through, with its block; since 3.12 it may be another one."""
        passed: Any = True if type(record) is _MendedRecord else self.filter(record)
        if isinstance(passed, logging.LogRecord):
            record = passed
        block = block_of(record.__dict__)
        return None if not passed or block is None else (record, block)

    def _again(
        self, record: logging.LogRecord, block: Any, stamp: Any, pipeline: Pipeline
    ) -> tuple[int, tuple[Any, ...], Snapshot] | None:
        """Number, new stamp and snapshot of a record that has a stamp; None where that is all for it.

        What a `CaptureFilter` captured, on the thread that logged, is preferred: the block may have changed since.
        """
        number, snapshot = pipeline.number, None
        again: tuple[Any, ...] | None
        if is_captured(stamp):
            snapshot, mine = snapshot_of(stamp[0], stamp[1]), list[int]()
            again = stamp if stamp[2].setdefault(number, mine) is mine else None
        else:
            again = _stamped_again(stamp, number)
        if again is None:
            return None
        if pipeline.silence is not None:
            self._unheard(record.__dict__, again, pipeline)
            return None
        if snapshot is None:
            snapshot = capture(record.__dict__, block, current_scope(), again[0])
        taken = pipeline.accepted()
        return taken, again, replace(snapshot, number=taken, ident=again[0])

    def _handle_mended(self, record: logging.LogRecord) -> bool:
        """Take a record that lacks what logging itself puts into every record."""
        if type(record) is not _MendedRecord:
            with suppress(Exception):  # counted below
                return RaindropHandler.handle(self, _mended(record))
        self._pipeline.accepted()
        self._pipeline.ledger.uncaptured.one()
        return True

    def _unheard(self, fields: dict[str, Any], stamp: tuple[Any, ...], pipeline: Pipeline) -> bool:
        fields[STAMP_KEY] = stamp
        pipeline.accepted()
        pipeline.ledger.unheard.one()
        if pipeline.silence != "no_destination" or self._warned:
            return True
        self._warned = True
        with suppress(RuntimeError):  # at interpreter exit no thread can start any more
            threading.Thread(target=_say_unheard, name="raindrop-warning", daemon=True).start()
        return True

    def flush(self, timeout: float | None = None) -> FlushResult:  # type: ignore[override]  # logging ignores what it returns
        """Send everything logged before now; interactions that are still open go out as pending.

        Args:
            timeout: seconds to wait; the handler's ``shutdown_timeout`` by default. While this thread holds the
                logging module's own lock (another dictConfig is running), nothing is waited for.

        Returns:
            FlushResult: what was sent and what is left; true when nothing is.
        """
        if timeout is None:
            timeout = 0.0 if _holds_logging_lock() else self.settings.shutdown_timeout
        return self._pipeline.flush(min(timeout, LONGEST_WAIT))

    def shutdown(self, timeout: float | None = None) -> FlushResult:
        """Flush, end the threads, and count what could not be sent; a later record starts everything again.

        Args:
            timeout: seconds for all of it; the handler's ``shutdown_timeout`` by default.
        """
        allowed = self.settings.shutdown_timeout if timeout is None else timeout
        return self._pipeline.shutdown(min(allowed, LONGEST_WAIT))

    def close(self) -> None:
        """Park: flush within bounds. Other libraries' dictConfig closes handlers that stay attached, so a record
        that comes after is still sent."""
        self.flush()
        super().close()

    def stats(self) -> Stats:
        """What became of the records so far."""
        return self._pipeline.stats()

    def redirect(self, pipeline: Pipeline) -> None:
        """Put every record from now on into this pipeline; what `raindrop_logging.testing` does for a while."""
        self._pipeline = pipeline

    def __repr__(self) -> str:
        silence = self._pipeline.silence
        if silence is not None:
            return f"<RaindropHandler ({logging.getLevelName(self.level)}) {silence}>"
        target = self.settings.endpoint if self.settings.write_key else self.settings.workshop
        return f"<RaindropHandler ({logging.getLevelName(self.level)}) to {target}>"


def plain_keys(keys: Mapping[str, Any]) -> dict[str, Any]:
    """dictConfig hands over its own mapping types, which look keys up as they are read."""
    return {key: _plain(value) for key, value in keys.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in value}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _say_unheard() -> None:
    tell_operator(
        "no write key: records are counted but not sent; set write_key (or the variable it names) or "
        "RAINDROP_WRITE_KEY, "
        "or RAINDROP_WORKSHOP=1 for the local Workshop"
    )


def _holds_logging_lock() -> bool:
    lock: Any = getattr(logging, "_lock", None)
    try:
        return bool(lock._is_owned())  # noqa: SLF001 -- logging offers no public way to ask
    except AttributeError:
        return False


class _MendedRecord(logging.LogRecord):
    """A record made by hand, with what logging itself would have put into it."""


def _mended(record: logging.LogRecord) -> _MendedRecord:
    usual = {"name": "root", "pathname": "", "lineno": 0, "created": time.time(), "msg": "", "exc_info": None}
    own = {key: value for key, value in record.__dict__.items() if value is not None and key != STAMP_KEY}
    mended = _MendedRecord("", 0, "", 0, "", (), None)
    mended.__dict__.update({**usual, **own})
    mended.name = text_of(mended.name, str)
    return mended


# ---- all handlers of the process -----------------------------------------------------------------------------------


def flush(timeout: float | None = None) -> FlushResult:
    """Flush every RaindropHandler of this process; see `RaindropHandler.flush`. The timeout is for all of them."""
    return registry.flush(timeout)


def shutdown(timeout: float | None = None) -> FlushResult:
    """Shut every RaindropHandler of this process down; see `RaindropHandler.shutdown`. The timeout is for all."""
    return registry.shutdown(timeout)


def stats() -> Stats:
    """Figures of every RaindropHandler that this process has had, added up."""
    return registry.stats()
