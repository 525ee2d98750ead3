"""A configuration as it was read: plain values, and where each of them stands.

What only running the file would tell is `Unknown`; a table or list that may hold more than is seen is an `OpenTable` or
`OpenList`. No rule complains about either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeGuard

from msgspec import Struct

from raindrop_logging.checking.finding import Location


class Unknown(Struct, frozen=True):
    """A value that is not known; `name` is its dotted name where the source imports it by one."""

    name: str | None = None


UNKNOWN: Final = Unknown()


class OpenTable(dict[Any, Any]):
    """A table that may hold more than is seen."""


class OpenList(list[Any]):
    """A list that may hold more than is seen."""


class Document(Struct, frozen=True):
    """One configuration of a file.

    Args:
        file: as the user named it.
        tree: its values.
        text: the whole file.
        lines: where values begin; not all of them need to be known.
        doubled: keys that stand twice in one table.
        name: the variable of a Python module that holds it.
    """

    file: str
    tree: Any
    text: str
    lines: dict[Location, int]
    doubled: tuple[Location, ...] = ()
    name: str | None = None

    def line(self, where: Location) -> int | None:
        """The line of a value, or of the nearest table around it that has one."""
        for length in range(len(where), -1, -1):
            if where[:length] in self.lines:
                return self.lines[where[:length]]
        return None


class UnreadableError(Exception):
    """A file of which nothing can be checked.

    Args:
        message: what is wrong.
        fix: what to do.
        line: where, if it is known.
        code: the rule that it breaks.
    """

    def __init__(self, message: str, fix: str, line: int | None = None, code: str = "RL101") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.line = line
        self.code = code


def is_table(value: Any) -> TypeGuard[dict[Any, Any]]:
    """Whether it is a table, open or not."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether it is a list, open or not."""
    return isinstance(value, list | tuple)


def is_open(value: Any) -> bool:
    """Whether there may be more to it than is seen."""
    return isinstance(value, Unknown | OpenTable | OpenList)


def parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """What a table or list holds, with its key or index; nothing for any other value."""
    if is_table(value):
        yield from value.items()
    elif is_list(value):
        yield from enumerate(value)


def has_unknown(value: Any) -> bool:
    """Whether anything in it is not known."""
    return is_open(value) or any(has_unknown(part) for _, part in parts(value))


def texts(value: Any, where: Location = ()) -> Iterator[tuple[Location, str]]:
    """Every text in a value, with its location."""
    if isinstance(value, str):
        yield where, value
    for key, part in parts(value):
        yield from texts(part, (*where, key))
