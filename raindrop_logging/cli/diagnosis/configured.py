"""What a process would be told: the handlers of a dictConfig file, or the one that variables and defaults make.

In: the path of a file, or none.  Out: `Configured` values.
Touches: the process's logging configuration, which a file is applied to; its handlers of ours are kept from sending.
"""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Iterator, Mapping
from logging.handlers import QueueHandler
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from raindrop_logging.cli.diagnosis.checks import Check, fail, ok, warn
from raindrop_logging.config import apply_config, read_config
from raindrop_logging.filters import CaptureFilter
from raindrop_logging.handler import RaindropHandler, plain_keys
from raindrop_logging.record import default_logger, is_heard
from raindrop_logging.settings import Origin, Settings, origins, read_settings


class Configured(Struct, frozen=True, kw_only=True):
    """One handler as it is configured.

    Attributes:
        name: its name in the file; None without a file.
        keys: what it was given; None where code of the application's makes it.
        settings: what that comes to, with variables and defaults.
        handler: the handler itself, which sends nothing; None without a file, or where nothing refers to it.
        places: the loggers that have it, and the queues that lead to it.
        leaves_others: whether the file leaves loggers on that were there before.
    """

    name: str | None
    keys: dict[str, Any] | None
    settings: Settings
    handler: logging.Handler | None = None
    places: tuple[Place, ...] = ()
    leaves_others: bool = True

    @property
    def origins(self) -> dict[str, Origin]:
        """Where the value of each key comes from; nothing where code says it."""
        return {} if self.keys is None else origins(self.keys)


class Place(Struct, frozen=True):
    """A logger that has a handler, by itself or by a queue whose listener has it."""

    logger: logging.Logger
    queue: QueueHandler | None = None


class _Silent(RaindropHandler):
    """A handler that remembers what it was given, and sends nothing."""

    def __init__(self, level: int | str = logging.NOTSET, **keys: Any) -> None:
        self.given = plain_keys(keys)
        silent: Any = {**keys, "enabled": False}
        super().__init__(level, **silent)


def without_file() -> list[Configured]:
    """The handler that `raindrop_logging.init()` or a handler without keys would be.

    Raises:
        SettingsError: a variable's value breaks a rule.
    """
    return [Configured(name=None, keys={}, settings=read_settings({}))]


def of_file(path: Path) -> list[Configured]:
    """The handlers of ours in a dictConfig file, which is applied to this process.

    Raises:
        SettingsError: as `raindrop_logging.load_config`.
        MissingExtraError: the file is YAML and PyYAML is not installed.
    """
    if "" not in sys.path:
        sys.path.insert(0, "")  # the file may name what is in the working directory, as in `python -m`
    table = read_config(path)
    named: Any = table.get("handlers")
    ours = [name for name, entry in named.items() if _is_ours(entry)] if isinstance(named, dict) else list[str]()
    silenced = copy.deepcopy(table)
    for name in ours:
        entry = silenced["handlers"][name]
        silenced["handlers"][name] = {key: entry[key] for key in entry if key != "class"} | {"()": _Silent}
    applied = _apply(silenced, path)
    leaves = table.get("disable_existing_loggers") is False
    missing = [name for name in ours if name not in {handler.name for handler in applied}]
    return [
        *(_configured(handler, places, leaves_others=leaves) for handler, places in applied.items()),
        *(_unused(name, named[name]) for name in missing),
    ]


def _is_ours(entry: Any) -> bool:
    """Whether a handler of the file is of our class itself; subclasses may take keys of their own."""
    said = entry.get("()", entry.get("class")) if isinstance(entry, dict) else None
    return said in ("raindrop_logging.RaindropHandler", "raindrop_logging.handler.RaindropHandler")


def _apply(table: dict[str, Any], path: Path) -> dict[RaindropHandler, list[Place]]:
    """Configure logging; the handlers of ours that a logger leads to then."""
    apply_config(table, path)
    found: dict[RaindropHandler, list[Place]] = {}
    for logger in _loggers():
        for handler in logger.handlers:
            queue = handler if isinstance(handler, QueueHandler) else None
            for one in (handler, *_behind(handler)):
                if isinstance(one, RaindropHandler):
                    found.setdefault(one, []).append(Place(logger, queue))
    return found


def _loggers() -> Iterator[logging.Logger]:
    yield logging.root
    known = sorted(logging.root.manager.loggerDict.items())
    yield from (logger for _, logger in known if isinstance(logger, logging.Logger))


def _behind(handler: logging.Handler) -> tuple[Any, ...]:
    """Where a handler passes records on: a listener, which dictConfig makes for a queue since 3.12, or a target."""
    listener, target = getattr(handler, "listener", None), getattr(handler, "target", None)
    return (*getattr(listener, "handlers", ()), *([target] if target is not None else []))


def _configured(handler: RaindropHandler, places: list[Place], *, leaves_others: bool) -> Configured:
    keys = handler.given if isinstance(handler, _Silent) else None
    settings = handler.settings if keys is None else read_settings(keys)
    return Configured(
        name=handler.name,
        keys=keys,
        settings=settings,
        handler=handler,
        places=tuple(places),
        leaves_others=leaves_others,
    )


_NO_KEYS: Final = frozenset({"()", "class", "level", "filters", "formatter", "."})


def _unused(name: str, entry: Mapping[str, Any]) -> Configured:
    keys = {key: value for key, value in entry.items() if key not in _NO_KEYS}
    return Configured(name=name, keys=keys, settings=read_settings(keys))


# ---- what is wrong with it -----------------------------------------------------------------------------------------


def checks_of(configured: Configured) -> Iterator[Check]:
    """Whether what is logged comes to the handler, and whether it is to be sent at all."""
    yield _switched(configured.settings)
    yield _destination(configured)
    if configured.name is not None:
        yield from _hearing(configured)


def _switched(settings: Settings) -> Check:
    if settings.enabled and settings.mode != "off":
        return ok("mode", settings.mode)
    said = "mode is off" if settings.enabled else "enabled is false"
    return fail(
        "mode", f"{said}: every record is counted as off and goes nowhere", "take that out to have records sent"
    )


def _destination(configured: Configured) -> Check:
    settings = configured.settings
    if settings.write_key is not None:
        mirrored = f", mirrored to the Workshop at {settings.workshop}" if settings.workshop else ""
        return ok("destination", f"{settings.endpoint} with a write key{mirrored}")
    if settings.workshop is not None:
        return ok("destination", f"the Workshop at {settings.workshop}, since there is no write key")
    variable = configured.origins["write_key"].variable if configured.origins else None
    said = "no write key and no Workshop: records are counted, and not sent"
    if variable:
        said += f" (the variable {variable} is not set)"
    return fail(
        "destination",
        said,
        f"set {variable or 'RAINDROP_WRITE_KEY'} in the environment of this process, or RAINDROP_WORKSHOP=1 for the "
        "local Workshop",
    )


def _hearing(configured: Configured) -> Iterator[Check]:
    handler, places = configured.handler, configured.places
    if handler is None:
        todo = f"add '{configured.name}' to the handlers of the root logger, or of a logger of yours"
        yield fail("loggers", f"no logger has the handler '{configured.name}': it never gets a record", todo)
        return
    yield _level(handler, places)
    for queue in {place.queue.name: place.queue for place in places if place.queue is not None}.values():
        yield _queue(queue)
    default_logger.disabled = False  # as the verbs themselves do
    if not is_heard(default_logger):
        yield warn(
            "verbs",
            "begin, track_ai and the others log on the logger 'raindrop', which no handler of ours hears",
            "pass them logger=, or put the handler on the root logger",
        )
    if not configured.leaves_others:
        yield warn(
            "others",
            "the file disables every logger that was made before it is loaded and that it does not name",
            'add "disable_existing_loggers": false',
        )


def _level(handler: logging.Handler, places: tuple[Place, ...]) -> Check:
    """Whether anything that is logged at INFO gets through, from the logger itself or from one below it."""
    names = sorted({place.logger.name for place in places})
    if handler.level > logging.INFO:
        said = f"the handler's own level is {logging.getLevelName(handler.level)}: it takes nothing logged at INFO"
        return fail("level", said, "leave the level out, or make it INFO")
    heard = [logger for logger in _loggers() if logger.isEnabledFor(logging.INFO) and _leads_to(logger, places)]
    owners = {place.logger for place in places}
    of_ours = [one for one in heard if one in owners or (one.level and one.name.partition(".")[0] not in _OWN)]
    if not of_ours:
        levels = ", ".join(f"{name} is {_effective(logging.getLogger(name))}" for name in names)
        todo = "make the logger's level INFO; the package's own records are logged at INFO"
        return fail("level", f"nothing logged at INFO comes through: {levels}", todo)
    return ok("level", f"hears {', '.join(_with_level(logger) for logger in of_ours[:_MOST_NAMED])}", loggers=names)


_MOST_NAMED: Final = 5
_OWN: Final = frozenset({default_logger.name, "raindrop_logging"})


def _leads_to(logger: logging.Logger, places: tuple[Place, ...]) -> bool:
    wanted = {place.logger for place in places}
    node: logging.Logger | None = logger
    while node is not None:
        if node in wanted:
            return True
        node = node.parent if node.propagate else None
    return False


def _with_level(logger: logging.Logger) -> str:
    return f"'{logger.name}' from {_effective(logger)} up"


def _effective(logger: logging.Logger) -> str:
    return str(logging.getLevelName(logger.getEffectiveLevel()))


def _queue(queue: QueueHandler) -> Check:
    name = f"queue '{queue.name}'"
    if not any(isinstance(one, CaptureFilter) for one in queue.filters):
        said = f"it is behind the {name}, where neither what was bound nor the open span is known"
        return warn("queue", said, "add the filter raindrop_logging.CaptureFilter to that queue; or name it directly")
    said = f"it is behind the {name}, whose listener does not start by itself"
    return warn("queue", said, "start it in code, with .listener.start(), and stop it at the end")
