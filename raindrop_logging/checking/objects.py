"""Handlers, formatters and filters as objects: whether their classes exist, and take what they are given.

In: a Configuration.  Out: faults RL108 to RL110, RL113, RL116 to RL118.  Touches: modules of the standard library,
whose signatures are asked; nothing is made but a logging.Formatter.
"""

from __future__ import annotations

import difflib
import logging
import logging.handlers
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from raindrop_logging.checking.configuration import Configuration, class_name, thing_of
from raindrop_logging.checking.document import Unknown, has_unknown, is_list, is_open, is_table
from raindrop_logging.checking.finding import Fault, Location
from raindrop_logging.checking.resolving import Missing, arguments_of, resolve
from raindrop_logging.checking.structure import missing

_OF_EVERY_HANDLER: Final = frozenset({"()", ".", "class", "level", "formatter", "filters"})
_OF_QUEUES: Final = frozenset({"queue", "handlers", "listener", "respect_handler_level"})
_NUMBERS: Final = frozenset({"maxBytes", "backupCount", "capacity", "port"})


def faults(config: Configuration) -> Iterator[Fault]:
    """Everything that is wrong with the objects of a configuration."""
    for name, table in config.tables("formatters"):
        yield from _formatter(("formatters", name), table)
    for name, table in config.tables("filters"):
        if "()" in table:
            yield from _made(("filters", name), table, "()")
    for name, table in config.tables("handlers"):
        yield from _handler(config, ("handlers", name), table)


# ---- classes -------------------------------------------------------------------------------------------------------


def _class(where: Location, found: Any) -> Iterator[Fault]:
    """What is wrong with a dotted name."""
    if isinstance(found, Unknown):
        return
    if not isinstance(found, str):
        yield Fault("RL109", where, f"must be a dotted name, not {found!r:.60}", "write module.Class")
        return
    known = resolve(found)
    if isinstance(known, Missing):
        right = known.hint.split("'")[1] if known.hint else "the module and the name in it, with a dot between"
        yield Fault("RL109", where, known.reason + known.hint, f"write {right}")


def _kind(where: Location, found: Any, base: type, what: str) -> Iterator[Fault]:
    if found is not None and not (isinstance(found, type) and issubclass(found, base)):
        yield Fault(
            "RL109", where, f"is no class of a {what}", f"name a {what}, such as {base.__module__}.{base.__name__}"
        )


def _made(where: Location, table: Mapping[Any, Any], key: str) -> Iterator[Fault]:
    """An object that is made by calling something with the other keys."""
    yield from _class((*where, key), table[key])
    thing = thing_of(class_name(table))
    if thing is None:
        return
    if not callable(thing):
        yield Fault("RL109", (*where, key), f"{class_name(table)!r} cannot be called", "name a class or a function")
        return
    yield from _arguments(where, thing, _given(table, frozenset({"()", "."})), is_open(table))


def _given(table: Mapping[Any, Any], others: frozenset[str]) -> list[Any]:
    return [key for key in table if key not in others]


def _arguments(where: Location, thing: Any, given: Iterable[Any], more: bool) -> Iterator[Fault]:
    taken = arguments_of(thing)
    if taken is None:
        return
    names = [_alias(str(key), taken.known) for key in given]
    called = getattr(thing, "__name__", "it")
    for name in taken.unknown_of(names):
        hint = taken.hint(name)
        fix = f"rename it to {hint.split(chr(39))[1]!r}" if "'" in hint else "take it out"
        yield Fault("RL110", (*where, name), f"{called} takes no {name!r}{hint}", fix)
    for name in taken.needed:
        if name not in names and not more:
            yield Fault("RL110", where, f"{called} needs {name!r}", f"add {name!r}")


def _alias(name: str, known: tuple[str, ...]) -> str:
    """dictConfig tries the older name of these two itself."""
    return "fmt" if name == "format" and "format" not in known and "fmt" in known else name


# ---- formatters ----------------------------------------------------------------------------------------------------


def _formatter(where: Location, table: dict[Any, Any]) -> Iterator[Fault]:
    wrong: list[Fault] = []
    if "()" in table:
        wrong += _made(where, table, "()")
    elif table.get("class"):
        wrong += _class((*where, "class"), table["class"])
    yield from wrong
    said = table.get("()", table.get("class"))
    if not wrong and (not said or thing_of(class_name(table)) is logging.Formatter):
        yield from _format(where, table)


def _format(where: Location, table: dict[Any, Any]) -> Iterator[Fault]:
    """Let logging judge the format itself."""
    key = "fmt" if "()" in table and "fmt" in table else "format"
    given = {name: table[name] for name in ("style", "validate", "defaults") if table.get(name) is not None}
    if has_unknown(table.get(key)) or any(has_unknown(value) for value in given.values()):
        return
    try:
        logging.Formatter(table.get(key), **given)
    except Exception as error:  # noqa: BLE001 -- whatever logging makes of values of any kind
        fix = "choose % and %(message)s, { and {message}, or $ and $message, for both 'style' and 'format'"
        place = (*where, "style" if "Style" in str(error) else key)
        yield Fault("RL113", place, f"logging refuses it: {error}", fix)
    else:
        if given.get("validate", True):  # else it may be anything, and is meant to be taken unread
            yield from _fields((*where, key), table.get(key) or "", given)


_FIELDS: Final[Mapping[str, Callable[[str], Iterable[str | None]]]] = {
    "%": re.compile(r"%\((\w+)\)").findall,
    "{": lambda text: (field for _, field, _, _ in string.Formatter().parse(text)),
    "$": lambda text: string.Template(text).get_identifiers(),
}
_ATTRIBUTES: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})
_NEARLY: Final = 0.75


def _fields(place: Location, text: str, given: Mapping[str, Any]) -> Iterator[Fault]:
    """A name of the application's own is fine, one that is nearly logging's is seldom meant."""
    defaults = given.get("defaults")
    known = _ATTRIBUTES.union(defaults if is_table(defaults) else ())
    for field in _FIELDS[given.get("style", "%")](text):
        near = difflib.get_close_matches(field, _ATTRIBUTES, 1, _NEARLY) if field and field not in known else ()
        for name in near:
            yield Fault("RL118", place, f"{field!r} is no field of logging's; did you mean {name!r}?", f"write {name}")


# ---- handlers ------------------------------------------------------------------------------------------------------


def _handler(config: Configuration, where: Location, table: dict[Any, Any]) -> Iterator[Fault]:
    key = "()" if "()" in table else "class"
    if key not in table:
        if not is_open(table):
            yield Fault("RL117", where, "has no 'class'", "say what it is, such as class: logging.StreamHandler")
        return
    yield from _class((*where, key), table[key])
    thing = config.of_handler(where[1])
    if thing is None or where[1] in config.raindrops:
        return
    if key == "()":
        yield from _factory(where, table, thing)
        return
    wrong = list(_kind((*where, key), thing, logging.Handler, "handler"))
    yield from wrong or _of_stdlib(config, where, table, thing)


def _factory(where: Location, table: dict[Any, Any], thing: Any) -> Iterator[Fault]:
    if callable(thing):
        yield from _arguments(where, thing, _given(table, _OF_EVERY_HANDLER - {"class"}), is_open(table))
    else:
        yield Fault("RL109", (*where, "()"), f"{table['()']!r:.60} cannot be called", "name a class or a function")


def _of_stdlib(config: Configuration, where: Location, table: dict[Any, Any], thing: Any) -> Iterator[Fault]:
    if issubclass(thing, logging.handlers.QueueHandler):
        yield from _queue(config, where, table)
        return
    yield from _arguments(where, thing, _given(table, _OF_EVERY_HANDLER), is_open(table))
    yield from _values(where, table)
    if issubclass(thing, logging.handlers.MemoryHandler):
        target = table.get("target")
        if isinstance(target, str) and not config.may_hold("handlers", target):
            yield missing(config, (*where, "target"), target, "handlers")


def _values(where: Location, table: dict[Any, Any]) -> Iterator[Fault]:
    for key, value in table.items():
        if key in _NUMBERS and isinstance(value, str) and not value.startswith(("ext://", "cfg://", "env://")):
            yield Fault("RL116", (*where, key), f"must be a number, not the text {value!r:.40}", "write a number")


def _queue(config: Configuration, where: Location, table: dict[Any, Any]) -> Iterator[Fault]:
    """Its keys are dictConfig's own; see also the rules of versions."""
    own = _OF_EVERY_HANDLER | _OF_QUEUES
    yield from _arguments(where, logging.handlers.QueueHandler, ["queue", *_given(table, own)], more=False)
    listed = table.get("handlers")
    if isinstance(listed, str):
        yield Fault("RL107", (*where, "handlers"), "must be a list of handlers, not a text", f"write [{listed}]")
    for index, name in enumerate(listed if is_list(listed) else ()):
        if isinstance(name, str) and not config.may_hold("handlers", name):
            yield missing(config, (*where, "handlers", index), name, "handlers")
    for key in ("queue", "listener"):
        said = table.get(key)
        if is_table(said) and "()" in said:
            yield from _made((*where, key), said, "()")
        elif isinstance(said, str) and "://" not in said:
            yield from _class((*where, key), said)
