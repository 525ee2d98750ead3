"""Dotted names as the things they name; only the standard library's and this package's are ever imported."""

from __future__ import annotations

import inspect
import logging
import logging.handlers
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from msgspec import Struct

from raindrop_logging.errors import did_you_mean

OURS: Final = "raindrop_logging"
_IMPORTED: Final = frozenset(
    {"asyncio", "builtins", "collections", "functools", "io", "json", "logging", "multiprocessing", "os", "pathlib"}
    | {"queue", "socket", "ssl", "string", "sys", "syslog", "threading", "time", OURS}
)
"""Packages in which a name is looked for. Importing one of them does nothing that could be noticed."""

_DOTTED: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")


class Missing(Struct, frozen=True):
    """A name that leads nowhere: why, and a ``did you mean`` or nothing."""

    reason: str
    hint: str = ""


class Found(Struct, frozen=True):
    """The thing that a name means."""

    thing: Any


def resolve(name: str) -> Found | Missing | None:
    """What dictConfig would find under a dotted name; None where only importing someone's code would tell."""
    if not _DOTTED.fullmatch(name):
        return Missing(f"{name!r} is no dotted name of something in a module", _dotted_hint(name))
    root = name.partition(".")[0]
    if root not in _IMPORTED:
        return _misspelt_root(name, root)
    try:
        return _imported(name)
    except ImportError:  # a library that it needs is not installed here
        return None


def _dotted_hint(name: str) -> str:
    if ":" in name:
        return f"; did you mean {name.replace(':', '.')!r}?"
    for module in (logging, logging.handlers, import_module(OURS)):
        if hasattr(module, name):
            return f"; did you mean '{module.__name__}.{name}'?"
    return ""


def _misspelt_root(name: str, root: str) -> Missing | None:
    near = get_close_matches(root, [OURS, "logging"], n=1, cutoff=0.8)
    if not near or find_spec(root) is not None:
        return None
    return Missing(f"there is no module {root!r}", f"; did you mean {name.replace(root, near[0], 1)!r}?")


def _imported(name: str) -> Found | Missing:
    first, *rest = name.split(".")
    found: Any = import_module(first)
    used = first
    for part in rest:
        inside, used = used, f"{used}.{part}"
        if not hasattr(found, part) and not _is_module(used, found):
            return Missing(f"{inside!r} has no {part!r}", _near(inside, found, part))
        found = getattr(found, part)
    return Found(found)


def _is_module(name: str, parent: Any) -> bool:
    if not hasattr(parent, "__path__") or find_spec(name) is None:
        return False
    import_module(name)
    return True


def _near(inside: str, found: Any, part: str) -> str:
    for module in (logging, logging.handlers):
        if inside.startswith("logging") and hasattr(module, part):
            return f"; did you mean '{module.__name__}.{part}'?"
    known = {name.lower(): name for name in dir(found) if not name.startswith("_")}
    near = get_close_matches(part.lower(), known, n=1)
    return f"; did you mean '{inside}.{known[near[0]]}'?" if near else ""


class Arguments(Struct, frozen=True):
    """The keyword arguments that something takes, and those that it cannot do without."""

    known: tuple[str, ...]
    needed: tuple[str, ...]
    any_other: bool

    def unknown_of(self, given: Iterable[str]) -> list[str]:
        """Those of the given that it does not take."""
        return [] if self.any_other else [name for name in given if name not in self.known]

    def hint(self, name: str) -> str:
        """``; did you mean ...`` by the arguments it takes, or a list of them."""
        return did_you_mean(name, self.known) or f" (it takes {', '.join(self.known) or 'none'})"


def arguments_of(thing: Callable[..., Any]) -> Arguments | None:
    """What a callable takes by keyword; None where it does not say."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return None
    by_name = [one for one in parameters if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}]
    return Arguments(
        tuple(one.name for one in by_name),
        tuple(one.name for one in by_name if one.default is one.empty),
        any(one.kind is one.VAR_KEYWORD for one in parameters),
    )
