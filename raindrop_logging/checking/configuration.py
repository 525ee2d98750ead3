"""A document as the rules look at it: its sections, what its classes are, and the tree of its loggers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from msgspec import Struct

from raindrop_logging.checking.document import Document, Unknown, is_list, is_open, is_table, texts
from raindrop_logging.checking.finding import Location, Version
from raindrop_logging.checking.resolving import Found, resolve

SECTIONS: Final = ("formatters", "filters", "handlers", "loggers")
ROOT_NAMES: Final = frozenset({"", "root"})
"""What getLogger knows the root logger by."""


class Target(Struct, frozen=True):
    """What a configuration is checked for.

    Args:
        versions: the Pythons that it is meant for.
        others: Pythons on which a difference is worth a warning.
        environ: the variables of the machine it will run on; None where that is another one.
    """

    versions: tuple[Version, ...]
    others: tuple[Version, ...] = ()
    environ: Mapping[str, str] | None = None

    def both(self) -> tuple[Version, ...]:
        """All Pythons that are looked at."""
        return tuple(sorted({*self.versions, *self.others}))


class Configuration:
    """A dictConfig table."""

    def __init__(self, document: Document, target: Target) -> None:
        self.document = document
        self.target = target
        self.tree: dict[Any, Any] = document.tree if is_table(document.tree) else {}
        self.is_open = is_open(document.tree)

    @property
    def incremental(self) -> bool:
        """Whether it only changes levels of what is there; then names lead out of the file."""
        said = self.tree.get("incremental", False)
        return isinstance(said, Unknown) or bool(said)

    def section(self, name: str) -> dict[Any, Any]:
        """A section of the file; empty where there is none, or none that can be read."""
        found = self.tree.get(name)
        return found if is_table(found) else {}

    def tables(self, name: str) -> Iterator[tuple[Any, dict[Any, Any]]]:
        """The entries of a section that are tables, by their names."""
        return ((key, table) for key, table in self.section(name).items() if is_table(table))

    def may_hold(self, section: str, name: Any) -> bool:
        """Whether a section holds a name, or may hold it where the file does not show everything."""
        if section not in self.tree:
            return self.is_open
        found = self.tree[section]
        return is_open(found) or (is_table(found) and name in found)

    # ---- classes

    def of_handler(self, name: Any) -> Any:
        """The class or factory of a handler; None where it is not known."""
        return self._classes.get(name)

    @cached_property
    def _classes(self) -> dict[Any, Any]:
        return {name: thing_of(class_name(table)) for name, table in self.tables("handlers")}

    @cached_property
    def raindrops(self) -> dict[Any, dict[Any, Any]]:
        """The RaindropHandlers of the file, by their names."""
        return {
            name: table
            for name, table in self.tables("handlers")
            if getattr(self._classes[name], "takes_blocks", False) is True
        }

    def behind(self, name: Any) -> Iterator[Any]:
        """The names of all handlers that a handler passes records on to, at any distance."""
        seen, waiting = {name}, [name]
        while waiting:
            for other in self._next(waiting.pop()):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
                    yield other

    def _next(self, name: Any) -> Iterator[Any]:
        table = self.section("handlers").get(name)
        if not is_table(table):
            return
        for key in ("target", "handlers"):
            yield from names_in(table.get(key))
        for _, text in texts(table):
            if text.startswith("cfg://handlers."):
                yield text.removeprefix("cfg://handlers.").split(".")[0]

    # ---- loggers

    @cached_property
    def loggers(self) -> dict[str, tuple[Location, dict[Any, Any]]]:
        """Configured loggers, by name, with where they stand; the root logger is there by the empty name."""
        found: dict[str, tuple[Location, dict[Any, Any]]] = {"": (("root",), {})}
        for name, table in self.tables("loggers"):
            if isinstance(name, str):
                found["" if name in ROOT_NAMES else name] = ("loggers", name), table
        root = self.tree.get("root")
        if is_table(root) and root:
            found[""] = ("root",), {**found[""][1], **root}
        return found

    def chain(self, name: str) -> Iterator[str]:
        """A logger and the configured ones above it that its records may go on to."""
        while True:
            if name in self.loggers:
                yield name
                if self.loggers[name][1].get("propagate", True) == 0:  # false, or its number
                    return
            if not name:
                return
            name = name.rpartition(".")[0]

    def level(self, name: str) -> int | None:
        """The level at which a logger makes records; None where it is not known."""
        while True:
            said = self.loggers[name][1].get("level") if name in self.loggers else None
            number = level_number(said)
            if said is not None and number != 0:  # NOTSET: the next one above decides
                return number
            if not name:
                return None if self.is_open or is_open(self.tree.get("root")) else 30
            name = name.rpartition(".")[0]

    def reached(self, name: str) -> Iterator[tuple[str, Any]]:
        """The handlers that a record of a logger comes to, with the logger that has each; those behind others too."""
        for logger in self.chain(name):
            for handler in names_in(self.loggers[logger][1].get("handlers")):
                yield logger, handler
                for other in self.behind(handler):
                    yield logger, other


def class_name(table: Mapping[Any, Any]) -> str | None:
    """The dotted name of what makes an object; None where none is said."""
    said = table.get("()", table.get("class"))
    return said.name if isinstance(said, Unknown) else said if isinstance(said, str) else None


def thing_of(name: str | None) -> Any:
    """What a dotted name means; None where it is not known."""
    found = None if name is None else resolve(name)
    return found.thing if isinstance(found, Found) else None


def names_in(value: Any) -> list[Any]:
    """The names in a list of names, or one name; what is not known is left out."""
    if isinstance(value, str):
        return [value]
    return [part for part in value if isinstance(part, str)] if is_list(value) else []


def level_number(said: Any) -> int | None:
    """A level as a number; None where it is not one of logging's own."""
    import logging

    if isinstance(said, int):
        return int(said)
    return logging.getLevelNamesMapping().get(said) if isinstance(said, str) else None
