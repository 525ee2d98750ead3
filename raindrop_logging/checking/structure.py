"""The file as dictConfig sees it: its sections and keys, and the names and levels in them.

In: a Configuration.  Out: faults RL103 to RL108, RL111, RL112, RL114, RL115.  Touches: nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from typing import Any, Final

from raindrop_logging.checking.configuration import SECTIONS, Configuration
from raindrop_logging.checking.document import Unknown, is_list, is_open, is_table, texts
from raindrop_logging.checking.finding import Fault, Location
from raindrop_logging.errors import did_you_mean

TOP_LEVEL: Final = ("version", *SECTIONS, "root", "incremental", "disable_existing_loggers")
_LOGGER: Final = ("level", "handlers", "filters", "propagate")
_FORMATTER: Final = ("format", "datefmt", "style", "validate", "class", "defaults")
_FILTER: Final = ("name",)


def faults(config: Configuration) -> Iterator[Fault]:
    """Everything that is wrong with the frame of a configuration."""
    yield from _version(config)
    yield from _doubled(config)
    yield from _top_level_keys(config)
    yield from _sections(config)
    yield from _truths(config)
    yield from _logger_keys(config)
    yield from _levels(config)
    if not config.incremental:
        yield from _plain_keys(config)
        yield from _references(config)
        yield from _copies(config)
        yield from _variables(config)


def _version(config: Configuration) -> Iterator[Fault]:
    if "version" not in config.tree:
        if not config.is_open:
            yield Fault("RL103", (), "'version' is missing", "add 'version: 1'")
        return
    found = config.tree["version"]
    if not isinstance(found, Unknown) and found != 1:
        yield Fault("RL103", ("version",), f"'version' is {found!r}: dictConfig knows only 1", "write the number 1")


def _doubled(config: Configuration) -> Iterator[Fault]:
    for where in config.document.doubled:
        message = f"{where[-1]!r} stands twice in this table; only the last one counts"
        yield Fault("RL106", where, message, "put both into one, or rename one of them")


# ---- keys ----------------------------------------------------------------------------------------------------------


def _top_level_keys(config: Configuration) -> Iterator[Fault]:
    named = {text.removeprefix("cfg://") for _, text in texts(config.tree) if text.startswith("cfg://")}
    for key in config.tree:
        if key in TOP_LEVEL or not isinstance(key, str) or key.startswith(("_", "x-", ".", "$")):
            continue
        if not any(name.startswith(key) for name in named):
            yield _unread((key,), TOP_LEVEL, "dictConfig reads no such section")


def _unread(where: Location, known: Collection[str], message: str) -> Fault:
    key = where[-1]
    hint = did_you_mean(str(key).lower(), known)
    if hint:
        right = hint.split("'")[1]
        return Fault("RL104", where, f"{message}{hint}", f"rename {key!r} to {right!r}")
    return Fault("RL105", where, f"{message} as {key!r}", "take it out; a name that begins with '_' is left alone")


def _logger_keys(config: Configuration) -> Iterator[Fault]:
    tables: list[tuple[Location, dict[Any, Any]]] = [
        (("loggers", name), table) for name, table in config.tables("loggers")
    ]
    root = config.tree.get("root")
    if is_table(root):
        tables.append((("root",), root))
    for where, table in tables:
        for key in table:
            if key not in _LOGGER and not (key == "qualname" and table[key] == where[-1]):
                yield _unread((*where, key), _LOGGER, "dictConfig reads no such key of a logger")


def _plain_keys(config: Configuration) -> Iterator[Fault]:
    """Keys of formatters and filters that dictConfig makes itself; what is named by '()' gets all of its keys."""
    for name, table in config.tables("formatters"):
        if "()" not in table:
            yield from (_of_formatter(("formatters", name, key), table) for key in table if key not in _FORMATTER)
    for name, table in config.tables("filters"):
        if "()" not in table:
            yield from _of_filter(("filters", name), table)


def _of_filter(where: Location, table: dict[Any, Any]) -> Iterator[Fault]:
    if "class" in table:
        message = "dictConfig reads no 'class' of a filter: this one is logging.Filter and lets everything pass"
        yield Fault("RL104", (*where, "class"), message, "rename 'class' to '()'")
        return
    for key in table:
        if key not in _FILTER:
            yield _unread((*where, key), _FILTER, "dictConfig reads no such key of a filter")


def _of_formatter(where: Location, table: dict[Any, Any]) -> Fault:
    if "class" not in table:
        return _unread(where, _FORMATTER, "dictConfig reads no such key of a formatter")
    message = f"dictConfig does not pass {where[-1]!r} on to a formatter named by 'class'"
    return Fault("RL104", where, message, "name the formatter by '()' instead of 'class': that passes every key on")


# ---- kinds ---------------------------------------------------------------------------------------------------------


def _sections(config: Configuration) -> Iterator[Fault]:
    for name in SECTIONS:
        if name in config.tree:
            yield from _section(name, config.tree[name])
    root = config.tree.get("root")
    if root and not is_table(root) and not is_open(root):
        yield _not(("root",), root, "a table", "write its level and its handlers")


def _section(name: str, found: Any) -> Iterator[Fault]:
    if not is_table(found):
        if not is_open(found):
            yield _not((name,), found, "a table of names", "take the section out, or fill it")
        return
    for key, entry in found.items():
        if not isinstance(key, str):
            yield _not((name, key), key, "a name that is text", "put quotes around it")
        elif not is_table(entry) and not is_open(entry):
            yield _not((name, key), entry, "a table", "write its keys, or {} where it needs none")


def _not(where: Location, found: Any, expected: str, fix: str) -> Fault:
    return Fault("RL107", where, f"must be {expected}, not {_shown(found)}", fix)


def _shown(found: Any) -> str:
    if found is None:
        return "nothing (null)"
    if is_table(found):
        return "a table"
    return "a list" if is_list(found) else f"{found!r:.80}"


def _truths(config: Configuration) -> Iterator[Fault]:
    places: list[tuple[Location, Any]] = [
        ((key,), config.tree.get(key)) for key in ("disable_existing_loggers", "incremental")
    ]
    places += [(("loggers", name, "propagate"), table.get("propagate")) for name, table in config.tables("loggers")]
    for where, found in places:
        if isinstance(found, str):
            message = f"is the text {found!r:.40}, and any text that is not empty is true"
            yield Fault("RL114", where, message, "write true or false without quotes")


# ---- levels --------------------------------------------------------------------------------------------------------


def _levels(config: Configuration) -> Iterator[Fault]:
    for section in ("handlers", "loggers"):
        for name, table in config.tables(section):
            yield from _level((section, name, "level"), table.get("level"))
    root = config.tree.get("root")
    if is_table(root):
        yield from _level(("root", "level"), root.get("level"))


def _level(where: Location, found: Any) -> Iterator[Fault]:
    names = logging.getLevelNamesMapping()
    if found is None or isinstance(found, int | Unknown) or (isinstance(found, str) and found in names):
        return
    if not isinstance(found, str):
        yield Fault("RL111", where, f"{_shown(found)} is no level", "write INFO, or another name of a level")
    elif found.startswith(("env://", "ext://", "cfg://")):
        if found.startswith("env://"):
            yield _unread_variable(where, found)
    elif found.strip().upper() in names:
        right = found.strip().upper()
        yield Fault("RL111", where, f"{found!r} is no level; did you mean '{right}'?", f"write {right}")
    elif found.strip().lstrip("-").isdigit():
        yield Fault("RL111", where, f"the text {found!r} is no level", "write the number without quotes")
    else:
        yield _own_level(where, found, did_you_mean(found.upper(), names))


def _own_level(where: Location, found: str, hint: str) -> Fault:
    if hint:
        return Fault("RL111", where, f"{found!r:.40} is no level{hint}", f"write {hint.split(chr(39))[1]}")
    return Fault(
        "RL112",
        where,
        f"{found!r:.40} is no level of logging's own, and is refused unless your code has added it",
        f"call logging.addLevelName(number, {found!r:.40}) before the file is loaded",
    )


# ---- names of others -----------------------------------------------------------------------------------------------


def _references(config: Configuration) -> Iterator[Fault]:
    for name, table in config.tables("handlers"):
        yield from _one_name(config, ("handlers", name, "formatter"), table.get("formatter"), "formatters")
        yield from _names(config, ("handlers", name, "filters"), table.get("filters"), "filters")
    for where, table in config.loggers.values():
        yield from _names(config, (*where, "handlers"), table.get("handlers"), "handlers")
        yield from _names(config, (*where, "filters"), table.get("filters"), "filters")


def _names(config: Configuration, where: Location, found: Any, section: str) -> Iterator[Fault]:
    if is_list(found):
        for index, name in enumerate(found):
            yield from _one_name(config, (*where, index), name, section)
    elif found and not isinstance(found, Unknown):
        yield _not(where, found, f"a list of {section}", "write the names in [ ]")


def _one_name(config: Configuration, where: Location, name: Any, section: str) -> Iterator[Fault]:
    if not name and section == "formatters":
        return
    if is_table(name) or is_list(name):
        yield _not(where, name, "a name", f"define it under '{section}', and name it here")
    elif not isinstance(name, Unknown) and not config.may_hold(section, name):
        yield missing(config, where, name, section)


def missing(config: Configuration, where: Location, name: Any, section: str) -> Fault:
    """The fault that a name of a section does not exist."""
    known = [key for key in config.section(section) if isinstance(key, str)]
    hint = did_you_mean(name, known)
    listed = f" (there are: {', '.join(known)})" if known and not hint else ""
    message = f"there is no {section.removesuffix('s')} {name!r:.60}{hint}{listed}"
    return Fault("RL108", where, message, f"define it under '{section}', or take the name out")


def _copies(config: Configuration) -> Iterator[Fault]:
    """``cfg://handlers.file`` names a place in the file."""
    for where, text in texts(config.tree):
        if text.startswith("cfg://") and _is_evaluated(where) and not _leads_somewhere(config, text):
            message = f"{text!r} leads nowhere in this file"
            yield Fault("RL108", where, message, "name a place that exists, from the top of the file")


def _is_evaluated(where: Location) -> bool:
    return bool(where) and where[0] in {"handlers", "formatters", "filters"}


def _leads_somewhere(config: Configuration, text: str) -> bool:
    found: Any = config.tree
    for part in text.removeprefix("cfg://").replace("[", ".").replace("]", "").split("."):
        if is_open(found) or not is_table(found):
            return not is_list(found) or not part.isdigit() or int(part) < len(found)
        if part not in found:
            return False
        found = found[part]
    return True


def _variables(config: Configuration) -> Iterator[Fault]:
    for where, text in texts(config.tree):
        if text.startswith("env://") and where[-1:] != ("level",) and not _reads_variables(config, where):
            yield _unread_variable(where, text)


def _reads_variables(config: Configuration, where: Location) -> bool:
    """A RaindropHandler's keys do; of classes that are not known, nobody can say; a key '_' and so on is a remark."""
    if len(where) < 2 or where[0] not in {"handlers", "formatters", "filters", "loggers", "root"}:  # noqa: PLR2004
        return True
    if where[0] != "handlers":
        return where[0] in {"formatters", "filters"}
    ours = where[1] in config.raindrops and where[2:3] not in {("formatter",), ("filters",), ("class",)}
    return ours or config.of_handler(where[1]) is None


def _unread_variable(where: Location, text: str) -> Fault:
    message = f"{text!r:.60} is not read from the environment here: only a RaindropHandler's own keys are"
    return Fault("RL115", where, message, "write the value, or read the variable in your code before dictConfig")
