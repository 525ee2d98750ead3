"""structlog: a processor that takes the ``raindrop`` block of an event along, by whatever road the event is logged.

    structlog.configure(processors=[
        structlog.contextvars.merge_contextvars,
        RaindropProcessor(keys=("user_id", "convo_id")),    # after what drops and masks events
        structlog.processors.format_exc_info,               # before what renders them
        structlog.processors.JSONRenderer(),
    ])
    structlog.get_logger().info("ai", raindrop={"event": "chat", "input": question, "output": answer})

Through logging (`structlog.stdlib`), the record that structlog makes carries the block to the handlers. Where no record
would carry it, because structlog writes the line by itself or renders it to text before, the processor gives one to the
RaindropHandlers, and to nobody else.

`json_formatter` and `console_formatter` are formatters for dictConfig files.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

import structlog
from structlog.processors import CallsiteParameter, CallsiteParameterAdder
from structlog.stdlib import ProcessorFormatter

from raindrop_logging._pipeline.wrapped import BLOCK_KEY, STAMP_KEY, WrappedBlock, block_of, error_of, exception_of
from raindrop_logging.context_keys import ContextKeys
from raindrop_logging.errors import SettingsError, did_you_mean
from raindrop_logging.line_fields import LINE_KEYS, LineFields, bits_of, said_plainly
from raindrop_logging.plain import plain
from raindrop_logging.record import default_logger, hand_over, tell_aside
from raindrop_logging.vocabulary import SUMMARY_FIELDS

if TYPE_CHECKING:
    from raindrop_logging.redaction import Redactor

Show = Literal["full", "summary", "omit"]

_CARRIERS: Final = tuple(
    renderer
    for renderer in (
        ProcessorFormatter.wrap_for_formatter,
        structlog.stdlib.render_to_log_kwargs,
        getattr(structlog.stdlib, "render_to_log_args_and_kwargs", None),  # since 25.1
    )
    if renderer is not None
)
"""What a chain may end with so that a record of logging's holds the block."""

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
    "fatal": logging.CRITICAL,
    "critical": logging.CRITICAL,
}
"""Levels of structlog's methods; any other, such as ``msg``, is INFO."""


class RaindropProcessor:
    """Takes along the block that an event holds under the key ``raindrop``; the event goes on as it was.

    Events without a block are left alone. It may stand several times in one chain: an event is sent once. It never
    raises. A chain that `structlog.wrap_logger` is given needs an instance of its own, beside the configured one's.

    Put it after what drops or masks events, and before what renders them or their exception. Where a QueueHandler of
    your own stands between structlog and the RaindropHandler, put a second one behind `wrap_for_formatter`, so that the
    record itself holds the block. In the chain of a `ProcessorFormatter` (before `remove_processors_meta`) it only does
    what ``show`` says.

    Args:
        keys: keys of the event (of the call, of ``logger.bind`` or of ``structlog.contextvars``) that say what the
            block leaves out, as if `raindrop_logging.bind` held them around the call: names of ``user_id``,
            ``convo_id``, ``event_id``, ``model``; or a mapping from keys to these, to ``event``, or to
            ``properties.NAME``.
        event_key: the key that holds Raindrop's name of the event; structlog's own ``event`` is the message.
        show: what processors after it, and so the line, see of the block: all of it (``full``), names and ids
            (``summary``), or nothing (``omit``; where a record of logging's carries the block, an empty dict).
        logger: the logger of logging's whose handlers and level hold for events that structlog writes by itself;
            ``raindrop`` by default, where also everything else goes that is said without a logger.

    Raises:
        SettingsError: a value that breaks an argument's rule.
    """

    def __init__(
        self,
        keys: Iterable[str] | Mapping[str, str] = (),
        *,
        event_key: str | None = None,
        show: Show = "full",
        logger: str | None = None,
    ) -> None:
        self._keys = ContextKeys(keys, event_key, taken={"event": "structlog's name for the message"})
        self._show = _checked(show)
        self._changes_nothing = not self._keys and show == "full"
        self._logger = default_logger if logger is None else logging.getLogger(logger)
        self._carrying: Any = None  # the chain that was found to give the block to a record of logging's

    def __call__(self, logger: Any, method_name: str, event_dict: Any) -> Any:
        """The event; as structlog calls every processor."""
        try:
            if type(event_dict) is dict:
                block = event_dict.get(BLOCK_KEY)
                if block is None and "msg" not in event_dict:
                    return event_dict
                if (
                    self._changes_nothing
                    and type(block) is dict
                    and _configuration()["processors"] is self._carrying
                    and isinstance(logger, logging.Logger)
                    and "exc_info" not in event_dict
                    and "_record" not in event_dict
                ):
                    return event_dict  # the usual event: the record says all of it
            self._take(logger, method_name, event_dict)
        except Exception as error:  # noqa: BLE001 -- a log call never raises because of this package
            tell_aside("structlog", f"a block of structlog's was not taken: {type(error).__name__}")
        return event_dict

    def _take(self, logger: Any, method_name: str, event: Any) -> None:
        if isinstance(event, _TEXTS):
            tell_aside("structlog-order", _BEHIND_A_TEXT)
            return
        packed = _packed_for_logging(event)
        if packed is not None:
            self._take_packed(*packed)
        elif type(event) is not tuple and event.get(BLOCK_KEY) is not None:
            self._take_block(logger, method_name, event, event[BLOCK_KEY])

    def _take_block(self, logger: Any, method_name: str, event: MutableMapping[str, Any], block: Any) -> None:
        if "_record" in event:
            self._show_in_line(event, block)
        elif type(block) is not WrappedBlock:  # else another processor has taken it
            self._take_unsent(logger, method_name, event, block)

    def _take_unsent(self, logger: Any, method_name: str, event: MutableMapping[str, Any], block: Any) -> None:
        exc_info = event.get("exc_info")
        if exc_info is None and "exception" in event:
            tell_aside("structlog-exception", _BEHIND_THE_EXCEPTION)
        if not isinstance(logger, logging.Logger) or not self._is_carried():
            self._hand_over(logger, method_name, event, block)
        elif not self._changes_nothing or exc_info is not None:
            _replace(event, self._wrapped(block, event, with_error=True))

    def _is_carried(self) -> bool:
        """Whether a record of logging's will hold the block: the configured chain is this processor's, and says so.

        A chain that is given to `structlog.wrap_logger` is not known. The block is handed over then, and marked, so
        that no handler takes it again from the record.
        """
        chain = _configuration()["processors"]
        if chain is not self._carrying:
            others = [one for one in chain if type(one) is not RaindropProcessor]
            if not others or all(others[-1] is not carrier for carrier in _CARRIERS):
                return False
            if all(one is not self for one in chain):
                return False
            self._carrying = chain
        return True

    def _hand_over(self, logger: Any, method_name: str, event: MutableMapping[str, Any], block: Any) -> None:
        """Give the RaindropHandlers a record that nobody else gets."""
        heard = _logger_behind(logger) or self._logger
        wrapped = self._wrapped(block, event)
        error = exception_of(event.get("exc_info"))
        path, line, function = _place_of_call(heard, method_name)
        record = heard.makeRecord(
            heard.name,
            _LEVELS.get(method_name, logging.INFO),
            path,
            line,
            event.get("event"),
            (),
            None if error is None else (type(error), error, error.__traceback__),
            function,
            {BLOCK_KEY: block if wrapped is None or self._changes_nothing else wrapped},
        )
        hand_over(heard, record)
        if wrapped is not None:
            wrapped.stamp = record.__dict__.get(STAMP_KEY)
            _replace(event, wrapped)
        if self._show == "omit":
            event.pop(BLOCK_KEY, None)

    def _wrapped(self, block: Any, event: Mapping[str, Any], *, with_error: bool = False) -> WrappedBlock | None:
        """The block with what the event says of it; None where it is nothing that has fields."""
        said = block if type(block) is dict else plain(block)
        if type(said) is not dict:
            return None
        shown = self._shown(said)
        return WrappedBlock(
            shown,
            whole=None if shown is block else block,
            bound=self._keys.bound(event),
            error=error_of(event.get("exc_info")) if with_error else None,
            message=event.get("event"),
        )

    def _shown(self, block: dict[str, Any]) -> dict[str, Any]:
        if self._show == "full":
            return block
        return {key: block[key] for key in SUMMARY_FIELDS if key in block} if self._show == "summary" else {}

    def _show_in_line(self, event: MutableMapping[str, Any], block: Any) -> None:
        """In the chain of a formatter: its record is the handlers' to take."""
        event.pop(STAMP_KEY, None)
        if self._show == "omit":
            del event[BLOCK_KEY]
        elif self._show == "summary":
            said = block if issubclass(type(block), dict) else plain(block)
            event[BLOCK_KEY] = self._shown(said) if issubclass(type(said), dict) else {}

    def _take_packed(self, said: dict[str, Any], extra: dict[str, Any]) -> None:
        """Behind a renderer that has packed the event for logging: the record itself is to hold the block."""
        block = said.get(BLOCK_KEY)
        if block is None:
            return
        wrapped = block if type(block) is WrappedBlock else self._wrapped(block, said, with_error=True)
        extra[BLOCK_KEY] = block if wrapped is None else wrapped
        if said is not extra and self._show == "omit":
            del said[BLOCK_KEY]


_TEXTS: Final = (str, bytes, bytearray)
_BEHIND_A_TEXT: Final = (
    "RaindropProcessor stands behind the renderer, where it sees a text and no block: put it before the renderer"
)
_BEHIND_THE_EXCEPTION: Final = (
    "RaindropProcessor stands behind what renders exceptions, such as format_exc_info, where there is no exception any "
    "more: put it before that"
)

_configuration: Final = structlog.get_config

_FIND_PLACE: Final = CallsiteParameterAdder(
    [CallsiteParameter.PATHNAME, CallsiteParameter.LINENO, CallsiteParameter.FUNC_NAME],
    additional_ignores=["raindrop_logging."],
)


def _place_of_call(logger: Any, method_name: str) -> tuple[str, int, str]:
    """File, line and function of the code that spoke, outside of structlog and of this module.

    An async method speaks on a thread of structlog's, where structlog alone knows who called it; its own search takes
    three times as long.
    """
    frame = inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _NOT_THE_CALLER:
        frame = frame.f_back
    if frame is None or frame.f_globals.get("__name__") == "concurrent.futures.thread":
        found = _FIND_PLACE(logger, method_name, {})
        return found["pathname"], found["lineno"], found["func_name"]
    return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name


_NOT_THE_CALLER: Final = frozenset({"structlog", "raindrop_logging"})


def _checked(show: Any) -> Show:
    choices = get_args(Show)
    if show not in choices:
        raise SettingsError(f"'show' is {show!r}: allowed is {' | '.join(choices)}{did_you_mean(show, choices)}")
    return cast("Show", show)


def _replace(event: MutableMapping[str, Any], wrapped: WrappedBlock | None) -> None:
    if wrapped is not None:
        event[BLOCK_KEY] = wrapped


def _logger_behind(logger: Any) -> logging.Logger | None:
    """The logger of logging's that structlog writes to; None where it writes by itself."""
    while isinstance(logger, logging.LoggerAdapter):
        logger = logger.logger
    return logger if isinstance(logger, logging.Logger) else None


def _packed_for_logging(event: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The event dict and the ``extra`` that one of structlog's renderers has made; None where none has."""
    arguments: tuple[Any, ...] = ()
    if type(event) is tuple:
        arguments, keywords = event
    elif BLOCK_KEY not in event and "msg" in event:
        keywords = event
    else:
        return None
    extra = keywords.get("extra")
    if type(extra) is not dict:
        return None
    is_whole = bool(arguments) and issubclass(type(arguments[0]), dict)
    return (arguments[0], extra) if is_whole else (extra, extra)


# ---- formatters for dictConfig files -------------------------------------------------------------------------------


def json_formatter(*, show: Show = "full", redact: bool | list[str] | str | None = None) -> ProcessorFormatter:
    """One line of JSON for each record, of structlog's loggers and of all others.

    In a dictConfig file: ``"formatters": {"json": {"()": "raindrop_logging.structlog.json_formatter"}}``. It adds
    logger, level and timestamp, so that structlog's own chain need not; and what `RaindropJsonFormatter` says of a
    record: the ids of what it is about, and its block with what was bound merged in, for `raindrop-logging ship`.

    Args:
        show: what a line shows of the block: all of it, under the keys that `ship` reads; ids, names and lengths
            (``summary``); only ids (``omit``).
        redact: as the handler's key, for the block and for every other text of the line; RAINDROP_REDACT by default.

    Raises:
        SettingsError: a value that breaks an argument's rule.
    """
    line = LineFields(show, redact, "show")
    return _Stamping(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
        processors=[
            partial(_say_fields, line),
            *_USUAL,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.processors.UnicodeDecoder(),
            partial(_redact, line.redactor),
            structlog.processors.JSONRenderer(),
        ],
    )


def console_formatter(*, show: Show = "summary", colors: bool | None = None) -> ProcessorFormatter:
    """Lines for people, by structlog's ConsoleRenderer, of structlog's loggers and of all others.

    Args:
        show: what a line shows of the block, as for `RaindropProcessor`.
        colors: by default where stderr is a terminal and NO_COLOR is not set.

    Raises:
        SettingsError: a ``show`` that there is not.
    """
    is_colored = sys.stderr.isatty() and not os.environ.get("NO_COLOR") if colors is None else colors
    return ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
        processors=[RaindropProcessor(show=show), *_USUAL, structlog.dev.ConsoleRenderer(colors=is_colored)],
    )


class _Stamping(ProcessorFormatter):
    """structlog formats a copy: the record itself gets the bits of its ids, so that every handler says the same."""

    def format(self, record: logging.LogRecord) -> str:
        if block_of(record.__dict__) is not None:
            bits_of(record)
        return super().format(record)


def _say_fields(line: LineFields, _: Any, __: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    ids, said = line.of(event_dict["_record"])
    event_dict.pop(BLOCK_KEY, None)
    event_dict.pop(STAMP_KEY, None)
    for key, value in ids.items():
        event_dict.setdefault(key, value)
    event_dict.update(said)
    return event_dict


_NEVER_REDACTED: Final = frozenset({"timestamp", "level", "logger", *LINE_KEYS})


def _redact(
    redactor: Redactor | None, _: Any, __: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Every text of the line but those that are redacted already, and names and times."""
    if redactor is None:
        return event_dict
    free = {key: value for key, value in event_dict.items() if key not in _NEVER_REDACTED}
    return {**event_dict, **redactor.value(said_plainly(free))}


def _drop_colors(_: Any, __: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """uvicorn gives its records their message a second time, with the codes of a terminal."""
    event_dict.pop("color_message", None)
    return event_dict


def _add_timestamp(_: Any, __: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The record's own time, where the event has none yet."""
    made = datetime.fromtimestamp(event_dict["_record"].created, UTC)
    event_dict.setdefault("timestamp", made.isoformat(timespec="microseconds"))
    return event_dict


_USUAL: Final = (
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    _add_timestamp,
    _drop_colors,
    ProcessorFormatter.remove_processors_meta,
)
