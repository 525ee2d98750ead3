"""What a check finds: a rule, a fault as a rule's code tells it, and a finding as the user reads it."""

from __future__ import annotations

import re
from typing import Any, Literal

from msgspec import Struct

Severity = Literal["error", "warning"]
Version = tuple[int, int]
Location = tuple[Any, ...]
"""Keys and indexes from the top of a configuration to one value; YAML knows keys that are no texts."""


class Rule(Struct, frozen=True):
    """One thing that is looked for.

    Args:
        what: in a few words, for a list of rules.
        why: what would happen.
        severity: an error does not do what the file says; a warning works, and is seldom meant.
        refused: whether dictConfig refuses a file that breaks it.
    """

    code: str
    what: str
    why: str
    severity: Severity = "error"
    refused: bool = False


class Fault(Struct, frozen=True):
    """A rule that a configuration breaks, at one place.

    Args:
        versions: the Pythons on which it does; empty: on all.
    """

    code: str
    where: Location
    message: str
    fix: str
    versions: tuple[Version, ...] = ()


class Finding(Struct, frozen=True):
    """A fault with the file, the line and the severity it has there; the line is None where the format hides it."""

    file: str
    line: int | None
    path: str
    code: str
    severity: Severity
    message: str
    fix: str


_BARE = re.compile(r"[\w-]+")


def said(where: Location) -> str:
    """A location as people write it: ``loggers."shop.agent".handlers[0]``."""
    parts: list[str] = []
    for part in where:
        if isinstance(part, int) and not isinstance(part, bool):
            parts.append(f"[{part}]")
        else:
            text = str(part)
            parts.append(f".{text}" if _BARE.fullmatch(text) else f'."{text}"')
    return "".join(parts).removeprefix(".")
