"""Make one log record of one block: on which logger, at which level, and whether anybody will hear it.

Everything that `interactions` and `tracing` say goes through here, so levels, filters and every other handler of the
logging configuration apply to it as to a log call written by hand.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from logging.handlers import QueueHandler
from typing import Any, Final

from raindrop_logging._pipeline.stats import tell_operator, tell_operator_once, was_told
from raindrop_logging.context import AnyLogger, Scope, within
from raindrop_logging.plain import text_of

default_logger: Final = logging.getLogger("raindrop")
"""Where records go that were given no logger. Its level is INFO unless the logging configuration says otherwise."""

if default_logger.level == logging.NOTSET:
    default_logger.setLevel(logging.INFO)

_told: list[bool] = []
"""Whether the first record found a handler of ours, or the operator was told that it did not."""


def say(
    logger: AnyLogger | None,
    block: Mapping[str, Any],
    scope: Scope,
    text: str,
    *args: object,
) -> None:
    """Log a block as INFO, with ``scope`` as what it is about, wherever the caller is now.

    A logger, a filter or a handler of the application's that raises costs the record, not the caller's work.

    Args:
        logger: where to; `default_logger` if None.
        block: the block; what is None is left out.
        scope: the fields that are bound for it.
        text, args: the message, for people who read the log.
    """
    said = {key: value for key, value in block.items() if value is not None}
    shown = tuple([text_of(arg, str) for arg in args])
    try:
        logger, extra = _unwrapped(logger, text, {"raindrop": said})
        heard = _heard(logger)
        if heard.isEnabledFor(logging.INFO):
            path, number, function = _place()
            with within(scope):  # a record factory or a filter may ask what is bound
                record = heard.makeRecord(heard.name, logging.INFO, path, number, text, shown, None, function, extra)
                heard.handle(record)
    except Exception as trouble:  # noqa: BLE001 -- verbs stand in the application's own ``finally``, and spans end there
        line = f"a record of the verbs was not logged: {type(trouble).__name__}: {text_of(trouble, str)}"
        tell_operator_once("logger", line)


def _unwrapped(
    logger: AnyLogger | None, text: str, extra: Mapping[str, object]
) -> tuple[logging.Logger | None, Mapping[str, object]]:
    """The logger behind adapters, and what they add to the record; the block stays, whatever they do to it."""
    while isinstance(logger, logging.LoggerAdapter):
        _, said = logger.process(text, {"extra": extra})
        extra = {**extra, **said.get("extra", {})}
        logger = logger.logger
    return logger, extra


def _heard(logger: logging.Logger | None) -> logging.Logger:
    """The logger to use; the first one that no handler of ours hears is told to the operator."""
    logger = default_logger if logger is None else logger
    if logger is default_logger:
        # A dictConfig disables every logger it does not name; this one is no module's, so it is never meant.
        logger.disabled = False
    if not _told:
        _told.append(is_heard(logger))
        if not _told[0]:
            tell_operator(f"no RaindropHandler hears the logger '{logger.name}' at INFO: {_REMEDY}")
    return logger


def _place() -> tuple[str, int, str]:
    """File, line and function of the code that spoke, outside of this package, which the record names as its place."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    return ("", 0, "") if frame is None else (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


_REMEDY: Final = "attach one to it or to the root logger (dictConfig, or raindrop_logging.init())"


def is_heard(logger: logging.Logger) -> bool:
    """Whether what this logger logs at INFO gets to a handler that sends blocks, leads to one, or writes them whole."""
    node: logging.Logger | None = logger if logger.isEnabledFor(logging.INFO) else None
    while node is not None:
        if any(map(_takes_blocks, node.handlers)):
            return True
        node = node.parent if node.propagate else None
    return False


def _takes_blocks(handler: logging.Handler) -> bool:
    """Whether it is a RaindropHandler, a queue, or has a formatter whose lines `raindrop-logging ship` sends later."""
    if getattr(handler, "takes_blocks", isinstance(handler, QueueHandler)):
        return True
    return getattr(getattr(handler, "formatter", None), "takes_blocks", False)


def hand_over(logger: logging.Logger, record: logging.LogRecord) -> None:
    """Give a record to the handlers of ours that this logger reaches, and to no other.

    For what another library has shown to people already. The levels of the logger and of the handlers apply, and the
    logger's filters. That no handler of ours is reached is told once.
    """
    if logger is default_logger:
        logger.disabled = False  # as above
    passed: Any = logger.isEnabledFor(record.levelno) and logger.filter(record)
    if not passed:
        return
    if isinstance(passed, logging.LogRecord):  # since 3.12
        record = passed
    ours = _handlers_of_ours(logger)
    for handler in ours:
        if record.levelno >= handler.level:
            handler.handle(record)
    if not ours:
        tell_aside("hand_over", f"no RaindropHandler is attached to the logger '{logger.name}' or above: {_REMEDY}")


def _handlers_of_ours(logger: logging.Logger) -> list[logging.Handler]:
    found: list[logging.Handler] = []
    node: logging.Logger | None = logger
    while node is not None:
        found += [handler for handler in node.handlers if getattr(handler, "takes_blocks", False)]
        node = node.parent if node.propagate else None
    return found


def tell_aside(kind: str, line: str) -> None:
    """As `tell_operator_once`, on a thread of its own: the caller may hold a lock that a handler would wait for."""
    if not was_told(kind):
        with suppress(RuntimeError):  # at interpreter exit no thread can start any more
            threading.Thread(target=tell_operator_once, args=(kind, line), name="raindrop-warning", daemon=True).start()
