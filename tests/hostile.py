"""Objects that fail at what is done with them, for every test that hands something odd to the package."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NoReturn


class Quit(BaseException):
    """An exception that no `except Exception` stops."""


def failing(*methods: str, error: type[BaseException] = RuntimeError, base: type = object, args: Any = ()) -> Any:
    """An instance of a subclass of ``base`` whose methods of these names raise ``error``."""

    def fail(*_args: object, **_named: object) -> NoReturn:
        raise error("as it was made to")

    made: Any = type("Failing", (base,), dict.fromkeys(methods, fail))
    return made(*args)


def failing_property(name: str, error: type[BaseException] = RuntimeError) -> Any:
    """An instance of a class that raises when it is asked for one attribute."""

    def fail(_self: object) -> NoReturn:
        raise error("as it was made to")

    return type("FailingProperty", (), {name: property(fail)})()


EXITS: dict[str, type[BaseException]] = {
    "SystemExit": SystemExit,
    "GeneratorExit": GeneratorExit,
    "CancelledError": asyncio.CancelledError,
    "BaseException": BaseException,
    "a BaseException of its own": Quit,
    "MemoryError": MemoryError,
    "RecursionError": RecursionError,
    "StopIteration": StopIteration,
    "OSError": OSError,
    "UnicodeError": UnicodeError,
}
"""Errors that a method may raise, and that are the value's own affair; Ctrl-C is not."""

SHOWN = ("__repr__", "__str__", "__format__")
COMPARED = ("__eq__", "__ne__", "__lt__", "__hash__", "__bool__")
READ = (
    "__len__",
    "__iter__",
    "__getitem__",
    "__contains__",
    "__next__",
    "__reversed__",
    "keys",
    "items",
    "values",
    "get",
)
ASKED = ("__getattr__", "__getattribute__", "__dir__", "__call__", "__index__", "__int__", "__float__", "__bytes__")
EVERYTHING = (*SHOWN, *COMPARED, *READ, "__getattr__", "__dir__", "__index__", "__int__", "__float__", "__bytes__")


class Liar:
    """An object that says it is of another class."""

    def __init__(self, claimed: Any) -> None:
        self._claimed = claimed

    @property
    def __class__(self) -> Any:
        return self._claimed

    @__class__.setter
    def __class__(self, _claimed: Any) -> None:
        raise TypeError("it stays what it says")


class LazyMapping(Mapping[str, Any]):
    """A mapping that fails for one of its keys."""

    def __getitem__(self, key: str) -> Any:
        if key == "broken":
            raise OSError("the row is gone")
        return len(key)

    def __iter__(self) -> Iterator[str]:
        return iter(("whole", "broken", "also whole"))

    def __len__(self) -> int:
        return 3


class EndlessMapping(Mapping[int, int]):
    """A mapping whose keys never end."""

    def __getitem__(self, key: int) -> int:
        return key

    def __iter__(self) -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    def __len__(self) -> int:
        return 2**62


class EndlessSet(AbstractSet[int]):
    """A set whose members never end."""

    def __contains__(self, _member: object) -> bool:
        return True

    def __iter__(self) -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    def __len__(self) -> int:
        return 2**62


class EndlessSequence(Sequence[Any]):
    """A sequence that has every index, and itself at each."""

    def __getitem__(self, _index: Any) -> Any:
        return EndlessSequence()

    def __len__(self) -> int:
        return 2**62


class HalfSequence(Sequence[int]):
    """A sequence that fails after its third entry."""

    def __getitem__(self, index: Any) -> Any:
        if index > 2:
            raise OSError("the page is gone")
        return index

    def __len__(self) -> int:
        return 1_000


class Growing(dict[str, int]):
    """A dict that grows whenever one of its own methods is used."""

    def __iter__(self) -> Iterator[str]:
        for key in list(dict.keys(self)):
            self[f"{key}+"] = 1
            yield key

    def __getitem__(self, key: str) -> int:
        self[f"{key}!"] = 1
        return 0


class NewEachTime:
    """An object whose every attribute is another one like it, and whose conversion never gets further."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return NewEachTime()

    def model_dump(self) -> Any:
        """Another one."""
        return NewEachTime()

    def tolist(self) -> Any:
        """Another one."""
        return [NewEachTime(), NewEachTime()]


class Echo:
    """An object whose repr asks for its repr."""

    def __repr__(self) -> str:
        return repr(self)


class TextOfNoText:
    """An object whose repr and str are no texts."""

    def __repr__(self) -> Any:
        return 5

    __str__ = __repr__


class MetaRude(type):
    """A metaclass whose classes fail when they are compared, hashed, shown or asked."""

    def __eq__(cls, other: object) -> bool:
        raise Quit("no equality")

    def __hash__(cls) -> int:
        raise Quit("no hash")

    def __repr__(cls) -> str:
        raise Quit("no repr")

    def __getattribute__(cls, name: str) -> Any:
        raise Quit(f"no {name}")

    def __subclasscheck__(cls, _other: type) -> bool:
        raise Quit("no subclass")

    def __instancecheck__(cls, _other: object) -> bool:
        raise Quit("no instance")


class OfRudeMeta(metaclass=MetaRude):
    """Its class cannot be asked for anything."""


def laughs(levels: int = 60, times: int = 10) -> list[Any]:
    """A list that holds one list many times, which holds one list many times, and so on."""
    held: list[Any] = ["ha"]
    for _ in range(levels):
        held = [held] * times
    return held


def nested(levels: int, kind: str = "list") -> Any:
    """Containers in one another."""
    held: Any = "the innermost"
    for _ in range(levels):
        held = {"k": held} if kind == "dict" else [held] if kind == "list" else (held,)
    return held


def ring() -> list[Any]:
    """A list that holds itself."""
    held: list[Any] = [1]
    held.append(held)
    return held


def dict_ring() -> dict[str, Any]:
    """A dict that holds itself, by way of a list."""
    held: dict[str, Any] = {}
    held["self"] = [held]
    return held
