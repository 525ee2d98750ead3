"""What dictConfig makes of a file on one Python, and something else on another.

Measured on CPython 3.11.7, 3.12.1 and 3.13.0; later releases of 3.12 mend RL402 and RL405, and 3.14 is taken to be as
3.13 is.

In: a Configuration.  Out: faults RL401 to RL407, with the Pythons they concern.  Touches: nothing.
"""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Iterator
from typing import Any, Final

from raindrop_logging.checking.configuration import Configuration, class_name
from raindrop_logging.checking.document import Unknown, is_open
from raindrop_logging.checking.finding import Fault, Location, Version

SUPPORTED: Final[tuple[Version, ...]] = ((3, 11), (3, 12), (3, 13), (3, 14))
_BEFORE_3_12: Final = ((3, 11),)
_BEFORE_3_13: Final = ((3, 11), (3, 12))
_ONLY_3_12: Final = ((3, 12),)
_SINCE_3_12: Final = ((3, 12), (3, 13), (3, 14))
_KEYS_OF_3_12: Final = ("handlers", "listener", "respect_handler_level")


def faults(config: Configuration) -> Iterator[Fault]:
    """Everything that differs between Pythons."""
    for name, table in config.tables("handlers"):
        where: Location = ("handlers", name)
        if "class" not in table or "()" in table:
            continue
        yield from _class_object(where, table)
        thing = config.of_handler(name)
        if isinstance(thing, type) and issubclass(thing, logging.handlers.QueueHandler):
            yield from _queue(config, where, table)
        elif isinstance(thing, type) and issubclass(thing, logging.handlers.MemoryHandler):
            yield from _memory(where, table)
        elif thing is None:
            yield from _own_queue(where, table)
    for name, table in config.tables("formatters"):
        if "()" not in table and table.get("defaults") is not None:
            message = "dictConfig passes over 'defaults', so a line that needs one of them fails when it is written"
            fix = "name the formatter by '()': logging.Formatter, with fmt and defaults"
            yield Fault("RL404", ("formatters", name, "defaults"), message, fix, _BEFORE_3_12)


def _class_object(where: Location, table: dict[Any, Any]) -> Iterator[Fault]:
    said = table["class"]
    if isinstance(said, Unknown) and said.name and said.name.rpartition(".")[2][:1].isupper():
        message = f"{said.name} itself stands under 'class', which must be a text"
        yield Fault("RL407", (*where, "class"), message, f"write '{said.name}' as a text, or use '()'", _BEFORE_3_12)


def _queue(config: Configuration, where: Location, table: dict[Any, Any]) -> Iterator[Fault]:
    newer = [key for key in _KEYS_OF_3_12 if key in table]
    if newer:
        message = f"dictConfig hands {newer[0]!r} to QueueHandler, which refuses it"
        yield Fault("RL401", (*where, newer[0]), message, _without_queue(config), _BEFORE_3_12)
    elif _is_spelt_out(table.get("queue")) and not is_open(table):
        message = "dictConfig makes no queue of this, and without one no record comes through"
        place = (*where, "queue") if "queue" in table else where
        yield Fault("RL401", place, message, _without_queue(config), _BEFORE_3_12)
    if "handlers" not in table and not is_open(table):
        message = "early releases refuse a QueueHandler without 'handlers'"
        yield Fault("RL402", where, message, "add 'handlers', or name it by '()'", _ONLY_3_12)
    behind = [name for name in config.behind(where[1]) if name in config.raindrops]
    if behind and not _starts_listeners(config.document.text):
        message = f"dictConfig does not start the listener: until your code does, {behind[0]!r} gets nothing"
        fix = (
            f"give {behind[0]!r} to the loggers itself, or call logging.getHandlerByName({where[1]!r}).listener.start()"
        )
        yield Fault("RL403", (*where, "handlers"), message, fix, _SINCE_3_12)


def _is_spelt_out(queue: Any) -> bool:
    """Not an object of the program's own."""
    return queue is None or isinstance(queue, dict) or (isinstance(queue, str) and "://" not in queue)


def _without_queue(config: Configuration) -> str:
    if config.raindrops:
        return "leave the QueueHandler out: a RaindropHandler has its own queue and never waits"
    return "make the queue and the listener in your code, or run it on 3.12 or later"


def _starts_listeners(text: str) -> bool:
    return ".listener.start(" in text


def _memory(where: Location, table: dict[Any, Any]) -> Iterator[Fault]:
    said = table.get("flushLevel")
    if isinstance(said, str) and said in logging.getLevelNamesMapping():
        number = logging.getLevelNamesMapping()[said]
        message = f"the text {said!r} stays one, and a log call on this handler raises TypeError"
        yield Fault("RL405", (*where, "flushLevel"), message, f"write the number {number}", _BEFORE_3_13)


def _own_queue(where: Location, table: dict[Any, Any]) -> Iterator[Fault]:
    name = class_name(table) or ""
    if name.endswith("QueueHandler") and "handlers" not in table and not is_open(table):
        message = (
            f"if {name} is a QueueHandler, early releases refuse it without 'handlers', and keep its own keys back"
        )
        yield Fault("RL406", (*where, "class"), message, "name it by '()' instead of 'class'", _ONLY_3_12)
