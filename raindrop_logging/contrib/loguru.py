"""loguru: a sink that takes records with a ``raindrop`` block, and gives them to the RaindropHandlers.

    logger.add(RaindropSink(keys=("user_id", "convo_id")), level="INFO")    # handlers of the root logger, or `init`'s
    logger.bind(raindrop={"event": "chat", "input": question, "output": answer}).info("ai")
    logger.info("ai", raindrop={...})       # the same, where the message has no braces: loguru formats it then

Add the sink, not a RaindropHandler: loguru would hand it the line, in which no block is left. With ``enqueue=True`` the
sink runs on a thread of loguru's: what `raindrop_logging.bind` holds is not there, what loguru's own ``bind`` and
``contextualize`` hold is, and of an exception the stack is lost. Neither loguru's recipe for the records of logging
(`InterceptHandler`) nor the one back (`PropagateHandler`) makes anything be sent twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from raindrop_logging._pipeline.entries import ErrorText
from raindrop_logging._pipeline.wrapped import BLOCK_KEY, STAMP_KEY, WrappedBlock
from raindrop_logging.context_keys import ContextKeys
from raindrop_logging.plain import plain
from raindrop_logging.record import default_logger, hand_over, tell_aside


class RaindropSink:
    """A sink for ``loguru.logger.add``. Records without a block are left alone; it never raises.

    The level is the one that `add` is given, and then that of the logger ``raindrop`` (INFO) and of the handlers.

    Args:
        handler: the RaindropHandler to give records to; by default those that the logger ``raindrop`` reaches, its own
            and the root logger's.
        keys: keys of ``extra`` (of ``bind``, ``contextualize`` or the call) that say what the block leaves out: names
            of ``user_id``, ``convo_id``, ``event_id``, ``event``, ``model``; or a mapping from keys to these or to
            ``properties.NAME``.

    Raises:
        SettingsError: a key that no field could come from.
    """

    def __init__(self, handler: logging.Handler | None = None, *, keys: Iterable[str] | Mapping[str, str] = ()) -> None:
        self._handler = handler
        self._keys = ContextKeys(keys)

    def __call__(self, message: Any) -> None:
        """Take a message of loguru's; as loguru calls every sink."""
        try:
            said: dict[str, Any] = message.record
            block = said["extra"].get(BLOCK_KEY)
            if block is not None:
                self._take(said, block)
        except Exception as error:  # noqa: BLE001 -- a log call never raises because of this package
            tell_aside("loguru", f"a block of loguru's was not taken: {type(error).__name__}")

    def _take(self, said: dict[str, Any], block: Any) -> None:
        record = _record_of(said, self._wrapped(said, block))
        if self._handler is None:
            hand_over(default_logger, record)
        elif record.levelno >= self._handler.level:
            self._handler.handle(record)
        said[STAMP_KEY] = record.__dict__.get(STAMP_KEY)  # loguru gives the same dict to every sink

    def _wrapped(self, said: Mapping[str, Any], block: Any) -> Any:
        bound = self._keys.bound(said["extra"])
        error = _error_without_value(said["exception"])
        if not bound and error is None:
            return block
        shown = block if type(block) is dict else plain(block)
        return WrappedBlock(shown if type(shown) is dict else {}, whole=block, bound=bound, error=error)


def _record_of(said: Mapping[str, Any], block: Any) -> logging.LogRecord:
    """A LogRecord as logging would have made it at the same place, time and thread."""
    exception, level, created = said["exception"], said["level"], said["time"].timestamp()
    record = default_logger.makeRecord(
        said["name"] or said["module"] or default_logger.name,
        level.no,
        said["file"].path,
        said["line"],
        said["message"],
        (),
        tuple(exception) if exception is not None and exception.value is not None else None,
        said["function"],
        {BLOCK_KEY: block},
    )
    record.created, record.msecs = created, created % 1 * 1000
    record.levelname = level.name
    record.thread, record.threadName = said["thread"].id, said["thread"].name
    record.process, record.processName = said["process"].id, said["process"].name
    stamp = said.get(STAMP_KEY) or said["extra"].get(STAMP_KEY)
    if stamp is not None:
        record.__dict__[STAMP_KEY] = stamp
    return record


def _error_without_value(exception: Any) -> ErrorText | None:
    """What is left of an exception that could not be pickled on its way through loguru's queue."""
    if exception is None or exception.value is not None or exception.type is None:
        return None
    return ErrorText(type=exception.type.__qualname__, message="", stack="")
