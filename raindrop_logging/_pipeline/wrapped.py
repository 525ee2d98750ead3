"""A block on its way through another library's event, with what that library knew of it at the call.

In: a block, and an event of structlog's or loguru's around it
Out: WrappedBlock; the block, the scope and the error that `capture` takes
Touches: the exception that is being handled, where ``exc_info`` names it
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final, cast

from raindrop_logging._pipeline.entries import ABOUT, ErrorText
from raindrop_logging.plain import error_text

BLOCK_KEY: Final = "raindrop"
STAMP_KEY: Final = "_raindrop_stamp"

STRUCTLOG_KEY: Final = "_logger"
"""structlog's `wrap_for_formatter` puts this on a record whose message is the whole event dict."""

_NOTHING: Final[Mapping[str, Any]] = {}


class WrappedBlock(dict[str, Any]):
    """What renderers and formatters see of a block, and beside it what they do not see. It can be copied and pickled.

    Attributes:
        whole: the block, where less of it is shown or it is no dict; None where it is what is shown.
        bound: fields that the event says beside the block, as if `raindrop_logging.bind` held them around the call.
        error: what was raised, as text.
        message: the event's message, where the record has another one.
        stamp: the stamp of the record that has carried the block already; None where none has.
    """

    __slots__ = ("bound", "error", "message", "stamp", "whole")

    def __init__(
        self,
        shown: Mapping[str, Any],
        *,
        whole: Any = None,
        bound: Mapping[str, Any] = _NOTHING,
        error: ErrorText | None = None,
        message: Any = None,
    ) -> None:
        super().__init__(shown)
        self.whole = whole
        self.bound = bound
        self.error = error
        self.message = message
        self.stamp: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        """For every protocol: logging's SocketHandler pickles with the first one, which knows no slots."""
        beside = (self.whole, self.bound, self.error, self.message, self.stamp)
        return _rebuilt, (dict(self), beside)

    def event_id(self) -> Any:
        """The event that the block names, itself or by what the event says beside it."""
        said = self if self.whole is None else self.whole
        named = dict.get(said, "event_id") if issubclass(type(said), dict) else None
        return self.bound.get("event_id") if named is None else named

    def unwrapped(
        self, fields: Mapping[str, Any], scope: Mapping[str, Any] | None
    ) -> tuple[Mapping[str, Any], Any, Mapping[str, Any] | None]:
        """The fields of the record as it would have been logged without that library, its block, and the scope around
        the call."""
        as_logged = dict(fields)
        if self.message is not None:
            as_logged["msg"] = self.message
        if self.error is not None:
            as_logged["exc_info"] = self.error
        return as_logged, dict(self) if self.whole is None else self.whole, _inside(scope, self.bound)


def _rebuilt(shown: dict[str, Any], beside: tuple[Any, ...]) -> WrappedBlock:
    whole, bound, error, message, stamp = beside
    block = WrappedBlock(shown, whole=whole, bound=bound, error=error, message=message)
    block.stamp = stamp
    return block


def _inside(scope: Mapping[str, Any] | None, bound: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The scope with more bound in it; whoever binds an event does not speak about the interaction around it."""
    if not bound:
        return scope
    inner = {**(scope or _NOTHING), **bound}
    if "event_id" in bound:
        inner.pop(ABOUT, None)
    outer = (scope or _NOTHING).get("properties")
    if outer and "properties" in bound:
        inner["properties"] = {**outer, **bound["properties"]} if isinstance(outer, Mapping) else outer
    return inner


def block_of(fields: dict[str, Any]) -> Any:
    """The block of a record, given its ``__dict__``, wherever structlog has put it; None where it holds none.

    A record whose block another one has carried already gets the stamp of that one.
    """
    block = fields.get(BLOCK_KEY)
    if block is None:
        block = _block_in(fields.get("msg"))
    if type(block) is WrappedBlock and block.stamp is not None:
        fields.setdefault(STAMP_KEY, block.stamp)
    return block


def has_block(fields: dict[str, Any]) -> bool:
    """Whether `block_of` finds one."""
    return fields.get(BLOCK_KEY) is not None or _said_in(fields.get("msg")) is not None


def _said_in(message: Any) -> Any:
    return dict.get(message, BLOCK_KEY) if issubclass(type(message), dict) else None


def _block_in(event: Any) -> WrappedBlock | None:
    """The block in a message that is structlog's event dict, with the event's own message and exception."""
    block = _said_in(event)
    if block is None or type(block) is WrappedBlock:
        return block
    shown, whole = (block, None) if type(block) is dict else (_NOTHING, block)
    return WrappedBlock(shown, whole=whole, error=error_of(event.get("exc_info")), message=event.get("event"))


def error_of(exc_info: Any) -> ErrorText | None:
    """The exception that structlog's ``exc_info`` means, as text."""
    error = exception_of(exc_info)
    return None if error is None else ErrorText(**error_text(error))


def exception_of(exc_info: Any) -> BaseException | None:
    """The exception itself: the value may be one, the triple of one, or true for the one that is being handled."""
    if exc_info is None or exc_info is False:
        return None
    is_triple = issubclass(type(exc_info), tuple)
    error: Any = exc_info[1] if is_triple and len(exc_info) > 1 else exc_info
    if issubclass(type(error), BaseException):
        return cast("BaseException", error)
    return sys.exc_info()[1] if exc_info and not is_triple else None
