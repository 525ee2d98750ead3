"""Which record reaches which handler: levels, propagation and filters on the way to a RaindropHandler.

These are judgements of configurations that work, so they are passed on files that name a RaindropHandler only.

In: a Configuration.  Out: faults RL213, RL214, RL301 to RL308.  Touches: nothing.
"""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

from raindrop_logging.checking.configuration import Configuration, class_name, level_number, names_in
from raindrop_logging.checking.document import Unknown, has_unknown, is_open, is_table
from raindrop_logging.checking.finding import Fault, Location
from raindrop_logging.settings import Settings

CAPTURE_FILTER: Final = "raindrop_logging.CaptureFilter"
_HIDING: Final = frozenset({"raindrop_logging.HideRaindrop", "raindrop_logging.filters.HideRaindrop"})
_DIAGNOSTICS: Final = "raindrop_logging"
_VERBS: Final = "raindrop"


def faults(config: Configuration) -> Iterator[Fault]:
    """What seldom is meant about the ways of records."""
    if not config.raindrops:
        return
    yield from _existing_loggers(config)
    yield from _twice(config)
    yield from _two_to_one(config)
    yield from _diagnostics(config)
    yield from _verbs(config)
    for name, table in config.raindrops.items():
        yield from _attached(config, name)
        yield from _levels(config, name, table)
        yield from _hidden(config, name, table)
        yield from _behind_others(config, name)


def _existing_loggers(config: Configuration) -> Iterator[Fault]:
    if "disable_existing_loggers" not in config.tree and not config.is_open:
        message = "'disable_existing_loggers' is true when left out: loggers that modules made before fall silent"
        yield Fault("RL305", (), message, "add disable_existing_loggers: false")


# ---- twice ---------------------------------------------------------------------------------------------------------


def _twice(config: Configuration) -> Iterator[Fault]:
    for name, (where, table) in config.loggers.items():
        above = _certain_parents(config, name)
        for handler in names_in(table.get("handlers")):
            other = next((one for one in above if handler in names_in(config.loggers[one][1].get("handlers"))), None)
            if other is not None and handler not in config.raindrops:  # ours takes each record once
                message = f"{handler!r} is on {_called(other)} too, and records go on to it: each line appears twice"
                yield Fault("RL301", (*where, "handlers"), message, "take it off one of them, or set propagate: false")


def _certain_parents(config: Configuration, name: str) -> list[str]:
    """The loggers above that records go on to for sure."""
    found: list[str] = []
    *lower, _ = chain = list(config.chain(name)) or [name]
    for one, parent in zip(lower, chain[1:], strict=True):
        if isinstance(config.loggers[one][1].get("propagate"), Unknown):
            break
        found.append(parent)
    return found


def _called(logger: str) -> str:
    return f"the logger {logger!r}" if logger else "the root logger"


def _two_to_one(config: Configuration) -> Iterator[Fault]:
    told: set[tuple[Any, Any]] = set()
    for name in config.loggers:
        reached = {handler for _, handler in config.reached(name)}
        for first, second in combinations([one for one in config.raindrops if one in reached], 2):
            if (first, second) not in told and _same_destination(config, first, second):
                told.add((first, second))
                message = f"records reach {first!r} and {second!r}, which send to the same place: it gets them twice"
                fix = "keep one of them, or give both the same keys: then they share one queue, and send once"
                yield Fault("RL302", ("handlers", second), message, fix)


_DESTINATION: Final = {"endpoint": Settings().endpoint, "write_key": "env://RAINDROP_WRITE_KEY", "project_id": None}


def _same_destination(config: Configuration, first: Any, second: Any) -> bool:
    one, other = config.raindrops[first], config.raindrops[second]
    if any(has_unknown(table) or _is_silent(table) or table.get("filters") for table in (one, other)):
        return False
    if _keys(one) == _keys(other):
        return False
    return all(one.get(key, usual) == other.get(key, usual) for key, usual in _DESTINATION.items())


def _keys(table: dict[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in table.items() if key not in {"level", "formatter", "class", "()"}}


def _is_silent(table: dict[Any, Any]) -> bool:
    return table.get("enabled") is False or table.get("mode") == "off"


# ---- not at all ----------------------------------------------------------------------------------------------------


def _loggers_reaching(config: Configuration, handler: Any) -> list[tuple[str, str]]:
    """Loggers whose records come to a handler, with the logger that has it."""
    return [(name, at) for name in config.loggers for at, one in config.reached(name) if one == handler]


def _has_open_lists(config: Configuration) -> bool:
    """Whether a logger may have handlers that the file does not show."""
    if config.is_open or is_open(config.tree.get("loggers")) or is_open(config.tree.get("root")):
        return True
    return any(has_unknown(table.get("handlers")) for _, table in config.loggers.values())


def _attached(config: Configuration, name: Any) -> Iterator[Fault]:
    if not _loggers_reaching(config, name) and not _has_open_lists(config):
        fix = f"add {name!r} to the handlers of root, or of the loggers that your records are made on"
        yield Fault("RL304", ("handlers", name), "no logger has this handler: nothing is ever sent", fix)


def _levels(config: Configuration, name: Any, table: dict[Any, Any]) -> Iterator[Fault]:
    own = level_number(table.get("level"))
    if own is not None and own > logging.INFO:
        message = f'level {table["level"]} hides log.info("ai", ...), the usual call'
        yield Fault("RL303", ("handlers", name, "level"), message, "take it out, or write INFO")
    reaching = _loggers_reaching(config, name)
    levels = [config.level(logger) for logger, _ in reaching]
    if not reaching or any(level is None or level <= logging.INFO for level in levels) or _has_open_lists(config):
        return
    where, at = config.loggers[reaching[0][1]]
    if at.get("level") is None:
        message = 'has no level, so WARNING is that of its records: log.info("ai", ...) never arrives'
        yield Fault("RL303", where, f"{_called(reaching[0][1])} {message}", "add level: INFO")
    else:
        message = f'level {at["level"]} hides log.info("ai", ...), the usual call, on every way to {name!r}'
        yield Fault("RL303", (*where, "level"), message, "write INFO, here or on the loggers of your records")


def _hidden(config: Configuration, name: Any, table: dict[Any, Any]) -> Iterator[Fault]:
    for entry in names_in(table.get("filters")):
        if _filter_class(config, entry) in _HIDING:
            message = f"the filter {entry!r} keeps back every record with a block, which is all that is ever sent"
            yield Fault("RL308", ("handlers", name, "filters"), message, "put it on the console's handler instead")


def _filter_class(config: Configuration, name: str) -> str | None:
    table = config.section("filters").get(name)
    return class_name(table) if is_table(table) else None


# ---- late ----------------------------------------------------------------------------------------------------------


def _behind_others(config: Configuration, name: Any) -> Iterator[Fault]:
    for front, table in config.tables("handlers"):
        thing = config.of_handler(front)
        if name not in config.behind(front) or not isinstance(thing, type):
            continue
        if issubclass(thing, logging.handlers.MemoryHandler):
            message = f"{name!r} gets its records from {front!r} late: blocks may have changed, what was bound is gone"
            yield Fault("RL213", ("handlers", front, "target"), message, _alone(name))
        elif issubclass(thing, logging.handlers.QueueHandler) and not _captures(config, table):
            message = f"{name!r} gets its records on another thread: blocks may have changed, what was bound is gone"
            fix = f"{_alone(name)}; or add a filter with '()': {CAPTURE_FILTER} to {front!r}"
            yield Fault("RL214", ("handlers", front, "handlers"), message, fix)


def _alone(name: Any) -> str:
    return f"give {name!r} to the loggers itself: it never waits, and has its own queue"


def _captures(config: Configuration, table: dict[Any, Any]) -> bool:
    filters = table.get("filters")
    return has_unknown(filters) or any(
        (_filter_class(config, entry) or "").endswith(".CaptureFilter") for entry in names_in(filters)
    )


# ---- loggers of ours -----------------------------------------------------------------------------------------------


def _diagnostics(config: Configuration) -> Iterator[Fault]:
    where, table = config.loggers.get(_DIAGNOSTICS, ((), {}))
    if table.get("propagate") != 0 or has_unknown(table) or not where:
        return
    others = [handler for handler in names_in(table.get("handlers")) if handler not in config.raindrops]
    if not others:
        message = "propagate is false and no handler shows its records: trouble with sending is told to nobody"
        fix = "give it the console's handler, or let its records propagate"
        yield Fault("RL306", (*where, "propagate"), message, fix)


def _verbs(config: Configuration) -> Iterator[Fault]:
    where, _ = config.loggers.get(_VERBS, ((), {}))
    if not where or _has_open_lists(config):
        return
    level = config.level(_VERBS)
    if not any(handler in config.raindrops for _, handler in config.reached(_VERBS)):
        message = "begin(), track() and spans log here by default, and no RaindropHandler hears them"
        yield Fault("RL307", where, message, _heard_by(config, where))
    elif level is not None and level > logging.INFO:
        message = "begin(), track() and spans log here by default, at INFO"
        yield Fault("RL307", (*where, "level"), message, "write INFO")


def _heard_by(config: Configuration, where: Location) -> str:
    return (
        f"add {next(iter(config.raindrops))!r} to its handlers, or let {where[-1]!r} propagate to a logger that has it"
    )
